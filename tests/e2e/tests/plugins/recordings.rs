//! What the plugins of a run are asked is recorded, and comes out the same when they are asked again.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use runner::event::{Event, EventKind, EventSink};
use runner::grants::Grants;
use runner::pipeline::Policy;
use runner::plugins::{PluginConfig, PluginSource, Plugins, Specimen};
use runner::recording::{self, FileRecorder, Recording};
use runner::surroundings::{Ask, HttpResponse, Refused, Reply, Space, Surroundings};
use runner::terms::Step;
use runner_harness::{Finished, Node, Scratch, Spawned, Tls, compiled_cache, compiled_plugins, guest, newest};
use serde_json::{Value, json};

/// A join may take this long on a machine that is busy with other tests, and a Python guest may have to be compiled first.
const SOON: Duration = Duration::from_secs(300);

const SECRET: &str = "https://hooks.example/s/T0k3n-9f8e7d6c";

async fn done(command: Command) -> Finished {
    Spawned::start(command).finish(SOON).await.expect_code(0)
}

/// A second member that joins, judged by these plugins.
async fn join(scratch: &Scratch, plugins: &[PathBuf]) -> Node {
    let first = Node::plan(scratch, "n1", &newest(), Tls::On);
    let endpoint = done(first.init()).await.stdout.trim().to_owned();
    let node = Node::plan(scratch, "n2", &first.binary, Tls::On).with_ca_of(&first.pki_dir);
    let mut command = node.join(&[endpoint]);
    for plugin in plugins {
        command.arg("--plugins").arg(plugin);
    }
    done(command).await;
    node
}

async fn replay(node: &Node, args: &[&str]) -> Finished {
    // The subcommand's name has a space in it, so that its options come after.
    let mut command = Command::new(runner_harness::runner_bin());
    command.env("RUNNER_CACHE_DIR", compiled_cache());
    command.args(["plugin", "replay", "--output", "json", "--state-dir"]).arg(&node.state_dir).args(args);
    Spawned::start(command).finish(SOON).await
}

fn json(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).unwrap_or_else(|e| panic!("{e}: {}\n{}", finished.stdout, finished.stderr))
}

fn recording_of(node: &Node) -> PathBuf {
    let files = fs::read_dir(node.state_dir.join(&node.name)).expect("the state folder").flatten().map(|e| e.path());
    let is = |p: &PathBuf| p.extension().is_some_and(|e| e == "jsonl");
    files.into_iter().find(is).expect("the run is recorded")
}

#[tokio::test]
async fn a_real_join_comes_out_the_same() {
    let scratch = Scratch::new();
    let names = ["version-window", "steady-sync", "run-summary", "js-caught-up", "python-health-check-plugin"];
    // One that imports WASI: its clock and randomness come from the recording, too.
    let plugins: Vec<PathBuf> = names.iter().chain(&["rust-wasip2-health-check-plugin"]).map(|name| guest(name)).collect();
    let node = join(&scratch, &plugins).await;
    let mode = fs::metadata(recording_of(&node)).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let same = replay(&node, &["n2"]).await.expect_code(0);
    let report = json(&same);
    assert_eq!(report["missing"], json!([]));
    let asked = report["plugins"].as_array().expect("plugins");
    assert_eq!(asked.len(), plugins.len(), "{report:#}");
    for plugin in asked {
        assert!(plugin["calls"].as_u64() > Some(0) && plugin["differences"] == json!([]), "{report:#}");
    }
    let list = json(&replay(&node, &[]).await.expect_code(0));
    assert_eq!((list[0]["member"].as_str(), &list[0]["run"]), (Some("n2"), &report["run"]));
    // What it was asked becomes tests.
    let scenarios = scratch.join("scenarios");
    let written = ["n2", "--scenarios", scenarios.to_str().expect("a path that is text")];
    replay(&node, &written).await.expect_code(0);
    for name in names {
        let mut command = Command::new(runner_harness::runner_bin());
        command.env("RUNNER_CACHE_DIR", compiled_cache());
        command.args(["plugin", "test"]).arg(guest(name)).arg(scenarios.join(format!("{name}.yaml")));
        Spawned::start(command).finish(SOON).await.expect_code(0);
    }
    // The same by the beginning of its id.
    let id = report["run"].as_str().expect("an id");
    replay(&node, &[&id[..8]]).await.expect_code(0);
    let unknown = replay(&node, &["nobody"]).await.expect_code(2);
    assert!(unknown.stderr.contains("there is no recorded run nobody"), "{}", unknown.stderr);
}

#[tokio::test]
async fn a_changed_component_is_seen() {
    let scratch = Scratch::new();
    let component = scratch.join("steady-sync.wasm");
    fs::copy(guest("steady-sync"), &component).expect("it can be copied");
    let node = join(&scratch, std::slice::from_ref(&component)).await;
    // A custom section of two bytes: the same code under another digest.
    let mut bytes = fs::read(&component).expect("it is there");
    bytes.extend([0, 2, 1, b'x']);
    fs::write(&component, bytes).expect("it can be written");

    let refused = replay(&node, &["n2"]).await.expect_code(2);
    assert!(refused.stderr.contains("steady-sync is another component now"), "{}", refused.stderr);
    assert!(refused.stderr.contains("--plugin steady-sync=FILE"), "{}", refused.stderr);

    let tried = format!("steady-sync={}", component.display());
    let report = json(&replay(&node, &["n2", "--plugin", &tried]).await.expect_code(0));
    assert_ne!(report["plugins"][0]["digest"], report["plugins"][0]["recordedDigest"]);
    // Another plugin altogether: it has not even the role.
    let other = format!("steady-sync={}", guest("version-window").display());
    let report = json(&replay(&node, &["n2", "--plugin", &other]).await.expect_code(3));
    assert!(report["plugins"][0]["differences"].as_array().is_some_and(|d| !d.is_empty()), "{report:#}");
    let stray = replay(&node, &["n2", "--plugin", "steady=x.wasm"]).await.expect_code(2);
    assert!(stray.stderr.contains("the run had no plugin steady"), "{}", stray.stderr);
}

/// A world with a secret in it, and a server that says it again.
struct World;

#[async_trait]
impl Surroundings for World {
    async fn answer(&self, _plugin: &str, _grants: &Grants, ask: &Ask) -> Result<Reply, Refused> {
        match ask {
            Ask::Random { len } => Ok(Reply::Bytes(vec![7; *len as usize])),
            Ask::Memory => Ok(Reply::Space(Space { total: 8 << 30, available: 1 << 30 })),
            Ask::Secret { .. } => Ok(Reply::Secret(SECRET.to_owned())),
            Ask::Http(request) => {
                let body = format!("you asked {} for {}", request.url, String::from_utf8_lossy(&request.body));
                Ok(Reply::Http(HttpResponse { status: 200, headers: Vec::new(), body: body.into_bytes() }))
            }
            _ => Err(Refused::new("unavailable", "not in this world")),
        }
    }
}

#[derive(Default)]
struct Seen(Mutex<Vec<String>>);

impl EventSink for Seen {
    fn emit(&self, event: Event) {
        self.0.lock().unwrap().push(serde_json::to_string(&event).unwrap());
    }
}

fn asker(ask: Value) -> PluginConfig {
    let grants = json!({
        "random": true,
        "probes": { "memory": true },
        "secrets": { "hook": { "env": "NOT_READ_HERE" } },
        "http": [{ "hosts": ["hooks.example"], "methods": ["POST"] }],
    });
    PluginConfig {
        settings: ask,
        grants: serde_json::from_value(grants).expect("grants"),
        ..PluginConfig::new(PluginSource { path: guest("asker"), name: None })
    }
}

/// Tells an event to the asker guest, and reads what was recorded of it.
async fn record(folder: &Path, settings: Value) -> (Recording, String) {
    let file = folder.join("decisions.jsonl");
    let recorder = Arc::new(FileRecorder::start(&file, "a-run").expect("it can be written"));
    let seen = Arc::new(Seen::default());
    let (configs, cache) = (vec![asker(settings)], compiled_plugins());
    let plugins = Plugins::load_recorded(configs, cache, Arc::new(World), seen.clone(), Some(recorder.clone()));
    plugins.ready().await.expect("it can be loaded");
    plugins.notify(&[Event::now(EventKind::StepStarted { step: Step::Sync })]).await;
    assert_eq!(recorder.finish(SOON), None);
    let said = seen.0.lock().unwrap().join("\n");
    (recording::read(&file).expect("it can be read"), said + &fs::read_to_string(&file).expect("it is text"))
}

#[tokio::test]
async fn a_secret_is_not_in_the_recording_and_its_call_comes_out_the_same_without_it() {
    let scratch = Scratch::new();
    let asks = json!({ "ask": ["random", "memory", "secret", "http"], "fail": true });
    let (recording, written) = record(scratch.path(), asks).await;
    for part in [SECRET, "T0k3n", "9f8e7d6c"] {
        assert!(!written.contains(part), "{part} is in\n{written}");
    }
    assert!(written.contains("[secret hook]"), "{written}");

    let specimen = Specimen::load(&guest("asker"), None, None).expect("a component");
    assert_eq!(recording.calls.len(), 2, "its settings, and the notification");
    assert_eq!(recording.calls[1].asked.len(), 4);
    for call in &recording.calls {
        let again = recording::replay(&specimen, call).await.expect("it can be asked");
        assert_eq!(again.differences, Vec::<String>::new());
    }
}

#[tokio::test]
async fn what_does_not_follow_from_the_recording_is_discovered() {
    let scratch = Scratch::new();
    let (mut recording, _) = record(scratch.path(), json!({ "ask": ["random"], "fail": true })).await;
    let specimen = Specimen::load(&guest("asker"), None, None).expect("a component");
    let call = recording.calls.last_mut().expect("a call");
    // As if the number had come from somewhere else than from runner.
    call.asked.clear();
    let again = recording::replay(&specimen, call).await.expect("it can be asked");
    assert!(again.differences[0].starts_with("asks now, and not in the run: "), "{:?}", again.differences);
    assert!(again.differences[1].starts_with("in the run: "), "{:?}", again.differences);
}
