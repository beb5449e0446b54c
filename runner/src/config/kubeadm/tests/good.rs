//! Documents that are right.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;
use crate::config::kubeadm::{NodeKind, San};

pub(super) const V1BETA4: &str = include_str!("full-v1beta4.yaml");
pub(super) const V1BETA3: &str = include_str!("full-v1beta3.yaml");

fn notices(documents: &Documents) -> String {
    documents.notices.iter().map(|notice| shown(notice, &notice.hints)).collect::<Vec<_>>().join("\n")
}

#[test]
fn everything_that_v1beta4_can_say() {
    let documents = read(V1BETA4).unwrap();
    let node = documents.node.as_ref().unwrap();
    assert_eq!((node.kind, node.control_plane), (NodeKind::Join, true));
    assert_eq!(node.name.as_deref(), Some("cp-2.example.org"));
    assert_eq!((node.advertise_address, node.bind_port), ("fd00::2".parse().ok(), Some(8443)));
    assert_eq!(node.taints.as_ref().unwrap(), &["node-role.kubernetes.io/control-plane:NoSchedule", "team=a:NoExecute"]);
    assert_eq!((node.control_plane_health, node.etcd_api_call), (secs(360), secs(300)));
    assert_eq!((node.kubernetes_api_call, node.discovery), (secs(90), secs(180)));
    assert_eq!((node.patches.as_deref(), node.dry_run), (Some(Path::new("/etc/kubernetes/patches")), None));
    assert_eq!(node.skip_phases, ["preflight"]);
    assert!(node.is_a_worker(Path::new("f")).is_none() && node.asks_for_a_dry_run(Path::new("f")).is_none());
    let cluster = documents.cluster.as_ref().unwrap();
    assert_eq!(cluster.kubernetes_version.as_ref().unwrap().minor, Some(34));
    assert_eq!(cluster.certificates_dir, Some(PathBuf::from("/srv/pki")));
    assert_eq!(cluster.data_dir, Some(PathBuf::from("/srv/etcd")));
    assert_eq!(cluster.etcd_image(("r", "t")).unwrap(), "registry.example.org/etcd-io/etcd:3.6.5-0");
    let names: Vec<&str> = cluster.extra_args.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["quota-backend-bytes", "log-outputs", "log-outputs"], "in the order of the document");
    assert_eq!(cluster.extra_envs, [("GODEBUG".to_owned(), "netdns=go".to_owned())]);
    let dns = |name: &str| San::Dns(name.to_owned());
    assert_eq!(cluster.server_sans, [dns("etcd.example.org"), San::Ip("10.0.0.100".parse().unwrap())]);
    assert_eq!(cluster.peer_sans, [dns("*.peers.example.org")]);
    assert_eq!(cluster.kubelet_local_mode, Some(false));
    insta::assert_snapshot!(notices(&documents), @"kubeadm.yaml:78:1: this KubeletConfiguration is kubeadm's to use, not runner's");
}

fn secs(secs: u64) -> Option<Duration> {
    Some(Duration::from_secs(secs))
}

#[test]
fn v1beta3_with_arguments_as_a_mapping() {
    let documents = read(V1BETA3).unwrap();
    let node = documents.node.as_ref().unwrap();
    assert_eq!((node.kind, node.name.as_deref(), node.taints.as_deref()), (NodeKind::Init, Some("cp-1"), Some(&[][..])));
    let cluster = documents.cluster.as_ref().unwrap();
    assert_eq!(cluster.control_plane_health, secs(240));
    let arguments: Vec<String> = cluster.extra_args.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(arguments, ["quota-backend-bytes=8589934592", "snapshot-count=20000"], "by name, as kubeadm has them");
    assert_eq!(cluster.etcd_image(("registry.k8s.io", "3.5.24-0")), None);
    insta::assert_snapshot!(notices(&documents), @r#"kubeadm.yaml:5:9: nodeRegistration.name: "CP-1" is taken as cp-1, as kubeadm does"#);
}

#[test]
fn an_image_is_made_of_what_is_there() {
    let image = |keys: &str| read(cluster(keys)).unwrap().cluster.unwrap().etcd_image(("registry.k8s.io", "3.6.5-0"));
    assert_eq!(image("imageRepository: r.example\n").unwrap(), "r.example/etcd:3.6.5-0");
    assert_eq!(image("etcd: {local: {imageTag: 3.5.9-0}}\n").unwrap(), "registry.k8s.io/etcd:3.5.9-0");
    assert_eq!(image("imageRepository: a\netcd: {local: {imageRepository: b/}}\n").unwrap(), "b/etcd:3.6.5-0");
}

#[test]
fn what_is_empty_is_not_given() {
    let text = join("nodeRegistration: {name: ''}\ncontrolPlane: {localAPIEndpoint: {advertiseAddress: '', bindPort: 0}}\n");
    let node = read(text).unwrap().node.unwrap();
    assert_eq!((node.name, node.advertise_address, node.bind_port, node.control_plane), (None, None, None, true));
    let nulls = read(init("nodeRegistration:\nlocalAPIEndpoint:\ntimeouts:\n")).unwrap().node.unwrap();
    assert!(nulls.control_plane && nulls.name.is_none());
}

#[test]
fn the_learner_gate_by_version() {
    let told = |version: &str| {
        let text = cluster(&format!("kubernetesVersion: {version}\nfeatureGates: {{EtcdLearnerMode: true}}\n"));
        notices(&read(text).unwrap())
    };
    assert_eq!((told("v1.27.0"), told("v1.32.9"), told("stable-1")), (String::new(), String::new(), String::new()));
    insta::assert_snapshot!(told("v1.33.0"), @r"
    kubeadm.yaml:4:16: featureGates.EtcdLearnerMode: the gate EtcdLearnerMode is gone since Kubernetes 1.33 and kubeadm 1.33 refuses it; runner joins as a learner anyway
    hint: take it out of the file
    ");
    insta::assert_snapshot!(told("v1.26.0"), @r"
    kubeadm.yaml:4:16: featureGates.EtcdLearnerMode: Kubernetes 1.26 does not know EtcdLearnerMode, which came with 1.27; runner joins as a learner anyway
    hint: take it out of the file
    ");
}

#[test]
fn documents_of_others_are_named() {
    let others = [
        "---\napiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n",
        "---\napiVersion: kubeadm.k8s.io/v1beta4\nkind: ResetConfiguration\nforce: true\n",
        "---\napiVersion: kubeadm.k8s.io/v1beta4\nkind: UpgradeConfiguration\n",
        "---\napiVersion: runner.dev/v1alpha1\nkind: JoinPolicy\n",
    ];
    let documents = read(init("") + &others.concat()).unwrap();
    insta::assert_snapshot!(notices(&documents), @r"
    kubeadm.yaml:4:1: this KubeProxyConfiguration is kubeadm's to use, not runner's
    kubeadm.yaml:7:1: this ResetConfiguration is for other commands of kubeadm; runner does not use it
    kubeadm.yaml:11:1: this UpgradeConfiguration is for other commands of kubeadm; runner does not use it
    kubeadm.yaml:14:1: this JoinPolicy is not read from here: give the file with --policy, too
    ");
}

#[test]
fn the_cluster_s_own_document_may_be_newer_than_this_runner() {
    let name = "ConfigMap kube-system/kubeadm-config";
    let text = cluster("newThing: {a: b}\netcd:\n  local: {dataDir: /srv/etcd, newer: 1}\nkubernetesVersion: v1.36.0\n");
    let (cluster, notices) = ClusterDocument::from_text(name, &text).unwrap();
    assert_eq!(cluster.data_dir, Some(PathBuf::from("/srv/etcd")));
    let told: Vec<&str> = notices.iter().map(|notice| notice.text.as_str()).collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    ConfigMap kube-system/kubeadm-config:3:1: newThing: there is no key `newThing` here
    ConfigMap kube-system/kubeadm-config:5:31: etcd.local.newer: there is no key `newer` here
    ");
    let wrong = ClusterDocument::from_text(name, &text.replace("/srv/etcd", "etcd")).unwrap_err();
    insta::assert_snapshot!(wrong, @r#"ConfigMap kube-system/kubeadm-config:5:20: etcd.local.dataDir: "etcd" is not an absolute path"#);
    insta::assert_snapshot!(ClusterDocument::from_text(name, &init("")).unwrap_err(), @"ConfigMap kube-system/kubeadm-config: holds no ClusterConfiguration");
}
