//! Where etcd is, as kubeadm finds it: by an annotation of etcd's static pods.
//!
//! kubeadm's `getRawEtcdEndpointsFromPodAnnotation` (cmd/kubeadm/app/util/etcd/etcd.go) fails unless every pod has the annotation.
//! Here a pod without it is said and left out: one member that answers is enough to know all of them.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Pod;

use super::names::KUBE_SYSTEM;
use super::{Api, ApiError};
use crate::text::one_line;

/// The labels of etcd's static pods.
const SELECTOR: &str = "component=etcd,tier=control-plane";

/// kubeadm's constants.EtcdAdvertiseClientUrlsAnnotationKey.
pub const ADVERTISE_CLIENT_URLS: &str = "kubeadm.kubernetes.io/etcd.advertise-client-urls";

/// The most of a pod's text that is shown.
const SHOWN: usize = 200;

/// What etcd's pods say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EtcdPods {
    /// The client URLs of all nodes but the one that asks, each once, in the order of the pods' names. Learners and members that
    /// have not started may be among them: whoever connects finds out and passes them over ([`View`](crate::cluster::View)).
    pub endpoints: Vec<String>,
    /// The images that they run, each once: what a new member on this cluster would run, too.
    pub images: Vec<String>,
    /// Pods that cannot be used, a sentence each.
    pub passed_over: Vec<String>,
    /// How many pods there are, that of the asking node included.
    pub pods: usize,
}

/// Asks the API for etcd's pods. The pod of `node` itself is left out: it is the one that is to join.
pub async fn discover(api: &Api, node: &str) -> Result<EtcdPods, ApiError> {
    let pods: Vec<Pod> = api.list(Some(KUBE_SYSTEM), SELECTOR).await?;
    Ok(read(pods, node))
}

fn read(mut pods: Vec<Pod>, node: &str) -> EtcdPods {
    pods.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    let mut found = EtcdPods { pods: pods.len(), ..EtcdPods::default() };
    let (mut seen, mut images) = (BTreeSet::new(), BTreeSet::new());
    for pod in &pods {
        let name = one_line(pod.metadata.name.as_deref().unwrap_or("without a name"), SHOWN);
        let spec = pod.spec.as_ref();
        let containers = spec.map_or(&[][..], |spec| &spec.containers).iter();
        for image in containers.filter(|c| c.name == "etcd").filter_map(|c| c.image.as_ref()) {
            if images.insert(image.clone()) {
                found.images.push(image.clone());
            }
        }
        // A static pod's name ends with its node's.
        let on_node = spec.and_then(|spec| spec.node_name.as_deref()) == Some(node) || name == format!("etcd-{node}");
        if on_node {
            continue;
        }
        let annotations = pod.metadata.annotations.as_ref();
        let Some(urls) = annotations.and_then(|a| a.get(ADVERTISE_CLIENT_URLS)) else {
            found.passed_over.push(format!("the pod {name} has no annotation {ADVERTISE_CLIENT_URLS}"));
            continue;
        };
        for url in urls.split(',').map(str::trim) {
            match checked(url) {
                Ok(url) if seen.insert(url.clone()) => found.endpoints.push(url),
                Ok(_) => {}
                Err(why) => {
                    let shown = one_line(url, SHOWN);
                    found.passed_over.push(format!("the pod {name} advertises {shown:?}, which {why}"));
                }
            }
        }
    }
    found
}

/// The URL without a slash at its end, or why it cannot be a member's.
fn checked(text: &str) -> Result<String, &'static str> {
    let url = url::Url::parse(text).map_err(|_| "is not a URL")?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("is neither http nor https");
    }
    if url.port().is_none() || url.host_str().is_none_or(str::is_empty) {
        return Err("lacks a host or a port");
    }
    if url.path().len() > 1 || url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
        return Err("has more than a host and a port");
    }
    Ok(text.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(node: &str, urls: Option<&str>) -> Pod {
        let annotations = urls.map(|urls| json!({ ADVERTISE_CLIENT_URLS: urls }));
        let image = "registry.k8s.io/etcd:3.6.6-0";
        serde_json::from_value(json!({
            "metadata": { "name": format!("etcd-{node}"), "annotations": annotations },
            "spec": { "nodeName": node, "containers": [{ "name": "etcd", "image": image }] },
        }))
        .unwrap()
    }

    #[test]
    fn endpoints_are_those_of_the_other_nodes() {
        let found = read(
            vec![
                pod("cp-3", Some("https://[fd00::3]:2379")),
                pod("cp-1", Some("https://10.0.0.1:2379/")),
                pod("new", Some("https://10.0.0.9:2379")),
                pod("cp-2", Some("https://10.0.0.2:2379,https://10.0.0.1:2379")),
            ],
            "new",
        );
        assert_eq!(found.endpoints, ["https://10.0.0.1:2379", "https://10.0.0.2:2379", "https://[fd00::3]:2379"]);
        assert_eq!((found.images.len(), found.pods, found.passed_over.len()), (1, 4, 0));
    }

    #[test]
    fn pods_that_cannot_be_used_are_said() {
        let found = read(
            vec![
                pod("a", None),
                pod("b", Some("10.0.0.1:2379")),
                pod("c", Some("https://10.0.0.1")),
                pod("d", Some("unix://x:1")),
                pod("e", Some("https://u@10.0.0.1:2379")),
                pod("f", Some("https://10.0.0.1:2379/\u{1b}[2J")),
                Pod::default(),
            ],
            "new",
        );
        assert_eq!(found.endpoints, Vec::<String>::new());
        insta::assert_snapshot!(found.passed_over.join("\n"), @r#"
        the pod without a name has no annotation kubeadm.kubernetes.io/etcd.advertise-client-urls
        the pod etcd-a has no annotation kubeadm.kubernetes.io/etcd.advertise-client-urls
        the pod etcd-b advertises "10.0.0.1:2379", which is not a URL
        the pod etcd-c advertises "https://10.0.0.1", which lacks a host or a port
        the pod etcd-d advertises "unix://x:1", which is neither http nor https
        the pod etcd-e advertises "https://u@10.0.0.1:2379", which has more than a host and a port
        the pod etcd-f advertises "https://10.0.0.1:2379/", which has more than a host and a port
        "#);
    }
}
