//! What plugins may ask of the world beyond the facts, with a real guest that imports all of it: what is granted works, what is
//! not is refused when it is loaded, by name, and the ways around a grant lead nowhere. Real etcd, real HTTP.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use runner::cluster::etcd::EtcdCluster;
use runner::event::{Event, EventSink};
use runner::grants::{Capability, Grants};
use runner::pipeline::{FaultKind, Finding, Policy};
use runner::plugins::{Limits, PluginConfig, PluginSource, Plugins};
use runner::surroundings::{Live, Site, Surroundings};
use runner::tls::ClientTls;
use runner_harness::{ClusterOptions, EtcdBinary, RealCluster, Tls, compiled_plugins, facts, guest, newest};
use serde_json::{Value, json};

/// Real time that anything here may take on a machine that is busy with other tests.
const SOON: Duration = Duration::from_secs(60);

struct Nobody;

impl EventSink for Nobody {
    fn emit(&self, _: Event) {}
}

/// Something of each capability.
fn everything() -> Value {
    json!({
        "random": true,
        "http": [{ "hosts": ["localhost"] }],
        "kubernetes": [{ "apiVersion": "v1", "kind": "Node" }],
        "probes": { "memory": true },
        "etcd": { "status": true, "prefixes": ["/granted/"] },
        "secrets": { "token": { "env": "CARGO_PKG_NAME" } },
    })
}

fn read(grants: &Value) -> Grants {
    serde_json::from_value(grants.clone()).expect("grants")
}

fn curious(grants: &Value, settings: Value) -> PluginConfig {
    let source = PluginSource { path: guest("curious"), name: None };
    let limits = Limits { cpu: SOON, wall: SOON, ..Limits::default() };
    PluginConfig { settings, limits, grants: read(grants), ..PluginConfig::new(source) }
}

fn load(config: PluginConfig, live: impl Surroundings + 'static) -> Plugins {
    Plugins::load(vec![config], compiled_plugins(), Arc::new(live), Arc::new(Nobody))
}

/// What the guest was answered to each of its questions.
async fn answers(grants: &Value, asks: Value, live: impl Surroundings + 'static) -> Vec<String> {
    let plugins = load(curious(grants, json!({ "asks": asks })), live);
    plugins.ready().await.unwrap();
    let findings = plugins.check(&facts::view(), &facts::newcomer()).await.remove(0).result.unwrap();
    findings.into_iter().map(|Finding { message, .. }| message).collect()
}

#[tokio::test]
async fn what_is_not_granted_is_refused_at_load_by_name() {
    for capability in Capability::ALL {
        let mut grants = everything();
        grants.as_object_mut().unwrap().remove(capability.name());
        let error = load(curious(&grants, json!({})), Live::default()).ready().await.unwrap_err();
        let name = capability.name();
        let expected = format!("plugin `curious` imports what it was not granted: runner:plugin/{name}@0.1.1");
        assert_eq!(error.message, expected);
        assert!(error.hints[0].contains(&format!("for example: {name}: ")), "{:?}", error.hints);
    }
    let error = load(curious(&json!({}), json!({})), Live::default()).ready().await.unwrap_err();
    assert_eq!(error.hints.len(), Capability::ALL.len() + 1, "{:?}", error.hints);
    load(curious(&everything(), json!({})), Live::default()).ready().await.unwrap();
}

#[tokio::test]
async fn random_bytes_memory_and_secrets_are_given_where_they_are_granted() {
    let asks = json!([{ "random": 10_000 }, "memory", { "secret": "token" }, { "secret": "other" }]);
    let said = answers(&everything(), asks, Live::default()).await;
    let length = env!("CARGO_PKG_NAME").len().to_string();
    assert_eq!(said[..3], ["10000", "true", &length]);
    assert_eq!(said[3], "denied: the secret \"other\" was not granted");
}

#[tokio::test]
async fn a_secret_that_is_not_there_is_found_out_before_anything_is_changed() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none");
    for (source, said) in [
        (json!({ "file": missing }), "there is no file"),
        (json!({ "env": "RUNNER_TEST_NO_SUCH_VARIABLE" }), "the environment has no variable RUNNER_TEST_NO_SUCH_VARIABLE"),
    ] {
        let mut grants = everything();
        grants["secrets"] = json!({ "token": source });
        let error = load(curious(&grants, json!({})), Live::default()).ready().await.unwrap_err();
        let begin = "plugin `curious` was granted what cannot be given: the secret \"token\" cannot be had: ";
        assert!(error.message.starts_with(begin) && error.message.contains(said), "{}", error.message);
    }
}

/// A server that redirects `/out` to a private address and `/in` to itself, and answers everything else.
fn server() -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::<Mutex<Vec<String>>>::default();
    let kept = seen.clone();
    // Ends with the process.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut request = Vec::new();
            let mut bytes = [0; 1024];
            while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                match stream.read(&mut bytes) {
                    Ok(0) | Err(_) => break,
                    Ok(n) => request.extend_from_slice(&bytes[..n]),
                }
            }
            let request = String::from_utf8_lossy(&request).into_owned();
            let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
            kept.lock().unwrap().push(request);
            let answer = match path.as_str() {
                "/out" => {
                    "HTTP/1.1 302 Go\r\nLocation: http://169.254.169.254/latest/\r\nContent-Length: 0\r\n\r\n".to_owned()
                }
                "/in" => "HTTP/1.1 302 Go\r\nLocation: /end\r\nContent-Length: 0\r\n\r\n".to_owned(),
                "/large" => format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}", "x".repeat(8 << 20)),
                "/silent" => {
                    std::thread::spawn(move || {
                        std::thread::sleep(SOON);
                        drop(stream);
                    });
                    continue;
                }
                _ => "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".to_owned(),
            };
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (port, seen)
}

fn with_http(http: Value) -> Value {
    let mut grants = everything();
    grants["http"] = json!([http]);
    grants
}

#[tokio::test]
async fn http_goes_where_it_is_granted_and_nowhere_else() {
    let (port, seen) = server();
    let url = |path: &str| json!({ "http": { "url": format!("http://127.0.0.1:{port}{path}") } });
    let local = json!({ "hosts": ["127.0.0.1"], "ports": [port], "plain": true, "privateNetworks": ["127.0.0.0/8"] });
    let asks = json!([
        url("/"),
        url("/in"),
        url("/out"),
        { "http": { "url": format!("http://localhost:{port}/") } },
        { "http": { "url": format!("http://127.0.0.1:{port}/"), "method": "POST" } },
        { "http": { "url": format!("https://127.0.0.1@example.com:{port}/") } },
        { "http": { "url": format!("http://127.0.0.1:{port}/"), "headers": { "host": "inside" } } },
        { "http": { "url": format!("http://127.0.0.1:{port}/silent"), "timeoutMs": 300 } },
    ]);
    let said = answers(&with_http(local), asks, Live::default()).await;
    assert_eq!(said[..2], ["200 hello", "200 hello"]);
    assert!(said[2].starts_with("denied: redirected to http://169.254.169.254"), "{}", said[2]);
    assert_eq!(said[3], "denied: the host localhost was not granted");
    assert_eq!(said[4], "denied: POST to 127.0.0.1 was not granted");
    assert!(said[5].starts_with("invalid: the URL holds a user"), "{}", said[5]);
    assert!(said[6].starts_with("invalid: the header host"), "{}", said[6]);
    assert!(said[7].starts_with("timeout: "), "{}", said[7]);
    assert_eq!(seen.lock().unwrap().len(), 5);
}

#[tokio::test]
async fn http_to_a_name_that_leads_to_loopback_is_denied() {
    let (port, seen) = server();
    let grant = json!({ "hosts": ["localhost", "127.0.0.1"], "ports": [port], "plain": true });
    let url = |host: &str| json!({ "http": { "url": format!("http://{host}:{port}/") } });
    let said =
        answers(&with_http(grant), json!([url("localhost"), url("127.0.0.1"), url("2130706433")]), Live::default()).await;
    for text in &said {
        assert!(text.starts_with("denied: ") && text.contains("a loopback address"), "{text}");
    }
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_answer_is_bounded_by_what_the_call_may_move() {
    let (port, _) = server();
    let local = json!({ "hosts": ["127.0.0.1"], "ports": [port], "plain": true, "privateNetworks": ["127.0.0.1/32"] });
    let asks = json!([{ "http": { "url": format!("http://127.0.0.1:{port}/large") } }]);
    let mut config = curious(&with_http(local), json!({ "asks": asks }));
    config.limits.bytes = 1 << 20;
    let plugins = load(config, Live::default());
    let findings = plugins.check(&facts::view(), &facts::newcomer()).await.remove(0).result.unwrap();
    assert!(findings[0].message.starts_with("too-large: "), "{}", findings[0].message);
}

#[tokio::test]
async fn etcd_is_read_under_granted_prefixes_only() {
    let cluster = cluster(&newest(), Tls::On).await;
    for key in ["/granted/a", "/granted/b", "/granted/c", "/granted2", "/granted", "/other"] {
        cluster.client().await.put(key, format!("value of {key}"), None).await.unwrap();
    }
    let live = || {
        let files = cluster.client_files();
        let tls = files.map(|f| ClientTls { ca: Some(f.ca), cert: Some(f.cert), key: Some(f.key), server_name: None });
        let connection = Arc::new(EtcdCluster::new(tls.clone()).unwrap());
        Live::new(Site::new(connection, cluster.endpoints(), tls))
    };
    let member = format!("{:x}", cluster.client().await.member_list().await.unwrap().members()[0].id());
    let list = |prefix: &str, limit: u32| json!({ "etcdList": { "prefix": prefix, "limit": limit } });
    let asks = json!([
        { "etcdGet": "/granted/a" }, { "etcdGet": "/granted/none" }, list("/granted/", 1000), list("/granted/", 2),
        list("/granted/b", 1), { "etcdStatus": member },
        { "etcdGet": "/granted2" }, { "etcdGet": "/granted" }, { "etcdGet": "/granted/../other" }, list("/granted", 10),
        list("/", 10), list("", 10), list("/granted/", 0), { "etcdStatus": "1" }, { "etcdStatus": "x" },
    ]);
    let said = answers(&everything(), asks, live()).await;
    let binary_version = newest().version;
    assert_eq!(
        said[..6],
        [
            "value of /granted/a",
            "none",
            "/granted/a /granted/b /granted/c",
            "/granted/a /granted/b",
            "/granted/b",
            &binary_version
        ]
    );
    let kinds: Vec<_> = said[6..].iter().map(|text| text.split(':').next().unwrap_or_default()).collect();
    assert_eq!(
        kinds,
        ["denied", "denied", "invalid", "denied", "denied", "invalid", "invalid", "not-found", "invalid"],
        "{said:#?}"
    );
}

#[tokio::test]
async fn many_and_large_keys_are_read_in_pages_and_within_bounds() {
    let cluster = cluster(&newest(), Tls::Off).await;
    let mut client = cluster.client().await;
    let large = "x".repeat(600 << 10);
    for i in 0..600 {
        client.put(format!("/granted/many/{i:04}"), "small", None).await.unwrap();
    }
    for i in 0..12 {
        client.put(format!("/granted/large/{i:02}"), large.as_str(), None).await.unwrap();
    }
    let live = || Live::new(Site::new(Arc::new(EtcdCluster::new(None).unwrap()), cluster.endpoints(), None));
    let list = |prefix: &str, limit: u32| json!({ "etcdList": { "prefix": prefix, "limit": limit } });
    let asks = json!([list("/granted/many/", 1000), list("/granted/many/", 300), list("/granted/large/", 12)]);
    let mut config = curious(&everything(), json!({ "asks": asks }));
    config.limits.log_lines = 0;
    let plugins = load(config.clone(), live());
    let answer = plugins.check(&facts::view(), &facts::newcomer()).await.remove(0);
    let findings = answer.result.unwrap();
    assert!(findings[0].message.starts_with("/granted/many/0000 /granted/many/0001"), "{}", findings[0].message);
    // Seven MiB in values of 600 KiB: more than one gRPC message may have.
    assert!(findings[2].message.ends_with("/granted/large/11"), "{}", findings[2].message);
    assert!(answer.usage.bytes_in > 7 << 20, "{:?}", answer.usage);
    config.limits.bytes = 2 << 20;
    let findings = load(config, live()).check(&facts::view(), &facts::newcomer()).await.remove(0).result.unwrap();
    assert!(findings[2].message.starts_with("too-large: "), "{}", findings[2].message);
}

#[tokio::test]
async fn without_a_quorum_nothing_is_read() {
    let site = Site::new(Arc::new(EtcdCluster::new(None).unwrap()), vec!["http://127.0.0.1:1".to_owned()], None);
    let asks = json!([{ "etcdGet": "/granted/a" }, { "etcdStatus": "8e9e05c52164694d" }]);
    for text in answers(&everything(), asks, Live::new(site)).await {
        assert!(text.starts_with("unavailable: "), "{text}");
    }
}

#[tokio::test]
async fn a_guest_that_imports_everything_is_bounded_like_any_other() {
    let (port, _) = server();
    let local = json!({ "hosts": ["127.0.0.1"], "ports": [port], "plain": true, "privateNetworks": ["127.0.0.1/32"] });
    let grants = with_http(local);
    let hang = json!({ "asks": [{ "http": { "url": format!("http://127.0.0.1:{port}/silent") } }] });
    let cases = [
        (json!({ "ends": "loop" }), FaultKind::Cpu, "processor time"),
        (json!({ "ends": "memory" }), FaultKind::Memory, "of memory and may have 64 MiB"),
        (json!({ "ends": "panic" }), FaultKind::Trap, "it reached `unreachable`"),
        (json!({ "ends": "tooRandom" }), FaultKind::Bytes, "moved more than its 4 MiB"),
        (hang, FaultKind::Timeout, "did not answer within"),
    ];
    for (settings, kind, said) in cases {
        let mut config = curious(&grants, settings);
        let (cpu, wall) = match kind {
            FaultKind::Cpu => (Duration::from_millis(500), SOON),
            FaultKind::Timeout => (SOON, Duration::from_secs(2)),
            _ => (SOON, SOON),
        };
        config.limits = Limits { cpu, wall, memory: 64 << 20, bytes: 4 << 20, ..Limits::default() };
        if kind == FaultKind::Memory {
            config.limits.bytes = 1 << 30;
        }
        let plugins = load(config, Live::default());
        plugins.ready().await.unwrap();
        let started = Instant::now();
        let fault = plugins.check(&facts::view(), &facts::newcomer()).await.remove(0).result.unwrap_err();
        assert!(fault.kind == kind && fault.message.contains(said), "{fault:?}");
        assert!(started.elapsed() < SOON, "{kind:?} took {:?}", started.elapsed());
    }
}

async fn cluster(binary: &EtcdBinary, tls: Tls) -> RealCluster {
    RealCluster::with(ClusterOptions { members: 1, binary: binary.clone(), tls, extra: Vec::new() }).await
}
