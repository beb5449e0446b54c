//! Go plugins, as `runner plugin build` makes them of stock Go: its collector, goroutines, clock and ways to die, in the host that
//! everything else runs in. The guest is `tests/guests/go/stress`; `plugins/examples/go-caught-up` is the worked example.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use runner::Problem;
use runner::authoring::{Language, Project, build, create};
use runner::cluster::MemberId;
use runner::event::{Event, EventKind, EventSink};
use runner::grants::Grants;
use runner::pipeline::{Answer, Fault, FaultKind, Finding, Newcomer, Policy, Sample, Verdict};
use runner::plugins::{Limits, PluginConfig, PluginSource, Plugins, Role, inspect_cached};
use runner::surroundings::Live;
use runner::terms::Step;
use runner_harness::facts::view_of;
use runner_harness::{compiled_plugins, guest};
use serde_json::{Value, json};

/// Longer than any of this takes on a machine that is busy with other tests.
const LONG: Duration = Duration::from_secs(300);

#[derive(Default)]
struct Seen(Mutex<Vec<(&'static str, String)>>);

impl EventSink for Seen {
    fn emit(&self, event: Event) {
        if let EventKind::PluginLog { level, message, .. } = event.kind {
            self.0.lock().unwrap().push((level.name(), message));
        }
    }
}

fn newcomer() -> Newcomer {
    Newcomer { name: "node-3".into(), peer_urls: Vec::new(), client_urls: Vec::new(), version: None }
}

fn window(lags: &[u64]) -> Arc<[Sample]> {
    let sample = |lag: &u64| Sample {
        at: runner::clock::now(),
        leader_index: 1000 + lag,
        applied_index: 1000,
        leader: Some(MemberId(1)),
        term: 2,
        reachable: true,
    };
    lags.iter().map(sample).collect()
}

fn limits() -> Limits {
    Limits { cpu: LONG, wall: LONG, bytes: 1 << 30, memory: 512 << 20, ..Limits::default() }
}

fn load(name: &str, settings: Value, grants: Value, limits: Limits) -> (Plugins, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    let grants: Grants = serde_json::from_value(grants).unwrap();
    let source = PluginSource { path: guest(name), name: Some(name.into()) };
    let config = PluginConfig { settings, limits, grants, ..PluginConfig::new(source) };
    (Plugins::load(vec![config], compiled_plugins(), Arc::new(Live::default()), seen.clone()), seen)
}

fn stress(settings: Value, limits: Limits) -> (Plugins, Arc<Seen>) {
    load("go-stress", settings, json!({ "random": true }), limits)
}

async fn check(plugins: &Plugins, members: u64) -> Answer<Vec<Finding>> {
    plugins.check(&view_of(members), &newcomer()).await.remove(0)
}

/// What the stress guest says in a mode: its one finding.
async fn said(settings: Value, members: u64) -> (String, Arc<Seen>) {
    let (plugins, seen) = stress(settings, limits());
    let findings = check(&plugins, members).await.result.unwrap();
    assert_eq!((findings.len(), findings[0].code.as_str()), (1, "done"));
    (findings[0].message.clone(), seen)
}

/// How it dies in a mode, and what it said.
async fn fault(mode: &str, limits: Limits) -> (Fault, Vec<String>) {
    let (plugins, seen) = stress(json!({ "mode": mode }), limits);
    plugins.ready().await.unwrap();
    let fault = check(&plugins, 3).await.result.unwrap_err();
    let said = seen.0.lock().unwrap().iter().map(|(_, line)| line.clone()).collect();
    // The next call is served all the same.
    let events = [Event::now(EventKind::StepStarted { step: Step::Sync })];
    let told = plugins.notify(&events).await.remove(0).result.unwrap_err();
    assert_eq!(told.message, "1 events, 40 letters");
    (fault, said)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_imports_the_contract_and_nothing_else() {
    for (name, imports) in [
        ("go-stress", &["facts", "logging", "clock", "settings", "random"] as &[&str]),
        ("go-caught-up", &["facts", "logging", "settings"]),
    ] {
        let described = inspect_cached(guest(name), compiled_plugins().as_deref()).unwrap();
        let mut found = described.imports;
        found.sort();
        let mut expected: Vec<String> = imports.iter().map(|import| format!("runner:plugin/{import}@0.1.1")).collect();
        expected.sort();
        assert_eq!((found, described.wasi, described.checks_settings), (expected, false, true), "{name}");
        let roles = if name == "go-stress" { 3 } else { 1 };
        assert_eq!(described.roles.len(), roles, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_collector_and_the_host_share_its_memory() {
    let (said, _) = said(json!({ "mode": "collector", "rounds": 300 }), 100).await;
    assert_eq!(said, "100 members");
}

#[tokio::test(flavor = "multi_thread")]
async fn goroutines_call_the_host_each() {
    let few = said(json!({ "mode": "goroutines", "goroutines": 8, "rounds": 30 }), 20).await.0;
    let many = said(json!({ "mode": "goroutines", "goroutines": 200, "rounds": 2 }), 5).await.0;
    assert_eq!((few.as_str(), many.as_str()), ("8 goroutines", "200 goroutines"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_handed_to_it_stays_whole() {
    let (plugins, _) = stress(json!({ "rounds": 50 }), limits());
    // From nothing to a MiB in one call.
    for count in [0_usize, 1, 100, 10_000] {
        let events: Vec<Event> =
            (0..count).map(|_| Event::now(EventKind::StepStarted { step: Step::StartMember })).collect();
        let told = plugins.notify(&events).await.remove(0).result.unwrap_err();
        assert_eq!((told.kind, told.message), (FaultKind::Error, format!("{count} events, {} letters", 50 * 12 * count)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_fresh_instances() {
    let (plugins, _) = stress(json!({ "mode": "left behind", "rounds": 3 }), limits());
    for round in 0..250 {
        let found = check(&plugins, 5).await.result.unwrap_or_else(|fault| panic!("round {round}: {fault:?}"));
        assert_eq!(found[0].message, "gone");
        let verdict = plugins.evaluate(&view_of(5), MemberId(3), &window(&[3, 4])).await.remove(0).result.unwrap();
        assert_eq!(verdict, Verdict::Wait { reason: "node-3: 21 in 2".into(), retry_after: None });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn time_is_virtual_and_sleeping_takes_none() {
    let started = Instant::now();
    let (said, _) = said(json!({ "mode": "sleep" }), 3).await;
    assert_eq!(said, "1h1m0s");
    assert!(started.elapsed() < Duration::from_secs(600), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_nothing_outside() {
    assert_eq!(said(json!({ "mode": "denied" }), 3).await.0, "nothing");
    assert_eq!(said(json!({ "mode": "libraries" }), 3).await.0, "oo");
}

#[tokio::test(flavor = "multi_thread")]
async fn random_bytes_are_the_hosts() {
    let (first, second) = (said(json!({ "mode": "random" }), 3).await.0, said(json!({ "mode": "random" }), 3).await.0);
    assert!(first != second && first != "0000 0000", "{first}, {second}");
    let (plugins, _) = load("go-stress", json!({}), json!({}), limits());
    let refused = plugins.ready().await.unwrap_err();
    assert!(refused.message.contains("random"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_prints_is_logged_line_by_line() {
    let (_, seen) = said(json!({ "mode": "print" }), 3).await;
    let lines = seen.0.lock().unwrap().clone();
    let lines: Vec<(&str, &str)> = lines.iter().map(|(level, line)| (*level, line.as_str())).collect();
    for expected in [("info", "hello world"), ("info", "one line"), ("warn", "not text: ??( € 😀"), ("warn", "slog n=1")]
    {
        assert!(lines.contains(&expected), "{expected:?} is not in {lines:?}");
    }
    let long: Vec<_> = lines.iter().filter(|(_, line)| line.starts_with("xxx")).collect();
    assert_eq!(long.len(), 2, "{long:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_die_is_told() {
    let (error, _) = fault("error", limits()).await;
    assert_eq!((error.kind, error.message.as_str()), (FaultKind::Error, "I give up"));

    let (panic, _) = fault("panic", limits()).await;
    assert_eq!((panic.kind, panic.message.as_str()), (FaultKind::Error, "panic: assignment to entry in nil map"));

    let cases = [("panic in a goroutine", "panic: far away"), ("deadlock", "all goroutines are asleep - deadlock!")];
    for (mode, word) in cases {
        let (fault, said) = fault(mode, limits()).await;
        assert_eq!(fault.kind, FaultKind::Trap, "{mode}: {fault:?}");
        assert!(said.iter().any(|line| line.contains(word)), "{mode}: {said:?}");
    }
    assert_eq!(fault("exit", limits()).await.0.kind, FaultKind::Trap);
    assert_eq!(fault("deep", limits()).await.0.kind, FaultKind::Trap);

    let (cpu, _) = fault("loop", Limits { cpu: Duration::from_secs(1), ..limits() }).await;
    assert_eq!((cpu.kind, cpu.message.as_str()), (FaultKind::Cpu, "used more than its 1s of processor time"));

    let (memory, said) = fault("memory", Limits { memory: 64 << 20, ..limits() }).await;
    assert_eq!(memory.kind, FaultKind::Memory, "{memory:?}");
    assert!(said.iter().any(|line| line.contains("out of memory")), "{said:?}");
}

/// The worked example in a folder of its own, with its project file changed.
fn changed(from: &str, to: &str) -> (tempfile::TempDir, Result<(), Problem>) {
    let (here, example) =
        (tempfile::tempdir().unwrap(), Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/examples/go-caught-up"));
    for file in ["go.mod", "main.go", "runner-plugin.toml"] {
        let text = std::fs::read_to_string(example.join(file)).unwrap();
        std::fs::write(here.path().join(file), text.replace(from, to)).unwrap();
    }
    let project = Project::load(here.path()).unwrap();
    let built = build(&project, &project.component(), true, compiled_plugins().as_deref(), &|_| {});
    (here, built.map(drop))
}

#[test]
fn a_new_project_of_every_role_builds_and_its_own_tests_pass() {
    let here = tempfile::tempdir().unwrap();
    let project = Project {
        dir: here.path().join("many"),
        name: "many".to_owned(),
        language: Language::Go,
        roles: Role::ALL.to_vec(),
        capabilities: Vec::new(),
    };
    create(&project).unwrap();
    // Before anything was built: editors and `go test` have the SDK from the start.
    for arguments in [["vet", "./..."], ["test", "./..."]] {
        let output = Command::new("go").args(arguments).current_dir(&project.dir).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let built = build(&project, &project.component(), true, compiled_plugins().as_deref(), &|_| {}).unwrap();
    assert_eq!((built.description.roles.len(), built.description.wasi), (3, false));
}

#[test]
fn code_and_project_file_must_agree() {
    let refusal = |from: &str, to: &str| changed(from, to).1.unwrap_err().message;
    assert_eq!(
        refusal("roles = [\"promotion\"]", "roles = [\"promotion\", \"notifier\"]"),
        "runner-plugin.toml names the role notifier, and nothing in the code calls plugin.Notifier"
    );
    assert_eq!(
        refusal("roles = [\"promotion\"]", "roles = [\"notifier\"]"),
        "the code calls plugin.Promotion, and runner-plugin.toml does not name the role promotion"
    );
    assert_eq!(
        refusal("\"runner.dev/plugin\"", "\"runner.dev/plugin\"\n\t_ \"runner.dev/plugin/random\""),
        "the code uses runner.dev/plugin/random, and runner-plugin.toml does not name the capability random"
    );
    let broken = refusal("func main() {}", "func main() { nothing }");
    assert!(broken.starts_with("go failed (") && broken.contains("undefined: nothing"), "{broken}");

    // A go.mod that says nothing of the SDK gets its line, and the build goes on.
    let (here, built) = changed("require runner.dev/plugin v0.0.0\n\nreplace runner.dev/plugin => ./.runner/sdk-go\n", "");
    built.unwrap();
    let module = std::fs::read_to_string(here.path().join("go.mod")).unwrap();
    assert!(module.contains("replace runner.dev/plugin => ./.runner/sdk-go"), "{module}");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_refused_before_anything_happens() {
    for (settings, message) in [
        (json!({ "maxLag": -1 }), "`maxLag`: -1 is below 0"),
        (json!({ "samples": 1 }), "`samples`: 1 is not in 2 to 100"),
        (json!({ "maxlag": 1 }), "`maxlag`: unknown setting, expected one of maxLag, samples"),
    ] {
        let (plugins, _) = load("go-caught-up", settings, json!({}), Limits::default());
        let refused = plugins.ready().await.unwrap_err();
        assert!(refused.message.contains(message), "{}", refused.message);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_worked_example_judges_within_the_default_limits() {
    let (plugins, _) = load("go-caught-up", json!({ "maxLag": 10, "samples": 3 }), json!({}), Limits::default());
    let wait = |reason: &str| Verdict::Wait { reason: reason.into(), retry_after: Some(Duration::from_millis(500)) };
    for (lags, verdict) in [
        (vec![900, 0, 10, 3], Verdict::Approve),
        (vec![0, 0], wait("2 of 3 samples")),
        (vec![0, 70, 0, 0, 11, 0], wait("11 entries behind, at most 10 allowed")),
    ] {
        let judged = plugins.evaluate(&view_of(3), MemberId(3), &window(&lags)).await.remove(0);
        assert_eq!(judged.result, Ok(verdict), "{lags:?}");
    }
    let mut elections = window(&[0, 0, 0, 0]).to_vec();
    elections[3].term += 6;
    let judged = plugins.evaluate(&view_of(3), MemberId(3), &elections.into()).await.remove(0);
    assert_eq!(judged.result, Ok(Verdict::Reject { reason: "elections all the time: 6 terms".into() }));
}
