//! Which documents a file may have.

use std::path::Path;

use super::*;

#[test]
fn none_or_too_many() {
    says!("", @"");
    says!("hello\n", @"");
    says!("kind: JoinConfiguration\n", @"");
    says!("apiVersion: kubeadm.k8s.io/v1beta4\n", @"");
    says!("apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n", @"");
    says!(format!("{}---\n{}", init(""), init("")), @"");
    says!(format!("{}---\n{}", cluster(""), cluster3("")), @"");
    says!(format!("{}---\n{}", init(""), join("")), @"");
}

#[test]
fn unknown_ones() {
    says!(document("v1beta4", "InitConfig", ""), @"");
    says!(document("v1beta4", "Deployment", ""), @"");
    says!(document("v1beta3", "ResetConfiguration", ""), @"");
    says!(document("v1beta5", "InitConfiguration", ""), @"");
    says!(document("v1beta2", "ClusterConfiguration", ""), @"");
    says!(document("v1beta1", "JoinConfiguration", ""), @"");
    says!("apiVersion: v1\nkind: ConfigMap\n", @"");
    says!("apiVersion: kubeadm.io/v1beta4\nkind: JoinConfiguration\n", @"");
    says!("apiVersion: kubeadm.k8s.io\nkind: JoinConfiguration\n", @"");
}

#[test]
fn a_worker_and_a_dry_run() {
    let node = |text: String| read(text).unwrap().node.unwrap();
    let file = Path::new("kubeadm.yaml");
    let worker = node(join("nodeRegistration: {name: w-1}\n")).is_a_worker(file).unwrap();
    insta::assert_snapshot!(shown(&worker, &worker.hints), @"");
    let dry = node(join("dryRun: true\n")).asks_for_a_dry_run(file).unwrap();
    insta::assert_snapshot!(shown(&dry, &dry.hints), @"");
}
