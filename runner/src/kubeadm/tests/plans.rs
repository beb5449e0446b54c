//! The command lines of each version.

use super::*;

fn documented(minor: u32) -> String {
    let plan = Plan::documented(&makings(minor, "kubeadm", &[]));
    plan.lines.iter().map(|line| shell(&line.words)).collect::<Vec<_>>().join("\n")
}

#[test]
fn three_commands_for_each_version() {
    insta::assert_snapshot!(documented(29), @r"
    kubeadm join --config=join.yaml --skip-phases=check-etcd,control-plane-join
    runner join
    kubeadm join --config=join.yaml --skip-phases=preflight,control-plane-prepare,check-etcd,kubelet-start,control-plane-join/etcd
    ");
    insta::assert_snapshot!(documented(30), @r"
    kubeadm join --config=join.yaml --skip-phases=check-etcd,control-plane-join,wait-control-plane
    runner join
    kubeadm join --config=join.yaml --skip-phases=preflight,control-plane-prepare,check-etcd,kubelet-start,control-plane-join/etcd
    ");
    insta::assert_snapshot!(documented(31), @r"
    kubeadm join --config=join.yaml --skip-phases=check-etcd,etcd-join,kubelet-wait-bootstrap,control-plane-join,wait-control-plane
    runner join
    kubeadm join --config=join.yaml --skip-phases=preflight,control-plane-prepare,check-etcd,kubelet-start,etcd-join,control-plane-join/etcd
    ");
    insta::assert_snapshot!(documented(36), @r"
    kubeadm join --config=join.yaml --skip-phases=check-etcd,etcd-join,kubelet-wait-bootstrap,control-plane-join,wait-control-plane
    runner join
    kubeadm join --config=join.yaml --skip-phases=preflight,control-plane-prepare,check-etcd,kubelet-start,etcd-join
    ");
    for minor in 32..=35 {
        assert_eq!(documented(minor), documented(31), "1.{minor}");
    }
}

#[test]
fn what_is_done_is_not_done_again() {
    let driven = |done: Done, can_check| {
        let plan = Plan::driven(&makings(34, "kubeadm", &[]), &done, can_check);
        plan.lines.iter().map(|line| format!("{:?}: {}", line.part, shell(&line.words))).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(driven(Done::default(), false), @r"
    Prepare: kubeadm join --config=join.yaml --skip-phases=check-etcd,kubelet-start,etcd-join,kubelet-wait-bootstrap,control-plane-join,wait-control-plane
    Check: runner check
    Kubelet: kubeadm join --config=join.yaml --skip-phases=preflight,control-plane-prepare,check-etcd,etcd-join,kubelet-wait-bootstrap,control-plane-join,wait-control-plane
    Member: runner join
    Finish: kubeadm join --config=join.yaml --skip-phases=preflight,control-plane-prepare,check-etcd,kubelet-start,etcd-join,control-plane-join/etcd
    ");
    insta::assert_snapshot!(driven(Done::default(), true), @r"
    Check: runner check
    Prepare: kubeadm join --config=join.yaml --skip-phases=check-etcd,kubelet-start,etcd-join,kubelet-wait-bootstrap,control-plane-join,wait-control-plane
    Kubelet: kubeadm join --config=join.yaml --skip-phases=preflight,control-plane-prepare,check-etcd,etcd-join,kubelet-wait-bootstrap,control-plane-join,wait-control-plane
    Member: runner join
    Finish: kubeadm join --config=join.yaml --skip-phases=preflight,control-plane-prepare,check-etcd,kubelet-start,etcd-join,control-plane-join/etcd
    ");
    insta::assert_snapshot!(driven(Done { begun: true, ..Done::default() }, true), @r"
    Check: runner check
    Prepare: kubeadm join --config=join.yaml --skip-phases=preflight,check-etcd,kubelet-start,etcd-join,kubelet-wait-bootstrap,control-plane-join,wait-control-plane
    Kubelet: kubeadm join --config=join.yaml --skip-phases=preflight,control-plane-prepare,check-etcd,etcd-join,kubelet-wait-bootstrap,control-plane-join,wait-control-plane
    Member: runner join
    Finish: kubeadm join --config=join.yaml --skip-phases=preflight,control-plane-prepare,check-etcd,kubelet-start,etcd-join,control-plane-join/etcd
    ");
    let all = Done { begun: true, prepared: true, kubelet_started: true, seen: Vec::new() };
    insta::assert_snapshot!(driven(all, true), @r"
    Check: runner check
    Member: runner join
    Finish: kubeadm join --config=join.yaml --skip-phases=preflight,control-plane-prepare,check-etcd,kubelet-start,etcd-join,control-plane-join/etcd
    ");
}

#[test]
fn what_the_file_skips_is_skipped_too() {
    let own = ["preflight".to_owned(), "control-plane-join/mark-control-plane".to_owned()];
    let plan = Plan::documented(&makings(34, "kubeadm", &own));
    for line in plan.lines.iter().filter(|line| line.part != Part::Member) {
        let skipped = skipped(line);
        assert!(own.iter().all(|phase| skipped.contains(phase)), "{skipped:?}");
        assert_eq!(skipped.iter().filter(|phase| *phase == "preflight").count(), 1);
    }
}

#[test]
fn the_kubelet_s_local_mode_by_version_and_gate() {
    let local = |minor, gate| Known::minor(minor).unwrap().local_mode(gate);
    for (minor, off, unset, on) in [
        (29, false, false, false),
        (31, false, false, true),
        (32, false, false, true),
        (33, false, true, true),
        (34, false, true, true),
        (35, true, true, true),
        (36, true, true, true),
    ] {
        assert_eq!((local(minor, Some(false)), local(minor, None), local(minor, Some(true))), (off, unset, on), "1.{minor}");
    }
    assert!(Known::minor(28).is_none() && Known::minor(37).is_none());
}

#[test]
fn what_is_done_is_seen_by_files_and_by_the_record() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = Folder { kubernetes: scratch.path().join("kubernetes"), record: scratch.path().join("state/record.json") };
    let make = |file: &str| {
        let path = folder.kubernetes.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    };
    let done = || {
        let done = folder.done();
        (done.begun, done.prepared, done.kubelet_started)
    };
    assert_eq!(done(), (false, false, false));
    make("admin.conf");
    assert_eq!(done(), (true, false, false), "it broke off while it prepared");
    make("manifests/kube-apiserver.yaml");
    assert_eq!(done(), (true, false, false), "nobody wrote down that it came to the end");
    folder.finished(Part::Prepare).unwrap();
    assert_eq!(done(), (true, true, false));
    make("bootstrap-kubelet.conf");
    assert_eq!(done(), (true, true, false));
    folder.finished(Part::Kubelet).unwrap();
    assert_eq!(done(), (true, true, true));
    std::fs::remove_dir_all(&folder.kubernetes).unwrap();
    assert_eq!(done(), (false, false, false), "after `kubeadm reset` everything begins anew, whatever was written down");
    for file in ["admin.conf", "manifests/kube-apiserver.yaml", "kubelet.conf"] {
        make(file);
    }
    folder.forget();
    assert_eq!(done(), (true, true, true), "the node is registered");
    std::fs::write(&folder.record, "no record").unwrap();
    assert_eq!(done(), (true, true, true));
}
