//! The reference plugins as components in the real host: what they import, their scenarios, and how they judge the real world.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use runner::Problem;
use runner::cluster::View;
use runner::cluster::etcd::EtcdCluster;
use runner::event::{Event, EventKind, EventSink};
use runner::pipeline::{Finding, Newcomer, Policy, Severity, Verdict};
use runner::plugins::{PluginConfig, PluginSource, Plugins, Role, Specimen, inspect_cached};
use runner::scenario;
use runner::surroundings::{Live, Nothing, Site, Surroundings};
use runner::terms::{Outcome, RunKind};
use runner::tls::ClientTls;
use runner_harness::facts::{CANDIDATE, newcomer, view, window};
use runner_harness::{ClientFiles, RealCluster, Scratch, Tls, compiled_plugins, guest, newest, write_ca, write_member};
use serde_json::{Value, json};

/// Every reference plugin: its roles, and the capabilities that it imports.
const PLUGINS: [(&str, &[Role], &[&str]); 10] = [
    ("certificate-check", &[Role::HealthCheck], &["probes"]),
    ("data-dir-fsync", &[Role::HealthCheck], &["probes"]),
    ("leader-stability", &[Role::HealthCheck, Role::Promotion], &[]),
    ("maintenance-window", &[Role::HealthCheck], &[]),
    ("peer-network", &[Role::HealthCheck], &["probes"]),
    ("run-summary", &[Role::Notifier], &[]),
    ("steady-sync", &[Role::Promotion], &[]),
    ("time-offset", &[Role::HealthCheck], &["probes"]),
    ("version-window", &[Role::HealthCheck], &[]),
    ("webhook", &[Role::Notifier], &["http", "secrets"]),
];

/// What every plugin may import without being granted anything.
const FREE: [&str; 4] = ["clock", "facts", "logging", "settings"];

struct Nobody;

impl EventSink for Nobody {
    fn emit(&self, _: Event) {}
}

fn folder(plugin: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins").join(plugin)
}

fn config(plugin: &str, settings: Value, grants: Value) -> PluginConfig {
    let mut config = PluginConfig::new(PluginSource { path: guest(plugin), name: None });
    config.settings = settings;
    config.grants = serde_json::from_value(grants).expect("grants as in a policy");
    config
}

async fn load(config: PluginConfig, world: &Arc<dyn Surroundings>) -> Result<Plugins, Problem> {
    let plugins = Plugins::load(vec![config], compiled_plugins(), world.clone(), Arc::new(Nobody));
    plugins.ready().await.map(|()| plugins)
}

/// What a health check finds, or why it could not be done.
async fn check(
    config: PluginConfig,
    world: &Arc<dyn Surroundings>,
    view: &Arc<View>,
    newcomer: &Newcomer,
) -> Result<Vec<Finding>, String> {
    let plugins = load(config, world).await.unwrap_or_else(|e| panic!("{}", e.message));
    let answer = plugins.check(view, newcomer).await.remove(0);
    answer.result.map_err(|fault| fault.message)
}

fn codes(found: &[Finding]) -> Vec<(Severity, &str)> {
    found.iter().map(|f| (f.severity, f.code.as_str())).collect()
}

fn nothing() -> Arc<dyn Surroundings> {
    Arc::new(Nothing)
}

#[test]
fn each_imports_what_it_needs_and_nothing_else() {
    for (plugin, roles, capabilities) in PLUGINS {
        let seen = inspect_cached(guest(plugin), compiled_plugins().as_deref()).unwrap_or_else(|e| panic!("{}", e.message));
        assert_eq!(seen.refusals, [], "{plugin}");
        assert!(!seen.wasi && seen.checks_settings && seen.missing.is_empty(), "{plugin}: {seen:?}");
        assert_eq!(seen.roles, roles, "{plugin}");
        let names = seen.imports.iter().filter_map(|import| {
            let name = import.strip_prefix("runner:plugin/")?.split('@').next()?;
            // The type of every capability's failures.
            (!FREE.contains(&name) && name != "failures").then_some(name)
        });
        assert_eq!(names.collect::<Vec<_>>(), capabilities, "{plugin}: {:?}", seen.imports);
    }
}

#[tokio::test]
async fn what_is_not_granted_is_refused_by_name_when_they_are_loaded() {
    for (plugin, _, capabilities) in PLUGINS {
        let settings = if plugin == "maintenance-window" { json!({ "freezes": [] }) } else { json!({}) };
        let loaded = load(config(plugin, settings, json!({})), &nothing()).await;
        match (capabilities.first(), loaded) {
            (None, loaded) => assert!(loaded.is_ok(), "{plugin}"),
            (Some(_), Ok(_)) => panic!("{plugin} was loaded without its grants"),
            (Some(capability), Err(e)) => assert!(e.message.contains(capability), "{plugin}: {}", e.message),
        }
    }
}

#[tokio::test]
async fn every_scenario_passes() {
    for (plugin, ..) in PLUGINS {
        let specimen = Specimen::load(&guest(plugin), None, None).unwrap_or_else(|e| panic!("{}", e.message));
        let file = folder(plugin).join("scenarios").join(format!("{plugin}.yaml"));
        let scenarios = scenario::read(&file).unwrap_or_else(|e| panic!("{e}"));
        assert!(!scenarios.is_empty(), "{}", file.display());
        for scenario in &scenarios {
            let report = scenario::play(scenario, &file.display().to_string(), &specimen).await;
            assert!(report.passed, "{report}");
        }
    }
}

#[tokio::test]
async fn joins_wait_for_the_end_of_a_freeze() {
    let freeze = |from: &str, to: &str| {
        let settings = json!({ "timeZone": "Asia/Tokyo", "freezes": [{ "from": from, "to": to, "reason": "no changes" }] });
        config("maintenance-window", settings, json!({}))
    };
    let past = check(freeze("2020-01-01", "2020-01-06"), &nothing(), &view(), &newcomer()).await;
    assert_eq!(past, Ok(Vec::new()));
    let now = check(freeze("2020-01-01", "9000-01-06"), &nothing(), &view(), &newcomer()).await.unwrap();
    assert_eq!(codes(&now), [(Severity::Error, "change-freeze")]);
    assert_eq!(now[0].remedy.as_deref(), Some("join node-3 from Tue 9000-01-07 00:00 (Asia/Tokyo) on"));
}

#[tokio::test]
async fn a_leader_that_stays_is_approved() {
    let plugins = load(config("leader-stability", json!({}), json!({})), &nothing()).await.unwrap();
    let verdict = async |samples: usize| {
        let answer = plugins.evaluate(&view(), CANDIDATE, &window(&vec![0; samples])).await.remove(0);
        answer.result.unwrap_or_else(|fault| panic!("{}", fault.message))
    };
    assert_eq!(verdict(51).await, Verdict::Approve);
    assert!(matches!(verdict(50).await, Verdict::Wait { .. }));
    assert_eq!(plugins.check(&view(), &newcomer()).await.remove(0).result, Ok(Vec::new()));
}

#[tokio::test]
async fn the_disk_of_this_machine_is_judged() {
    let scratch = Scratch::new();
    let directory = scratch.path().to_str().unwrap();
    let world: Arc<dyn Surroundings> = Arc::new(Live::default());
    let judged = async |directory: &str, ms: u32| {
        let settings = json!({ "directory": directory, "writes": 20, "warnMs": ms, "errorMs": ms });
        let grants = json!({ "probes": { "fsync": [scratch.path()] } });
        check(config("data-dir-fsync", settings, grants), &world, &view(), &newcomer()).await
    };
    assert_eq!(judged(directory, 600_000).await, Ok(Vec::new()));
    assert_eq!(codes(&judged(directory, 0).await.unwrap()), [(Severity::Error, "fsync-slow")]);
    let missing = judged(&format!("{directory}/member"), 10).await.unwrap_err();
    assert!(missing.contains("does not exist yet: set `directory`"), "{missing}");
    let elsewhere = judged("/", 10).await.unwrap_err();
    assert!(elsewhere.starts_with("denied: "), "{elsewhere}");
}

/// What runner sees of a real cluster, and a newcomer with the addresses of the harness's certificates.
fn seen(cluster: &RealCluster) -> (Arc<dyn Surroundings>, Arc<View>, Newcomer) {
    let tls = cluster.client_files().map(|ClientFiles { ca, cert, key }| ClientTls {
        ca: Some(ca),
        cert: Some(cert),
        key: Some(key),
        server_name: None,
    });
    let etcd = EtcdCluster::new(tls.clone()).expect("files that work");
    let site = Site::new(Arc::new(etcd), cluster.endpoints(), tls);
    let mut view = Arc::unwrap_or_clone(view());
    for (seen, real) in view.members.iter_mut().zip(&cluster.members) {
        seen.member.name.clone_from(&real.name);
        seen.member.peer_urls = vec![real.peer_url.clone()];
        seen.member.client_urls = vec![real.client_url.clone()];
    }
    let urls = |port: u16| vec![format!("https://127.0.0.1:{port}")];
    let newcomer = Newcomer { peer_urls: urls(1), client_urls: urls(2), ..newcomer() };
    (Arc::new(Live::new(site)), Arc::new(view), newcomer)
}

#[tokio::test]
async fn a_real_cluster_is_judged_by_its_network_its_clocks_and_its_certificates() {
    let mut cluster = RealCluster::start(3, &newest(), Tls::On).await;
    let (world, view, newcomer) = seen(&cluster);
    let members = || json!({ "probes": { "members": true } });

    // A minute: the plugin is judged here, not this machine.
    let patient = json!({ "connections": 2, "medianWarnMs": 60_000, "medianErrorMs": 60_000, "p99WarnMs": 60_000, "p99ErrorMs": 60_000 });
    let network = |settings: Value| config("peer-network", settings, members());
    assert_eq!(check(network(patient.clone()), &world, &view, &newcomer).await, Ok(Vec::new()));
    let strict = json!({ "connections": 2, "medianWarnMs": 0, "medianErrorMs": 0 });
    let slow = check(network(strict), &world, &view, &newcomer).await.unwrap();
    assert_eq!(codes(&slow), [(Severity::Error, "peer-slow"); 3]);

    // Every clock here is the same: no bound is certainly broken, and a wide one not even perhaps.
    let offset = |max: u32| config("time-offset", json!({ "maxMs": max }), members());
    assert_eq!(check(offset(60_000), &world, &view, &newcomer).await, Ok(Vec::new()));
    let narrow = check(offset(1), &world, &view, &newcomer).await.unwrap();
    assert!(narrow.iter().all(|f| f.severity == Severity::Warning && f.code == "clock-may-differ"), "{narrow:?}");

    let scratch = Scratch::new();
    let pki = scratch.join("pki");
    write_member(&write_ca(&pki), &pki, "cp-4");
    let certificates = |more: Value| {
        let mut settings =
            json!({ "peer": pki.join("peer.crt"), "server": pki.join("server.crt"), "ca": pki.join("ca.crt") });
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        config("certificate-check", settings, json!({ "probes": { "members": true, "certificates": [pki] } }))
    };
    assert_eq!(check(certificates(json!({})), &world, &view, &newcomer).await, Ok(Vec::new()));
    let elsewhere = Newcomer { peer_urls: vec!["https://10.9.9.9:2380".to_owned()], ..newcomer.clone() };
    let unnamed = check(certificates(json!({})), &world, &view, &elsewhere).await.unwrap();
    assert_eq!(codes(&unnamed), [(Severity::Error, "certificate-name-missing")]);
    assert!(unnamed[0].message.contains("does not name 10.9.9.9 of the peer URLs"), "{unnamed:?}");
    fs::remove_file(pki.join("peer.crt")).unwrap();
    let missing = check(certificates(json!({})), &world, &view, &newcomer).await.unwrap();
    assert_eq!(codes(&missing), [(Severity::Error, "certificate-unreadable")]);

    cluster.kill(2);
    let found = check(network(patient), &world, &view, &newcomer).await.unwrap();
    assert_eq!(codes(&found), [(Severity::Error, "peer-unreachable")]);
}

/// A server that answers one request after another with these statuses, and returns each request's path and body.
fn server(statuses: &'static [u16]) -> (u16, JoinHandle<Vec<(String, Value)>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = move || statuses.iter().map(|status| answer(listener.accept().unwrap().0, *status)).collect();
    (port, thread::spawn(serve))
}

fn answer(mut stream: TcpStream, status: u16) -> (String, Value) {
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        head.push(line.trim().to_owned());
    }
    let length = head.iter().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.expect("a request with a length")];
    reader.read_exact(&mut body).unwrap();
    write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
    let path = head[0].split(' ').nth(1).unwrap().to_owned();
    (path, serde_json::from_slice(&body).unwrap())
}

/// Tells the webhook of a run; its error, if it has one.
async fn tell(port: u16, settings: Value, scratch: &Scratch) -> Option<String> {
    let secret = scratch.join("url");
    fs::write(&secret, format!("http://127.0.0.1:{port}/services/T0AA/s3cr3t-part\n")).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let grants = json!({
        "http": [{ "hosts": ["127.0.0.1"], "methods": ["POST"], "ports": [port], "plain": true, "privateNetworks": ["127.0.0.0/8"] }],
        "secrets": { "url": { "file": secret } },
    });
    let world: Arc<dyn Surroundings> = Arc::new(Live::default());
    let plugins = load(config("webhook", settings, grants), &world).await.unwrap_or_else(|e| panic!("{}", e.message));
    let told = plugins.notify(&events()).await.remove(0).result;
    told.err().map(|fault| format!("{}\n{}", fault.message, fault.log.join("\n")))
}

/// A run's first and last event.
fn events() -> [Event; 2] {
    [
        Event::now(EventKind::RunStarted { run: "0199".to_owned(), operation: RunKind::Join, member: "cp-4".to_owned() }),
        Event::now(EventKind::RunFinished {
            outcome: Outcome::Joined,
            exit_status: 0,
            message: "cp-4 is a voter".to_owned(),
            hints: Vec::new(),
            duration: Duration::from_millis(4200),
        }),
    ]
}

#[tokio::test]
async fn a_webhook_is_told_over_http() {
    let scratch = Scratch::new();
    let (port, server) = server(&[503, 200]);
    assert_eq!(tell(port, json!({ "cluster": "prod-1", "timeoutMs": 2000 }), &scratch).await, None);
    let requests = server.join().unwrap();
    assert_eq!(requests[0], requests[1]);
    let (path, body) = &requests[1];
    assert_eq!(path, "/services/T0AA/s3cr3t-part");
    let told = json!({ "source": body["source"], "cluster": body["cluster"], "member": body["member"], "outcome": body["outcome"] });
    assert_eq!(told, json!({ "source": "runner", "cluster": "prod-1", "member": "cp-4", "outcome": "joined" }));
    let kinds: Vec<_> = body["events"].as_array().unwrap().iter().map(|event| &event["kind"]).collect();
    assert_eq!(kinds, ["run-started", "run-finished"]);
}

#[tokio::test]
async fn a_webhook_that_takes_nothing_is_told_of_without_its_url() {
    let scratch = Scratch::new();
    let (port, server) = server(&[500, 500]);
    let error = tell(port, json!({ "format": "slack", "attempts": 2, "timeoutMs": 2000 }), &scratch).await.unwrap();
    assert!(error.contains("took no message in 2 attempts: it answered 500"), "{error}");
    let text = json!({ "text": "join of cp-4: joined in 4.2 s: cp-4 is a voter" });
    assert_eq!(server.join().unwrap()[1].1, text);
    // Nobody listens there any more.
    let refused = tell(port, json!({ "attempts": 2 }), &scratch).await.unwrap();
    assert!(refused.contains("took no message in 2 attempts: unavailable"), "{refused}");
    for text in [error, refused] {
        assert!(!text.contains("s3cr3t") && !text.contains("T0AA"), "{text}");
    }
}
