//! A node that was reset in the middle of its join: manifest, data and certificates are gone, as `kubeadm reset` takes them away, and the
//! learner is left.

use runner::cluster::remedy::{Only, Remedy};
use runner_harness::{Family, SOON, Spawned, in_a_network_of_its_own, newest};

use super::site::{Site, done};

#[tokio::test]
async fn what_is_unfinished_is_said_and_closed_without_the_certificates() {
    if !in_a_network_of_its_own() {
        return;
    }
    let mut site = Site::start(Family::V4, &newest()).await;
    let joiner = site.machine();
    site.joining_at(joiner, "sync").await.kill();
    let machine = &site.machines[joiner];
    std::fs::remove_file(machine.kubelet.manifests.join("etcd.yaml")).expect("its manifest");
    site.etcd_ended(joiner).await;
    std::fs::remove_dir_all(&machine.node.data_dir).expect("it is the test's");
    let aside = machine.node.pki_dir.with_extension("aside");
    std::fs::rename(&machine.node.pki_dir, &aside).expect("it is the test's");

    let resumed = site.on(joiner, "resume").await.expect_code(2);
    assert!(resumed.stderr.contains("`runner rollback` closes the run"), "{}", resumed.stderr);
    let closed = site.on(joiner, "rollback").await.expect_code(17);
    assert!(closed.stderr.contains("the run is closed"), "{}", closed.stderr);
    let again = site.on(joiner, "rollback").await.expect_code(2);
    assert!(again.stderr.contains("is unfinished") && again.stderr.contains("no run in"), "{}", again.stderr);

    // Nothing was touched that cannot be seen from here; whoever does what was said has a tidy cluster.
    assert!(site.list().await.contains(&(machine.node.peer_url(), true)), "{:?}", site.list().await);
    let remedies = Remedy::read(&closed.stderr);
    let [Remedy::RemoveMember { id, only: Only::Learner }] = remedies.as_slice() else { panic!("{remedies:?}") };
    site.client().await.member_remove(id.0).await.expect("a learner can go");
    std::fs::rename(&aside, &machine.node.pki_dir).expect("it is the test's");
    site.tidy_for_the_absent();
    done(site.join(joiner)).await.expect_code(0);
    site.assert_joined(joiner).await;
}

/// A member that votes is nobody's to close, and nobody is told to remove it at once.
#[tokio::test]
async fn a_run_whose_member_votes_is_not_closed() {
    if !in_a_network_of_its_own() {
        return;
    }
    let mut site = Site::start(Family::V4, &newest()).await;
    let joiner = site.machine();
    let mut joining = Spawned::start(site.join(joiner));
    joining.event("step-started", "verify", SOON).await;
    joining.kill();
    let machine = &site.machines[joiner];
    let aside = machine.node.pki_dir.with_extension("aside");
    std::fs::rename(&machine.node.pki_dir, &aside).expect("it is the test's");
    for subcommand in ["resume", "rollback"] {
        let ended = site.on(joiner, subcommand).await.expect_code(2);
        assert!(ended.stderr.contains("bring the file back"), "{}", ended.stderr);
        assert!(
            ended.stderr.contains("if it is gone for good, and not only out of reach from here: etcdctl member remove"),
            "{}",
            ended.stderr
        );
    }
    std::fs::rename(&aside, &machine.node.pki_dir).expect("it is the test's");
    site.on(joiner, "resume").await.expect_code(0);
    site.assert_joined(joiner).await;
}
