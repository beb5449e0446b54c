//! The least rights that runner needs, as manifests to apply.

use super::Names;

/// With the default names, which stand in quotes wherever they may be others.
const MANIFESTS: &str = include_str!("../../manifests/rbac.yaml");

/// The manifests for objects of these names, as YAML. Discovery stays in kube-system, where kubeadm keeps etcd's pods.
pub fn manifests(names: &Names) -> String {
    let usual = Names::default();
    let quoted = |name: &str| format!("{name:?}");
    let pairs = [(usual.namespace, &names.namespace), (usual.lease, &names.lease), (usual.progress, &names.progress)];
    pairs.iter().fold(MANIFESTS.to_owned(), |text, (usual, name)| text.replace(&quoted(usual), &quoted(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_names_are_everywhere_where_the_usual_ones_were() {
        assert_eq!(manifests(&Names::default()), MANIFESTS);
        let names = Names { namespace: "vendor".into(), lease: "a-lease".into(), progress: "a-map".into() };
        let text = manifests(&names);
        assert!(text.contains("resourceNames: [\"a-lease\"]") && text.contains("resourceNames: [\"a-map\"]"));
        assert!(!text.contains("runner-etcd-join") && !text.contains("\"kube-system\""));
        assert_eq!(text.matches("namespace: \"vendor\"").count(), 7);
        assert_eq!(text.matches("namespace: kube-system").count(), 2, "discovery stays where kubeadm is");
    }
}
