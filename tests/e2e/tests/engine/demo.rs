//! `runner demo` from end to end: it plays to its end, tells the truth, and leaves nothing behind.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use runner_harness::{Finished, Scratch, Spawned, eventually, guest, newest, runner_bin};
use rustix::process::Signal;

/// Three joins and 20 MB, on a machine that is busy with other tests.
const LIMIT: Duration = Duration::from_secs(240);

fn demo(temp: &Scratch, more: &[&str]) -> Spawned {
    let mut command = Command::new(runner_bin());
    command.args(["demo", "--megabytes", "20", "--etcd"]).arg(newest().path).args(more).arg("--plugins");
    command.args(["version-window", "steady-sync", "run-summary"].map(guest));
    // Its folder is made in the test's, so that nothing outlives a test that fails. The variables of a cluster that it must not
    // touch are there to be ignored.
    command
        .env("TMPDIR", temp.path())
        .env("ETCDCTL_ENDPOINTS", "https://192.0.2.1:2379")
        .env("RUNNER_STATE_DIR", "/nowhere");
    Spawned::start(command)
}

/// Asserts that no process names the folder, and that nothing is in it.
fn expect_nothing_left(temp: &Scratch, finished: &Finished) {
    let left = processes_naming(temp.path());
    assert!(left.is_empty(), "{left:?}\n{}", finished.stderr);
    let entries: Vec<_> = fs::read_dir(temp.path()).unwrap().map(|e| e.unwrap().path()).collect();
    assert!(entries.is_empty(), "{entries:?}\n{}", finished.stderr);
}

fn processes_naming(folder: &Path) -> Vec<String> {
    let lines = fs::read_dir("/proc").unwrap().flatten().filter_map(|e| fs::read(e.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines.filter(|line| line.contains(folder.to_str().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_join_one_is_refused_and_nothing_is_left() {
    let temp = Scratch::new();
    let finished = demo(&temp, &[]).finish(LIMIT).await.expect_code(0);
    let said = &finished.stdout;
    assert!(said.contains(" writes, 0 failed, longest pause "), "{said}");
    assert!(said.contains("cp-2: joined in ") && said.contains("cp-3: joined in "), "{said}");
    assert!(said.contains("cp-4: refused by steady-sync, rolled back in "), "{said}");
    assert!(finished.stderr.contains("3 voters, 3 healthy, quorum 2"), "{}", finished.stderr);
    expect_nothing_left(&temp, &finished);
}

#[tokio::test(flavor = "multi_thread")]
async fn for_machines_every_line_is_an_event() {
    let temp = Scratch::new();
    let finished = demo(&temp, &["--output", "json"]).finish(LIMIT).await.expect_code(0);
    let events: Vec<serde_json::Value> =
        finished.stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect();
    let outcomes: Vec<_> = events.iter().filter(|e| e["kind"] == "run-finished").map(|e| e["outcome"].clone()).collect();
    assert_eq!(outcomes, ["joined", "joined", "plugin-refused"]);
    let last = events.last().unwrap();
    assert_eq!((&last["kind"], &last["ok"]), (&"demo-finished".into(), &true.into()));
    assert_eq!((&last["writes"]["failed"], &last["joins"][2]["refusedBy"]), (&0.into(), &"steady-sync".into()));
    assert_eq!((last["before"].as_array().unwrap().len(), last["after"].as_array().unwrap().len()), (1, 3));
    expect_nothing_left(&temp, &finished);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_in_the_middle_of_a_join_leaves_nothing() {
    let temp = Scratch::new();
    let demo = demo(&temp, &[]);
    // The second member's etcd is up: it is being joined.
    eventually("a join", LIMIT, async || {
        let etcds = processes_naming(temp.path()).iter().filter(|line| line.contains("--initial-cluster-state")).count();
        if etcds >= 2 { Ok(()) } else { Err("not yet") }
    })
    .await;
    demo.signal(Signal::INT);
    let finished = demo.finish(LIMIT).await.expect_code(130);
    expect_nothing_left(&temp, &finished);
}
