//! Members as units of a stand-in systemd, with real etcd; and the unit itself before the real `systemd-analyze`.

use std::process::Command;

use futures::future::join_all;
use runner_harness::{
    EtcdBinary, Finished, Node, SOON, Scratch, Spawned, Stage, Systemd, Tls, assert_serves, every_minor, newest,
};
use rustix::process::Signal;

fn launching(systemd: &Systemd, mut command: Command) -> Command {
    command.args(["--launcher", "systemd"]).arg("--unit-dir").arg(&systemd.units);
    systemd.serve(&mut command);
    command
}

async fn done(command: Command, code: i32) -> Finished {
    Spawned::start(command).finish(SOON).await.expect_code(code)
}

async fn stage(etcd: &EtcdBinary) -> (Stage, Systemd) {
    let stage = Stage::set(1, etcd, Tls::On).await;
    let systemd = Systemd::under(&stage.cluster.scratch.join("new/systemd"));
    (stage, systemd)
}

async fn assert_baseline(stage: &Stage, systemd: &Systemd) {
    stage.assert_baseline().await;
    assert_eq!(systemd.files(), Vec::<String>::new());
    assert_eq!(systemd.enabled(), Vec::<String>::new());
}

async fn grow_to_three(etcd: &EtcdBinary) {
    let scratch = Scratch::new();
    let first = Node::plan(&scratch, "n1", etcd, Tls::On);
    let systemd = Systemd::under(&scratch.join("n1/systemd"));
    done(launching(&systemd, first.init()), 0).await;
    first.client().await.put("written-before", "by an old member", None).await.expect("it takes writes");
    let mut endpoints = vec![first.client_url()];
    for name in ["n2", "n3"] {
        let node = Node::plan(&scratch, name, etcd, Tls::On).with_ca_of(&first.pki_dir);
        let systemd = Systemd::under(&scratch.join(name).join("systemd"));
        done(launching(&systemd, node.join(&endpoints)), 0).await;
        assert_serves(&node).await;
        assert_eq!(systemd.files(), ["etcd.env", "etcd.service"]);
        assert_eq!(systemd.enabled(), ["etcd.service"]);
        endpoints.push(node.client_url());
    }
}

#[tokio::test]
async fn one_two_three_on_every_minor_over_tls() {
    join_all(every_minor().iter().map(grow_to_three)).await;
}

#[tokio::test]
async fn a_unit_that_fails_is_told_with_its_last_words_and_undone() {
    for etcd in every_minor() {
        let (stage, systemd) = stage(&etcd).await;
        let mut command = launching(&systemd, stage.node.join_for_people(&stage.cluster.endpoints()));
        command.arg("--etcd-arg=--no-such-flag");
        let failed = done(command, 15).await;
        let words = "it does not know one of the flags that it was given (its log: journalctl -u etcd.service)";
        assert!(failed.stderr.contains(words), "etcd {}: {}", etcd.version, failed.stderr);
        assert_baseline(&stage, &systemd).await;
    }
}

async fn interrupted(step: &str) {
    let (stage, systemd) = stage(&newest()).await;
    let mut joining = Spawned::start(launching(&systemd, stage.command()));
    joining.event("step-started", step, SOON).await;
    joining.signal(Signal::INT);
    joining.finish(SOON).await;
    assert_baseline(&stage, &systemd).await;
}

#[tokio::test]
async fn a_join_that_is_interrupted_leaves_nothing() {
    join_all(["add-learner", "start-member", "sync"].map(interrupted)).await;
}

#[tokio::test]
async fn a_unit_that_is_not_ours_is_refused_and_stays() {
    let (stage, systemd) = stage(&newest()).await;
    let join = || launching(&systemd, stage.node.join_for_people(&stage.cluster.endpoints()));
    let theirs = systemd.units.join("etcd.service");
    std::fs::write(&theirs, "[Service]\nExecStart=/bin/true\n").unwrap();
    let refused = Spawned::start(join()).finish(SOON).await;
    assert!(refused.stderr.contains("etcd.service is not written by runner"), "{}", refused.stderr);
    assert_eq!(systemd.files(), ["etcd.service"]);
    stage.assert_baseline().await;
    // Under another name it is none of our business.
    let mut command = join();
    command.args(["--unit-name", "etcd-joined"]);
    done(command, 0).await;
    stage.assert_joined().await;
    assert_eq!(systemd.files(), ["etcd-joined.env", "etcd-joined.service", "etcd.service"]);
}

#[tokio::test]
async fn a_machine_without_systemd_is_told_before_anything_is_changed() {
    let (stage, systemd) = stage(&newest()).await;
    systemd.break_down();
    let refused =
        Spawned::start(launching(&systemd, stage.node.join_for_people(&stage.cluster.endpoints()))).finish(SOON).await;
    assert_ne!(refused.code(), Some(0));
    assert!(refused.stderr.contains("Failed to connect to bus"), "{}", refused.stderr);
    assert!(refused.stderr.contains("is this node run by systemd"), "{}", refused.stderr);
    assert_baseline(&stage, &systemd).await;
}

/// The unit that a join wrote, read by the real thing: every setting is known and every program there.
#[tokio::test]
async fn systemd_takes_the_unit() {
    let (stage, systemd) = stage(&newest()).await;
    done(launching(&systemd, stage.command()), 0).await;
    let unit = systemd.units.join("etcd.service");
    let verified = Command::new("systemd-analyze").args(["verify", "--man=no", "--recursive-errors=no"]).arg(&unit).output();
    let verified =
        verified.unwrap_or_else(|e| panic!("systemd-analyze does not run ({e}): install systemd (apt install systemd)"));
    let said = String::from_utf8_lossy(&verified.stderr);
    // Only what it says about our file: the machine's own units are as they are.
    let ours: Vec<_> = said.lines().filter(|line| line.contains("etcd.service")).collect();
    assert!(verified.status.success() && ours.is_empty(), "{said}");
}
