//! Plugins that misbehave, as a real toolchain builds them: each ends as a typed fault, soon, in bounded memory, and the plugins
//! beside it and after it are served.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use runner::cluster::MemberId;
use runner::event::{Event, EventKind, EventSink};
use runner::grants::Grants;
use runner::pipeline::{FailurePolicy, Fault, FaultKind, Policy, Sample, Verdict};
use runner::plugins::{Limits, PluginConfig, PluginSource, Plugins};
use runner::surroundings::Nothing;
use runner::terms::Step;
use runner_harness::facts::{newcomer, view};
use runner_harness::guest;
use serde_json::json;

/// Real time that a misdeed may take, on a machine that is busy with other tests. Each limit below is a tenth of it or less.
const SOON: Duration = Duration::from_secs(30);

/// What the process may grow by: the guest's memory, what it sends at once, and as much again for everything else.
const GROWTH: u64 = 160 << 20;

/// Tests of this file take turns: they look at the memory of the whole process.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[derive(Default)]
struct Seen(Mutex<Vec<EventKind>>);

impl EventSink for Seen {
    fn emit(&self, event: Event) {
        self.0.lock().unwrap().push(event.kind);
    }
}

impl Seen {
    fn log(&self) -> Vec<String> {
        let text = |e: &EventKind| match e {
            EventKind::PluginLog { message, .. } => Some(message.clone()),
            _ => None,
        };
        self.0.lock().unwrap().iter().filter_map(text).collect()
    }
}

fn window() -> Arc<[Sample]> {
    let sample = |i: u64| Sample {
        at: runner::clock::now(),
        leader_index: 1000 + i,
        applied_index: 1000,
        leader: Some(MemberId(1)),
        term: 2,
        reachable: true,
    };
    (0..3).map(sample).collect()
}

/// All that can be granted: none of it is of use to a guest that misbehaves.
fn everything() -> Grants {
    let grants = json!({
        "random": true,
        "http": [{ "hosts": ["127.0.0.1"], "methods": ["GET", "POST"], "plain": true, "privateNetworks": ["0.0.0.0/0"] }],
        "kubernetes": [{ "apiVersion": "v1", "kind": "Secret", "namespaces": ["*"] }],
        "probes": { "fsync": ["/"], "diskSpace": ["/"], "memory": true, "members": true, "certificates": ["/"] },
        "etcd": { "status": true, "prefixes": ["/"] },
        "secrets": { "token": { "env": "CARGO_PKG_NAME" } },
    });
    serde_json::from_value(grants).unwrap()
}

/// The hostile guest, set to one misdeed, within tight limits.
fn hostile(when: &str, misdeed: &str) -> PluginConfig {
    let limits = Limits {
        cpu: Duration::from_millis(500),
        wall: Duration::from_secs(3),
        memory: 64 << 20,
        bytes: 4 << 20,
        ..Limits::default()
    };
    let settings = json!({ "when": when, "misdeed": misdeed });
    let source = PluginSource { path: guest("hostile"), name: None };
    PluginConfig { settings, limits, grants: everything(), ..PluginConfig::new(source) }
}

fn good() -> PluginConfig {
    PluginConfig { name: "good".into(), ..hostile("never", "nothing") }
}

/// One question of each role to both plugins; what came of it for the one that misbehaves in this role.
async fn ask(plugins: &Plugins, role: &str) -> (Fault, FailurePolicy) {
    let mut answers: Vec<(String, Option<Fault>, FailurePolicy)> = match role {
        "check" => {
            let answers = plugins.check(&view(), &newcomer()).await;
            answers.into_iter().map(|a| (a.plugin, a.result.err(), a.failure_policy)).collect()
        }
        "evaluate" => {
            let answers = plugins.evaluate(&view(), MemberId(3), &window()).await;
            answers.into_iter().map(|a| (a.plugin, a.result.err(), a.failure_policy)).collect()
        }
        _ => {
            let answers = plugins.notify(&[Event::now(EventKind::StepStarted { step: Step::Sync })]).await;
            answers.into_iter().map(|a| (a.plugin, a.result.err(), a.failure_policy)).collect()
        }
    };
    let (name, fault, _) = answers.pop().expect("an answer of the good plugin");
    assert_eq!((name.as_str(), fault), ("good", None));
    let (name, fault, policy) = answers.pop().expect("an answer of the hostile plugin");
    assert_eq!(name, "hostile");
    (fault.unwrap_or_else(|| panic!("the misdeed in {role} passed")), policy)
}

/// The most memory that this process ever had resident, in bytes.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).expect("VmHWM in /proc/self/status");
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[tokio::test]
async fn every_misdeed_ends_as_its_own_fault_and_the_others_are_served() {
    use FaultKind::*;
    let _turn = TURN.lock().await;
    let cache = tempfile::tempdir().unwrap();
    let cache: PathBuf = cache.path().join("compiled");
    let cases = [
        ("check", "loop", Cpu, "used more than its 500ms of processor time"),
        ("check", "memory", Memory, "of memory and may have 64 MiB"),
        ("check", "recursion", Trap, "its call stack is exhausted"),
        ("check", "panic", Trap, "it reached `unreachable`"),
        ("check", "endless-log-flood", Bytes, "moved more than its 4 MiB"),
        ("check", "huge-log", Bytes, "moved more than its 4 MiB"),
        ("check", "not-utf8", Trap, "utf-8"),
        ("check", "error", Error, "I give up"),
        ("check", "many-findings", Bytes, "returned more than 256 findings"),
        ("check", "huge-finding", Bytes, "moved more than its 4 MiB"),
        ("check", "hoard", Handles, "kept more than its 10000 handles"),
        ("evaluate", "loop", Cpu, "used more than its 500ms of processor time"),
        ("evaluate", "no-such-sample", Trap, "asked for sample 3 of 3"),
        ("notify", "loop", Cpu, "used more than its 500ms of processor time"),
        ("notify", "memory", Memory, "of memory and may have 64 MiB"),
        ("notify", "panic", Trap, "it reached `unreachable`"),
    ];
    for (role, misdeed, kind, message) in cases {
        let (started, before) = (Instant::now(), peak_memory());
        let mut config = hostile(role, misdeed);
        if misdeed == "endless-log-flood" {
            // The flood is to be ended by its bytes, however slow the machine is.
            config.limits.cpu = SOON;
            config.limits.wall = SOON;
        }
        let plugins = Plugins::load(vec![config, good()], Some(cache.clone()), Arc::new(Nothing), Arc::new(Seen::default()));
        plugins.ready().await.unwrap();
        // Twice: what the first call did must not be felt by the second.
        for _ in 0..2 {
            let (fault, policy) = ask(&plugins, role).await;
            assert_eq!(fault.kind, kind, "{role} {misdeed}: {}", fault.message);
            assert!(fault.message.contains(message), "{role} {misdeed}: {}", fault.message);
            let expected = if role == "notify" { FailurePolicy::Ignore } else { FailurePolicy::Fail };
            assert_eq!(policy, expected, "{role} {misdeed}");
        }
        // Only in that role: in the others it is a good plugin.
        if role != "evaluate" {
            let verdicts = plugins.evaluate(&view(), MemberId(3), &window()).await;
            assert!(verdicts.iter().all(|a| a.result == Ok(Verdict::Approve)), "{role} {misdeed}: {verdicts:?}");
        }
        let (took, grown) = (started.elapsed(), peak_memory().saturating_sub(before));
        assert!(took < SOON, "{role} {misdeed} took {took:?}");
        assert!(grown < GROWTH, "{role} {misdeed}: the process grew by {} MiB", grown >> 20);
    }
}

#[tokio::test]
async fn a_misdeed_while_it_checks_its_settings_refuses_the_plugin() {
    let _turn = TURN.lock().await;
    let cases = [
        ("panic", "plugin `hostile` could not check its settings: it trapped: it reached `unreachable`"),
        ("loop", "plugin `hostile` could not check its settings: it used more than its 500ms of processor time"),
        ("memory", "plugin `hostile` could not check its settings: it wanted"),
        ("huge-log", "plugin `hostile` could not check its settings: it moved more than its 4 MiB"),
        (
            "problems",
            "plugin `hostile` refuses its settings: `window.min`: is not what it should be; is not what it should be",
        ),
    ];
    for (misdeed, message) in cases {
        let started = Instant::now();
        let configs = vec![hostile("validate", misdeed), good()];
        let error = Plugins::load(configs, None, Arc::new(Nothing), Arc::new(Seen::default())).ready().await.unwrap_err();
        assert!(error.message.starts_with(message), "{}", error.message);
        assert!(started.elapsed() < SOON, "{misdeed} took {:?}", started.elapsed());
    }
    let config = hostile("validate", "panic-with-a-word");
    let error = Plugins::load(vec![config], None, Arc::new(Nothing), Arc::new(Seen::default())).ready().await.unwrap_err();
    assert_eq!(error.hints, ["it said: about to panic"]);
}

#[tokio::test]
async fn a_log_flood_is_cut_and_said_and_the_answer_counts() {
    let _turn = TURN.lock().await;
    let seen = Arc::new(Seen::default());
    let mut config = hostile("check", "log-flood");
    (config.limits.cpu, config.limits.wall) = (SOON, SOON);
    let plugins = Plugins::load(vec![config], None, Arc::new(Nothing), seen.clone());
    let answer = plugins.check(&view(), &newcomer()).await.remove(0);
    assert_eq!(answer.result, Ok(Vec::new()));
    assert!(answer.usage.host_calls > 20_000 && answer.usage.bytes_out > 100_000, "{:?}", answer.usage);
    let log = seen.log();
    assert_eq!(log.len(), 201);
    assert_eq!(log[200], "19800 more lines of this call are not shown: over the plugin's log budget");
}

#[tokio::test]
async fn what_a_guest_says_cannot_play_with_the_terminal() {
    let _turn = TURN.lock().await;
    let seen = Arc::new(Seen::default());
    let plugins = Plugins::load(vec![hostile("evaluate", "escape-log")], None, Arc::new(Nothing), seen.clone());
    plugins.evaluate(&view(), MemberId(3), &window()).await.remove(0).result.unwrap();
    assert_eq!(seen.log(), ["one", "runner: approved"]);

    let plugins = Plugins::load(vec![hostile("check", "escapes")], None, Arc::new(Nothing), seen.clone());
    let findings = plugins.check(&view(), &newcomer()).await.remove(0).result.unwrap();
    assert_eq!(findings[0].message, "all is well ✔ promoted");

    let plugins = Plugins::load(vec![hostile("check", "error")], None, Arc::new(Nothing), seen);
    let fault = plugins.check(&view(), &newcomer()).await.remove(0).result.unwrap_err();
    assert_eq!(fault.message, "I give up");
}

#[tokio::test]
async fn a_panic_is_shown_with_what_was_said_before_it() {
    let _turn = TURN.lock().await;
    let plugins =
        Plugins::load(vec![hostile("evaluate", "panic-with-a-word")], None, Arc::new(Nothing), Arc::new(Seen::default()));
    let fault = plugins.evaluate(&view(), MemberId(3), &window()).await.remove(0).result.unwrap_err();
    assert_eq!((fault.kind, fault.log), (FaultKind::Trap, vec!["about to panic".to_owned()]));
}

#[tokio::test]
async fn a_candidate_that_was_not_observed_is_not_approved() {
    let _turn = TURN.lock().await;
    let plugins = Plugins::load(vec![good()], None, Arc::new(Nothing), Arc::new(Seen::default()));
    let fault = plugins.evaluate(&view(), MemberId(99), &window()).await.remove(0).result.unwrap_err();
    assert_eq!(fault.message, "the candidate 63 is not in the observed member list");
}

/// Questions that weigh nothing, granted or refused, are kept for the record: so there is an end to them.
#[tokio::test]
async fn questions_without_end_are_ended_in_bounded_memory() {
    let _turn = TURN.lock().await;
    let mut refusing = everything();
    refusing.probes.as_mut().expect("granted").memory = false;
    for grants in [everything(), refusing] {
        let before = peak_memory();
        let settings = json!({ "ask": ["flood"] });
        let limits = Limits { cpu: SOON, wall: SOON, ..Limits::default() };
        let source = PluginSource { path: guest("asker"), name: None };
        let config = PluginConfig { settings, limits, grants, ..PluginConfig::new(source) };
        let plugins = Plugins::load(vec![config], None, Arc::new(Nothing), Arc::new(Seen::default()));
        let answers = plugins.notify(&[Event::now(EventKind::StepStarted { step: Step::Sync })]).await;
        let fault = answers.into_iter().next().expect("one answer").result.unwrap_err();
        assert_eq!((fault.kind, fault.message.as_str()), (FaultKind::Bytes, "asked more than 10000 questions"));
        let grown = peak_memory().saturating_sub(before);
        assert!(grown < GROWTH / 4, "the process grew by {} MiB", grown >> 20);
    }
}
