//! Which documents a file may have.

use std::path::Path;

use super::*;

#[test]
fn none_or_too_many() {
    says!("", @r"
    kubeadm.yaml: holds nothing
    hint: kubeadm's documents begin with `apiVersion: kubeadm.k8s.io/v1beta4` and, for example, `kind: JoinConfiguration`
    ");
    says!("hello\n", @r"
    kubeadm.yaml:1:1: this document is not a mapping
    hint: kubeadm's documents begin with `apiVersion: kubeadm.k8s.io/v1beta4` and, for example, `kind: JoinConfiguration`
    ");
    says!("kind: JoinConfiguration\n", @r"
    kubeadm.yaml:1:1: this document has no `apiVersion`
    hint: kubeadm's documents begin with `apiVersion: kubeadm.k8s.io/v1beta4` and, for example, `kind: JoinConfiguration`
    ");
    says!("apiVersion: kubeadm.k8s.io/v1beta4\n", @r"
    kubeadm.yaml:1:1: this document has no `kind`
    hint: kubeadm's documents begin with `apiVersion: kubeadm.k8s.io/v1beta4` and, for example, `kind: JoinConfiguration`
    ");
    says!("apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n", @r"
    kubeadm.yaml: has no document about a node or its cluster in it, only KubeletConfiguration
    hint: kubeadm's documents begin with `apiVersion: kubeadm.k8s.io/v1beta4` and, for example, `kind: JoinConfiguration`
    ");
    says!(format!("{}---\n{}", init(""), init("")), @r"
    kubeadm.yaml:4:1: a second InitConfiguration; the first begins in line 1
    hint: one file holds one document of a kind
    ");
    says!(format!("{}---\n{}", cluster(""), cluster3("")), @r"
    kubeadm.yaml:4:1: a second ClusterConfiguration; the first begins in line 1
    hint: one file holds one document of a kind
    ");
    says!(format!("{}---\n{}", init(""), join("")), @r"
    kubeadm.yaml:4:1: a JoinConfiguration beside the InitConfiguration of line 1
    hint: a node begins a cluster or joins one: keep the one that is meant
    ");
}

#[test]
fn unknown_ones() {
    says!(document("v1beta4", "InitConfig", ""), @r"
    kubeadm.yaml:2:7: `kubeadm.k8s.io/v1beta4` has no kind `InitConfig`
    hint: did you mean `InitConfiguration`?
    ");
    says!(document("v1beta4", "Deployment", ""), @r"
    kubeadm.yaml:2:7: `kubeadm.k8s.io/v1beta4` has no kind `Deployment`
    hint: there are InitConfiguration, JoinConfiguration, ClusterConfiguration, ResetConfiguration, UpgradeConfiguration
    ");
    says!(document("v1beta3", "ResetConfiguration", ""), @r"
    kubeadm.yaml:2:7: `kubeadm.k8s.io/v1beta3` has no kind `ResetConfiguration`
    hint: did you mean `ResetConfiguration`?
    ");
    says!(document("v1beta5", "InitConfiguration", ""), @r"
    kubeadm.yaml:1:13: this runner does not know `kubeadm.k8s.io/v1beta5`
    hint: it knows `kubeadm.k8s.io/v1beta3` and `kubeadm.k8s.io/v1beta4`
    ");
    says!(document("v1beta2", "ClusterConfiguration", ""), @r"
    kubeadm.yaml:1:13: `kubeadm.k8s.io/v1beta2` is too old for runner and for every kubeadm that it works with
    hint: kubeadm 1.22 renews it: `kubeadm config migrate --old-config FILE --new-config NEW`
    ");
    says!(document("v1beta1", "JoinConfiguration", ""), @r"
    kubeadm.yaml:1:13: `kubeadm.k8s.io/v1beta1` is too old for runner and for every kubeadm that it works with
    hint: kubeadm 1.15 renews it: `kubeadm config migrate --old-config FILE --new-config NEW`
    ");
    says!("apiVersion: v1\nkind: ConfigMap\n", @r"
    kubeadm.yaml:1:13: runner does not know the kind `ConfigMap` of `v1`
    hint: take it out of the file
    ");
    says!("apiVersion: kubeadm.io/v1beta4\nkind: JoinConfiguration\n", @r"
    kubeadm.yaml:1:13: runner does not know the kind `JoinConfiguration` of `kubeadm.io/v1beta4`
    hint: did you mean `kubeadm.k8s.io/v1beta4`?
    ");
    says!("apiVersion: kubeadm.k8s.io\nkind: JoinConfiguration\n", @r"
    kubeadm.yaml:1:13: runner does not know the kind `JoinConfiguration` of `kubeadm.k8s.io`
    hint: did you mean `kubeadm.k8s.io/v1beta4`?
    ");
}

#[test]
fn a_worker_and_a_dry_run() {
    let node = |text: String| read(text).unwrap().node.unwrap();
    let file = Path::new("kubeadm.yaml");
    let worker = node(join("nodeRegistration: {name: w-1}\n")).is_a_worker(file).unwrap();
    insta::assert_snapshot!(shown(&worker, &worker.hints), @r"
    kubeadm.yaml:1:1: this JoinConfiguration has no section `controlPlane`, so it is a worker's, and a worker has no etcd member
    hint: add `controlPlane: {localAPIEndpoint: {advertiseAddress: …}}` with this node's address
    ");
    let dry = node(join("dryRun: true\n")).asks_for_a_dry_run(file).unwrap();
    insta::assert_snapshot!(shown(&dry, &dry.hints), @r"
    kubeadm.yaml:3:1: dryRun: the document asks for a dry run, and a join that only pretends cannot be made of parts that do not
    hint: `runner check` says whether a join would be accepted; take `dryRun` away for a join
    ");
}
