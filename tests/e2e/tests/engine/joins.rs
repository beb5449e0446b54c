//! The main job with the real binary: `runner init`, then `runner join` until the cluster has three voters, on every etcd at
//! hand, over TLS and without; with the reference plugins, and with plugins in other languages.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use futures::future::join_all;
use runner_harness::{
    EtcdBinary, Finished, Load, Node, Scratch, Spawned, Tls, etcd_versions, every_minor, guest, newest, trust_no_ca,
};
use serde_json::Value;

/// A join may take this long on a machine that is busy with other tests.
const SOON: Duration = Duration::from_secs(120);

/// The journal of a join without incidents.
/// After the promotion the list is noted as it is then: `runner start` asks those members.
const STRAIGHT: [&str; 8] =
    ["begun", "add-intended", "added", "start-intended", "promote-intended", "promoted", "seen", "finished"];

const STEPS: [&str; 9] =
    ["discover", "check", "lock", "add-learner", "start-member", "sync", "promote", "verify", "announce"];

async fn done(command: Command) -> Finished {
    Spawned::start(command).finish(SOON).await.expect_code(0)
}

fn with_plugins(mut command: Command, plugins: &[PathBuf]) -> Command {
    for plugin in plugins {
        command.arg("--plugins").arg(plugin);
    }
    command
}

fn references() -> Vec<PathBuf> {
    ["version-window", "steady-sync", "run-summary"].map(guest).to_vec()
}

/// `runner init`; says the endpoint that it printed.
async fn init(scratch: &Scratch, etcd: &EtcdBinary, tls: Tls) -> (Node, String) {
    let node = Node::plan(scratch, "n1", etcd, tls);
    let made = done(node.init()).await;
    assert_eq!(made.stdout, format!("{}\n", node.client_url()), "stdout is data");
    if tls == Tls::Off {
        assert!(made.stderr.contains("warning: --insecure: no TLS"), "{}", made.stderr);
    }
    let endpoint = made.stdout.trim().to_owned();
    (node, endpoint)
}

fn joiner(scratch: &Scratch, name: &str, first: &Node) -> Node {
    let node = Node::plan(scratch, name, &first.binary, first.tls);
    if first.tls == Tls::On { node.with_ca_of(&first.pki_dir) } else { node }
}

async fn status(node: &Node, endpoint: &str) -> Value {
    serde_json::from_str(&done(node.status(&[endpoint.to_owned()])).await.stdout).expect("status prints JSON")
}

/// What a join without incidents leaves behind: events, journal, run record.
fn assert_straight(node: &Node, joined: &Finished) {
    let finished: Vec<_> =
        joined.events_of("step-finished").iter().map(|e| e["step"].as_str().unwrap().to_owned()).collect();
    assert_eq!(finished, STEPS, "{}", joined.stderr);
    let end = joined.events().pop().expect("events");
    assert_eq!((&end["kind"], &end["outcome"], &end["exitStatus"]), (&"run-finished".into(), &"joined".into(), &0.into()));
    // etcd before 3.5.30 refuses an add until the last voter has been there for 5 s: the intent is noted at each try.
    let mut journal = node.journal();
    journal.dedup();
    assert_eq!(journal, STRAIGHT);
    let records = node.records();
    assert_eq!(records.len(), 1, "one run, one record");
    assert_eq!(records[0]["outcome"], "joined");
    assert_eq!(records[0]["memberId"], joined.events_of("member-added")[0]["id"]);
    assert_eq!(records[0]["steps"].as_array().map(Vec::len), Some(STEPS.len()));
}

fn verdicts<'a>(events: &'a [Value], plugin: &str) -> Vec<&'a str> {
    let of = |e: &&Value| e["kind"] == "plugin-verdict" && e["plugin"] == plugin;
    events.iter().filter(of).filter_map(|e| e["verdict"].as_str()).collect()
}

/// 1→2→3 with a client that writes all the time.
async fn grow_to_three(etcd: &EtcdBinary, tls: Tls) {
    let scratch = Scratch::new();
    let (first, endpoint) = init(&scratch, etcd, tls).await;
    let mut client = first.client().await;
    client.put("written-before", "by the first", None).await.expect("it takes writes");
    let load = Load::start(client);
    let mut endpoints = vec![endpoint];
    for name in ["n2", "n3"] {
        let node = joiner(&scratch, name, &first);
        let joined = done(with_plugins(node.join(&endpoints), &references())).await;
        assert_straight(&node, &joined);
        let events = joined.events();
        assert_eq!(verdicts(&events, "version-window"), ["pass"]);
        assert_eq!(verdicts(&events, "steady-sync").last(), Some(&"approve"));
        assert_eq!(verdicts(&events, "run-summary"), ["told"]);
        let summary = joined.events_of("plugin-log").iter().any(|e| {
            e["plugin"] == "run-summary"
                && e["message"].as_str().is_some_and(|m| m.starts_with(&format!("join of {name}: joined")))
        });
        assert!(summary, "{}", joined.stdout);

        let answer = node.client().await.get("written-before", None).await.expect("the new voter serves reads");
        assert_eq!(answer.kvs()[0].value(), b"by the first", "etcd {}", etcd.version);
        endpoints.push(node.client_url());
    }
    load.stop().await.expect_no_failure();

    let seen = status(&first, &endpoints[2]).await;
    assert_eq!((&seen["voters"], &seen["healthyVoters"]), (&3.into(), &3.into()), "{seen:#}");
    assert_eq!((&seen["quorum"], &seen["faultTolerance"]), (&2.into(), &1.into()));
    assert_eq!(seen["unfinishedRuns"], Value::Array(Vec::new()));
    let members = seen["members"].as_array().expect("members");
    let names: HashSet<_> = members.iter().filter_map(|m| m["name"].as_str()).collect();
    assert_eq!(names, HashSet::from(["n1", "n2", "n3"]));
    for member in members {
        assert_eq!((&member["learner"], &member["healthy"]), (&false.into(), &true.into()), "{member:#}");
        assert_eq!(member["version"], etcd.version.as_str());
        let url = member["peerUrls"][0].as_str().expect("a peer URL");
        assert!(url.starts_with(&format!("{}://127.0.0.1:", tls.scheme())), "{url}");
    }
    if tls == Tls::Off {
        assert!(!first.pki_dir.exists(), "no certificates without TLS");
    }
}

/// All versions at hand, side by side: most of their time is etcd's own waiting.
async fn every_version(tls: Tls) {
    join_all(etcd_versions().iter().map(|etcd| grow_to_three(etcd, tls))).await;
}

#[tokio::test]
async fn one_two_three_on_every_version_over_tls() {
    every_version(Tls::On).await;
}

#[tokio::test]
async fn one_two_three_on_every_version_without_tls() {
    every_version(Tls::Off).await;
}

/// Minimal systems trust no CA at all; the cluster's own is given.
#[tokio::test]
async fn a_node_that_trusts_no_ca() {
    for tls in [Tls::On, Tls::Off] {
        let scratch = Scratch::new();
        let (first, endpoint) = init(&scratch, &newest(), tls).await;
        let node = joiner(&scratch, "n2", &first);
        let mut join = node.join(&[endpoint]);
        trust_no_ca(&mut join);
        let joined = done(join).await;
        assert_straight(&node, &joined);
        assert!(!joined.stderr.contains("certificate"), "{}", joined.stderr);
    }
}

/// An etcd that ends once, with the last words that it has where the cluster has not agreed on its version yet. It has what that one
/// leaves behind: a start that finds no member at the peer URLs goes as far, and leaves an empty database.
fn too_early(scratch: &Scratch, etcd: &EtcdBinary) -> EtcdBinary {
    let (real, before) = (etcd.path.display(), scratch.join("was-too-early").display().to_string());
    let script = format!(
        r#"#!/bin/sh
case " $* " in *" --initial-cluster="*) [ -e {before} ] || early=1 ;; esac
[ -n "$early" ] || exec {real} "$@"
: > {before}
for argument; do
  shift
  case $argument in --initial-cluster=*) argument=$(echo "$argument" | sed 's/n1=\([a-z]*\):[^,]*/n1=\1:\/\/127.0.0.1:1/') ;; esac
  set -- "$@" "$argument"
done
{real} "$@" > /dev/null 2>&1
echo '{{"level":"warn","msg":"failed to parse cluster version of remote member","error":"not_decided is not in dotted-tri format"}}' >&2
echo '{{"level":"fatal","msg":"discovery failed","error":"incompatible with current running cluster"}}' >&2
exit 1
"#
    );
    let path = scratch.write("too-early/etcd", script);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    EtcdBinary { path, version: etcd.version.clone() }
}

/// Who joins right after the first member was started is in time.
#[tokio::test]
async fn a_cluster_that_has_just_begun() {
    for etcd in every_minor() {
        let scratch = Scratch::new();
        let (first, endpoint) = init(&scratch, &etcd, Tls::On).await;
        let mut node = joiner(&scratch, "n2", &first);
        node.binary = too_early(&scratch, &etcd);
        let joined = done(node.join(&[endpoint])).await;
        assert!(scratch.join("was-too-early").exists(), "{}", joined.stdout);
        assert_straight(&node, &joined);
    }
}

/// A second member judged by these plugins, each of which must have been asked in its role.
async fn judged_by(plugins: &[(&str, &str)]) {
    let scratch = Scratch::new();
    let (first, endpoint) = init(&scratch, &newest(), Tls::On).await;
    let node = joiner(&scratch, "n2", &first);
    let files: Vec<_> = plugins.iter().map(|(name, _)| guest(name)).collect();
    let joined = done(with_plugins(node.join(&[endpoint]), &files)).await;
    assert_straight(&node, &joined);
    let events = joined.events();
    for (name, verdict) in plugins {
        assert_eq!(verdicts(&events, name).last(), Some(verdict), "{name}\n{}", joined.stdout);
    }
}

#[tokio::test]
async fn plugins_in_javascript() {
    judged_by(&[("js-health-check-plugin", "pass"), ("js-caught-up", "approve"), ("js-notifier-plugin", "told")]).await;
}

#[tokio::test]
async fn plugins_in_python() {
    judged_by(&[
        ("python-health-check-plugin", "pass"),
        ("python-caught-up", "approve"),
        ("python-notifier-plugin", "told"),
    ])
    .await;
}

#[tokio::test]
async fn plugins_that_import_wasi_out_of_habit() {
    let scratch = Scratch::new();
    let (first, endpoint) = init(&scratch, &newest(), Tls::On).await;
    let node = joiner(&scratch, "n2", &first);
    let files = ["python-wasi-health-check-plugin", "rust-wasip2-health-check-plugin"].map(guest);
    let joined = done(with_plugins(node.join(&[endpoint]), &files)).await;
    assert_straight(&node, &joined);
    let events = joined.events();
    let saw = |code: &str| {
        let finding = events.iter().find(|e| e["kind"] == "finding" && e["code"] == code);
        finding.unwrap_or_else(|| panic!("no {code}\n{}", joined.stdout))["message"].as_str().unwrap().to_owned()
    };
    assert!(saw("python-files").starts_with("no files"), "{}", saw("python-files"));
    assert!(saw("wasi-files").starts_with("no file"), "{}", saw("wasi-files"));
    assert!(saw("wasi-network").starts_with("no network"), "{}", saw("wasi-network"));
    assert_eq!(saw("python-environment"), "0 environment variables");
    assert_eq!(saw("wasi-environment"), "0 environment variables");
    let printed = joined.events_of("plugin-log").iter().any(|e| {
        e["plugin"] == "python-wasi-health-check-plugin"
            && e["message"].as_str().is_some_and(|m| m.contains("looking at 1 members"))
    });
    assert!(printed, "what it prints is in its log: {}", joined.stdout);
}
