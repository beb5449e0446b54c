//! The capabilities `probes` and `kubernetes`, asked by a real guest through the real host.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use runner::Problem;
use runner::cluster::View;
use runner::event::{Event, EventSink};
use runner::grants::{Grants, KubernetesGrant, ProbesGrant};
use runner::pipeline::{Finding, Newcomer, Policy};
use runner::plugins::{Limits, PluginConfig, PluginSource, Plugins};
use runner::surroundings::{Live, Site};
use runner_harness::{KubeApi, Scratch, compiled_plugins, guest, write_ca, write_member};
use serde_json::{Value, json};

/// Real time that a guest's questions may take, on a machine that is busy with other tests.
const SOON: Duration = Duration::from_secs(60);

struct Nobody;

impl EventSink for Nobody {
    fn emit(&self, _: Event) {}
}

fn view() -> Arc<View> {
    Arc::new(View {
        cluster_id: 7,
        members: Vec::new(),
        leader: None,
        alarms: Vec::new(),
        observed_at: runner::clock::now(),
        silent: Vec::new(),
    })
}

/// The guest with these grants and questions, over what there is here.
fn prober(grants: Grants, questions: &Value, live: Live) -> Plugins {
    let source = PluginSource { path: guest("prober"), name: None };
    let limits = Limits { cpu: SOON, wall: SOON, ..Limits::default() };
    let config = PluginConfig { settings: json!({ "ask": questions }), limits, grants, ..PluginConfig::new(source) };
    Plugins::load(vec![config], compiled_plugins(), Arc::new(live), Arc::new(Nobody))
}

async fn answers(plugins: &Plugins) -> Vec<Finding> {
    let newcomer = Newcomer { name: "n".into(), peer_urls: Vec::new(), client_urls: Vec::new(), version: None };
    plugins.check(&view(), &newcomer).await.remove(0).result.unwrap_or_else(|fault| panic!("{}", fault.message))
}

fn questions(folder: &Path, url: &str) -> Value {
    let folder = folder.to_str().expect("a path that is text");
    json!([
        { "fsync": { "directory": folder, "writes": 2 } },
        { "diskSpace": { "path": folder } },
        { "memory": {} },
        { "certificates": { "path": format!("{folder}/server.crt") } },
        { "connect": { "url": url, "times": 2 } },
        { "pathMtu": { "url": url } },
        { "kubernetesGet": { "apiVersion": "v1", "kind": "Node", "name": "cp-1" } },
        { "kubernetesGet": { "apiVersion": "v1", "kind": "Node", "name": "cp-9" } },
        { "kubernetesList": { "apiVersion": "v1", "kind": "Node", "selector": "role=x" } },
    ])
}

fn nodes() -> KubernetesGrant {
    KubernetesGrant { api_version: "v1".into(), kind: "Node".into(), namespaces: Vec::new(), names: Vec::new() }
}

struct Stage {
    scratch: Scratch,
    api: KubeApi,
    live: Live,
    /// `host:port` of somebody who listens.
    target: String,
    _listener: std::net::TcpListener,
}

async fn stage() -> Stage {
    let scratch = Scratch::new();
    write_member(&write_ca(scratch.path()), scratch.path(), "cp-1");
    let api = KubeApi::start(&scratch).await;
    api.put(json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": "cp-1", "labels": { "role": "x" } } }));
    let mut site = Site::default();
    site.kubeconfig = Some(api.kubeconfig.clone());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
    let target = listener.local_addr().expect("it is bound").to_string();
    Stage { scratch, api, live: Live::new(site), target, _listener: listener }
}

#[tokio::test]
async fn a_guest_that_is_granted_everything_is_answered() {
    let stage = stage().await;
    let folder = vec![stage.scratch.path().to_owned()];
    let grants = Grants {
        probes: Some(ProbesGrant {
            fsync: folder.clone(),
            disk_space: folder.clone(),
            memory: true,
            members: false,
            targets: vec![stage.target.clone()],
            certificates: folder,
        }),
        kubernetes: vec![nodes()],
        ..Grants::default()
    };
    let url = format!("http://{}", stage.target);
    let plugins = prober(grants, &questions(stage.scratch.path(), &url), stage.live.clone());
    let answers = answers(&plugins).await;
    let beginnings = [
        "Latency { count: 2,",
        "Space { total: ",
        "Space { total: ",
        "[Certificate { subject: \"CN=cp-1",
        "Latency { count: 2,",
        "6",
        "Some(\"{",
        "None",
        "[\"{",
    ];
    assert_eq!(answers.len(), beginnings.len());
    for (answer, beginning) in answers.iter().zip(beginnings) {
        assert_eq!(answer.code, "answer", "{}", answer.message);
        assert!(answer.message.starts_with(beginning), "{} {beginning}", answer.message);
    }
}

#[tokio::test]
async fn a_guest_that_is_granted_other_things_is_denied_each_by_name() {
    let stage = stage().await;
    let elsewhere = vec![stage.scratch.join("elsewhere")];
    let grants = Grants {
        probes: Some(ProbesGrant {
            fsync: elsewhere.clone(),
            disk_space: elsewhere.clone(),
            memory: false,
            members: false,
            targets: vec!["127.0.0.1:1".into()],
            certificates: elsewhere,
        }),
        kubernetes: vec![KubernetesGrant { names: vec!["cp-2".into()], ..nodes() }],
        ..Grants::default()
    };
    let url = format!("http://{}", stage.target);
    let plugins = prober(grants, &questions(stage.scratch.path(), &url), stage.live.clone());
    let answers = answers(&plugins).await;
    assert_eq!(answers.len(), 9);
    for answer in &answers {
        assert_eq!(answer.code, "denied", "{}", answer.message);
    }
    assert_eq!(stage.api.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn a_guest_that_is_granted_too_little_is_refused_at_load_by_name() {
    let probes = || Some(ProbesGrant { memory: true, ..ProbesGrant::default() });
    for (grants, missing) in [
        (Grants::default(), vec!["probes", "kubernetes"]),
        (Grants { probes: probes(), ..Grants::default() }, vec!["kubernetes"]),
        (Grants { kubernetes: vec![nodes()], ..Grants::default() }, vec!["probes"]),
    ] {
        let Problem { message, .. } = prober(grants, &json!([]), Live::default()).ready().await.unwrap_err();
        for name in missing {
            assert!(message.contains(name), "{name}: {message}");
        }
    }
    let enough = Grants { probes: probes(), kubernetes: vec![nodes()], ..Grants::default() };
    prober(enough, &json!([]), Live::default()).ready().await.unwrap();
}
