//! A node that was reset in the middle of its join: manifest, data and certificates are gone, as `kubeadm reset` takes them away, and the
//! learner is left.

use runner_harness::{Family, SOON, Spawned, eventually, in_a_network_of_its_own, newest, processes_of};

use super::site::{Site, done};

#[tokio::test]
async fn what_is_unfinished_is_said_and_closed_without_the_certificates() {
    if !in_a_network_of_its_own() {
        return;
    }
    let mut site = Site::start(Family::V4, &newest()).await;
    let joiner = site.machine();
    let mut command = site.join(joiner);
    command.args(["--stability", "10m"]);
    let mut joining = Spawned::start(command);
    joining.event("step-started", "sync", SOON).await;
    joining.kill();
    let machine = &site.machines[joiner];
    std::fs::remove_file(machine.kubelet.manifests.join("etcd.yaml")).expect("its manifest");
    let ended = async || processes_of(&machine.node.data_dir).is_empty().then_some(()).ok_or("it runs");
    eventually("the kubelet to end it", SOON, ended).await;
    std::fs::remove_dir_all(&machine.node.data_dir).expect("it is the test's");
    let aside = machine.node.pki_dir.with_extension("aside");
    std::fs::rename(&machine.node.pki_dir, &aside).expect("it is the test's");

    let on_its_host = |subcommand: &str| done(machine.host.command(&machine.node.command(subcommand)));
    let resumed = on_its_host("resume").await.expect_code(2);
    assert!(resumed.stderr.contains("`runner rollback` closes the run"), "{}", resumed.stderr);
    let closed = on_its_host("rollback").await.expect_code(17);
    assert!(closed.stderr.contains("the run is closed"), "{}", closed.stderr);
    let again = on_its_host("rollback").await.expect_code(2);
    assert!(again.stderr.contains("is unfinished") && again.stderr.contains("no run in"), "{}", again.stderr);

    // Nothing was touched that cannot be seen from here; whoever does what was said has a tidy cluster.
    assert!(site.list().await.contains(&(machine.node.peer_url(), true)), "{:?}", site.list().await);
    let (_, rest) = closed.stderr.split_once("etcdctl member remove ").expect("a remedy");
    let id: String = rest.chars().take_while(char::is_ascii_hexdigit).collect();
    site.client().await.member_remove(u64::from_str_radix(&id, 16).expect("an id")).await.expect("a learner can go");
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
        let ended = done(machine.host.command(&machine.node.command(subcommand))).await.expect_code(2);
        assert!(ended.stderr.contains("bring the file back"), "{}", ended.stderr);
        assert!(
            ended.stderr.contains("if it is gone for good, and not only out of reach from here: etcdctl member remove"),
            "{}",
            ended.stderr
        );
    }
    std::fs::rename(&aside, &machine.node.pki_dir).expect("it is the test's");
    done(machine.host.command(&machine.node.command("resume"))).await.expect_code(0);
    site.assert_joined(joiner).await;
}
