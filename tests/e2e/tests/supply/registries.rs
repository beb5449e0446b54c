//! Registries that lie, leak or are not ours to trust: what they serve is refused, and what they must not see they do not get.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::sync::{Arc, Mutex};

use runner::supply::Digest;
use runner_harness::{Finished, SOON, Scratch, Spawned, runner_bin};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What cosign and oras made: see runner/src/supply/testdata/cosign/README.md.
macro_rules! cosign {
    ($name:literal) => {
        include_bytes!(concat!("../../../../runner/src/supply/testdata/cosign/", $name)).as_slice()
    };
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.wasm.config.v0+json";
const LAYER: &str = "application/wasm";
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// `tester:only-for-tests` in base64.
const AUTH: &str = "dGVzdGVyOm9ubHktZm9yLXRlc3Rz";

/// A request: its path, and what it showed.
#[derive(Clone, Debug)]
struct Request {
    path: String,
    authorization: Option<String>,
}

/// An answer.
#[derive(Clone, Debug, Default)]
struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// Its length is not said before.
    chunked: bool,
}

/// A server that answers as it is told. Ends with the test.
struct Fake {
    host: String,
    seen: Arc<Mutex<Vec<Request>>>,
    _connections: JoinSet<()>,
}

impl Fake {
    async fn start(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let (seen, answer) = (Arc::<Mutex<Vec<Request>>>::default(), Arc::new(answer));
        let mut tasks = JoinSet::new();
        tasks.spawn({
            let seen = seen.clone();
            async move {
                let mut connections = JoinSet::new();
                while let Ok((stream, _)) = listener.accept().await {
                    let (seen, answer) = (seen.clone(), answer.clone());
                    connections.spawn(async move { drop(serve(stream, &seen, &*answer).await) });
                }
            }
        });
        Self { host, seen, _connections: tasks }
    }

    fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(
    stream: TcpStream,
    seen: &Mutex<Vec<Request>>,
    answer: &(dyn Fn(&Request) -> Answer + Send + Sync),
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut authorization = None;
    loop {
        line.clear();
        stream.read_line(&mut line).await?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("authorization") => authorization = Some(value.to_owned()),
            Some(_) => {}
            None => break,
        }
    }
    let request = Request { path, authorization };
    seen.lock().unwrap().push(request.clone());
    let Answer { status, headers, body, chunked } = answer(&request);
    let mut head = format!("HTTP/1.1 {status} X\r\nConnection: close\r\n");
    headers.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
    if !chunked {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(b"\r\n").await?;
    stream.write_all(&body).await?;
    stream.shutdown().await
}

fn ok(body: impl Into<Vec<u8>>) -> Answer {
    Answer { status: 200, body: body.into(), ..Answer::default() }
}

fn not_found() -> Answer {
    Answer { status: 404, ..Answer::default() }
}

fn status(status: u16, header: &'static str, value: impl Into<String>) -> Answer {
    Answer { status, headers: vec![(header, value.into())], ..Answer::default() }
}

/// A server of these contents by path below `/v2/a/`.
async fn serving(files: BTreeMap<String, Answer>) -> Fake {
    Fake::start(move |request| {
        let name = request.path.strip_prefix("/v2/a/").unwrap_or_default();
        files.get(name).cloned().unwrap_or_else(not_found)
    })
    .await
}

fn descriptor(kind: &str, blob: &[u8]) -> Value {
    json!({ "mediaType": kind, "digest": Digest::of(blob).to_string(), "size": blob.len() })
}

/// A good artifact: its configuration and its manifest.
fn artifact() -> (Vec<u8>, Value) {
    let config = json!({
        "created": "2024-09-25T12:00:00Z", "architecture": "wasm", "os": "wasip2",
        "layerDigests": [Digest::of(COMPONENT).to_string()], "component": { "imports": [], "exports": [] },
    });
    let config = config.to_string().into_bytes();
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor(CONFIG, &config), "layers": [descriptor(LAYER, COMPONENT)],
    });
    (config, manifest)
}

fn files(config: &[u8], manifest: &Value) -> BTreeMap<String, Answer> {
    BTreeMap::from([
        ("manifests/1".to_owned(), ok(manifest.to_string())),
        (format!("blobs/{}", Digest::of(config)), ok(config)),
        (format!("blobs/{}", Digest::of(COMPONENT)), ok(COMPONENT)),
    ])
}

/// `runner plugin pull --plain-http`, with credentials for these hosts.
async fn pull(scratch: &Scratch, hosts: &[&str], reference: &str, more: &[&str]) -> Finished {
    let auths: Value =
        hosts.iter().map(|host| ((*host).to_owned(), json!({ "auth": AUTH }))).collect::<serde_json::Map<_, _>>().into();
    let config = scratch.write("docker/config.json", json!({ "auths": auths }).to_string());
    let mut command = Command::new(runner_bin());
    command.args(["plugin", "pull", reference, "--plain-http", "--to"]).arg(scratch.join("out.wasm")).args(more);
    command.env("DOCKER_CONFIG", config.parent().unwrap());
    for proxy in ["HTTP_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"] {
        command.env_remove(proxy);
    }
    Spawned::start(command).finish(SOON).await
}

#[tokio::test]
async fn each_artifact_that_is_no_plugin_has_its_own_refusal() {
    let scratch = Scratch::new();
    let (config, good) = artifact();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut manifest = good.clone();
        change(&mut manifest);
        files(&config, &manifest)
    };
    let blob = format!("blobs/{}", Digest::of(COMPONENT));
    let served = |answer: Answer| {
        let mut files = files(&config, &good);
        files.insert(blob.clone(), answer);
        files
    };
    let manifest = |answer: Answer| BTreeMap::from([("manifests/1".to_owned(), answer)]);
    let other_config = String::from_utf8(config.clone()).unwrap().replace("sha256:24", "sha256:25");
    let foreign = || {
        let mut manifest = good.clone();
        manifest["config"] = descriptor(CONFIG, other_config.as_bytes());
        files(other_config.as_bytes(), &manifest)
    };
    let lying = Answer { headers: vec![("Docker-Content-Digest", Digest::of(b"x").to_string())], ..ok(good.to_string()) };
    let huge = vec![b' '; (4 << 20) + 1];
    let endless = Answer { chunked: true, ..ok([COMPONENT, &[0; 4096]].concat()) };
    let cases: Vec<(BTreeMap<String, Answer>, &str)> = vec![
        (BTreeMap::new(), "is not in the registry"),
        (manifest(ok("nonsense")), "its manifest is not one"),
        (manifest(lying), "the manifest of oci://"),
        (manifest(ok(huge.clone())), "at most 4.0 MiB are taken"),
        (manifest(Answer { chunked: true, ..ok(huge) }), "at most 4.0 MiB are taken"),
        (manifest(Answer { status: 500, ..ok("\u{1b}[31mbroken") }), "answers 500"),
        (with(&|m| m["mediaType"] = json!("application/vnd.oci.image.index.v1+json")), "an index of several manifests"),
        (with(&|m| m["manifests"] = json!([])), "an index of several manifests"),
        (with(&|m| m["layers"] = json!([m["layers"][0], m["layers"][0]])), "it has 2 layers, and a plugin has one"),
        (with(&|m| m["layers"] = json!([])), "it has 0 layers"),
        (with(&|m| m["layers"][0]["mediaType"] = json!("application/x-tar")), "its layer is a application/x-tar"),
        (with(&|m| m["config"]["mediaType"] = json!("application/vnd.oci.image.config.v1+json")), "its configuration is a"),
        (with(&|m| m["layers"][0]["size"] = json!(1u64 << 40)), "at most 128.0 MiB are taken"),
        (with(&|m| m["config"]["size"] = json!(1u64 << 30)), "at most 1.0 MiB are taken"),
        (with(&|m| m["layers"][0]["digest"] = json!("sha256:../../x")), "its manifest cannot be read"),
        (foreign(), "its configuration is of another component"),
        (served(ok(b"\0asm\x0d\0\x01\x01".as_slice())), "was asked for"),
        (served(ok(&COMPONENT[..4])), "was asked for"),
        (served(ok([COMPONENT, b"more"].concat())), "at most 8 B are taken"),
        (served(endless), "at most 8 B are taken"),
        (served(not_found()), "the component of oci://"),
    ];
    for (files, said) in cases {
        let fake = serving(files).await;
        let ended = pull(&scratch, &[], &format!("oci://{}/a:1", fake.host), &[]).await;
        let ended = ended.expect_code(2);
        assert!(ended.stderr.contains(said), "{said}\n{}", ended.stderr);
        assert!(!ended.stderr.contains('\u{1b}') && !scratch.join("out.wasm").exists(), "{said}\n{}", ended.stderr);
    }

    let fake = serving(files(&config, &good)).await;
    pull(&scratch, &[], &format!("oci://{}/a:1", fake.host), &[]).await.expect_code(0);
    assert_eq!(fs::read(scratch.join("out.wasm")).unwrap(), COMPONENT);
    // A tag that is served where a digest was asked for.
    let asked = Digest::of(b"x").to_string();
    let served = BTreeMap::from([(format!("manifests/{asked}"), ok(good.to_string()))]);
    let fake = serving(served).await;
    let ended = pull(&scratch, &[], &format!("oci://{}/a@{asked}", fake.host), &[]).await.expect_code(2);
    assert!(ended.stderr.contains("was asked for"), "{}", ended.stderr);
}

#[tokio::test]
async fn another_host_does_not_get_the_credentials() {
    let scratch = Scratch::new();
    let (config, manifest) = artifact();
    let elsewhere = Fake::start(|_| ok(COMPONENT)).await;
    let mut files = files(&config, &manifest);
    let there = format!("http://{}/somewhere?signature=x", elsewhere.host);
    files.insert(format!("blobs/{}", Digest::of(COMPONENT)), status(307, "Location", there));
    let registry = Fake::start(move |request| match request.authorization {
        None => status(401, "WWW-Authenticate", "Basic realm=\"r\""),
        Some(_) => files.get(request.path.trim_start_matches("/v2/a/")).cloned().unwrap_or_else(not_found),
    })
    .await;
    let hosts = [registry.host.as_str(), elsewhere.host.as_str()];
    pull(&scratch, &hosts, &format!("oci://{}/a:1", registry.host), &[]).await.expect_code(0);
    assert!(registry.seen().iter().any(|r| r.authorization.as_deref() == Some(&format!("Basic {AUTH}"))));
    let seen = elsewhere.seen();
    assert!(!seen.is_empty() && seen.iter().all(|r| r.authorization.is_none()), "{seen:?}");
}

#[tokio::test]
async fn a_redirect_without_end_ends() {
    let scratch = Scratch::new();
    let fake = Fake::start(|request| status(302, "Location", format!("{}x", request.path))).await;
    let ended = pull(&scratch, &[], &format!("oci://{}/a:1", fake.host), &[]).await.expect_code(2);
    assert!(ended.stderr.contains("redirects without end"), "{}", ended.stderr);
    let fake = Fake::start(|_| status(302, "Location", "file:///etc/passwd")).await;
    let ended = pull(&scratch, &[], &format!("oci://{}/a:1", fake.host), &[]).await.expect_code(2);
    assert!(ended.stderr.contains("redirects to a place without TLS"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_token_service_gets_the_password_and_the_registry_the_token() {
    let scratch = Scratch::new();
    let service = Fake::start(|request| match request.path.as_str() {
        "/token?scope=repository%3Aa%3Apull&service=r" => ok(r#"{"token":"a-token"}"#),
        _ => not_found(),
    })
    .await;
    let realm = format!("Bearer realm=\"http://{}/token\",service=\"r\"", service.host);
    let (config, manifest) = artifact();
    let files = files(&config, &manifest);
    let front = Fake::start(move |request| match request.authorization.as_deref() {
        Some("Bearer a-token") => files.get(request.path.trim_start_matches("/v2/a/")).cloned().unwrap_or_else(not_found),
        _ => status(401, "WWW-Authenticate", realm.clone()),
    })
    .await;
    pull(&scratch, &[&front.host], &format!("oci://{}/a:1", front.host), &[]).await.expect_code(0);
    assert_eq!(service.seen()[0].authorization.as_deref(), Some(format!("Basic {AUTH}").as_str()));
    assert!(front.seen().iter().all(|r| r.authorization.as_deref().is_none_or(|a| a == "Bearer a-token")));

    let leaky = Fake::start(|_| status(401, "WWW-Authenticate", "Bearer realm=\"http://auth.example/token\"")).await;
    let ended = pull(&scratch, &[&leaky.host], &format!("oci://{}/a:1", leaky.host), &[]).await.expect_code(2);
    assert!(ended.stderr.contains("names a token service without TLS"), "{}", ended.stderr);
}

#[tokio::test]
async fn nobody_gets_credentials_in_the_clear() {
    let scratch = Scratch::new();
    let fake = Fake::start(|_| status(401, "WWW-Authenticate", "Basic realm=\"r\"")).await;
    // Linux takes 0.0.0.0 to this machine, and it is no loopback address: what another machine's would be.
    let host = fake.host.replace("127.0.0.1", "0.0.0.0");
    let ended = pull(&scratch, &[&host], &format!("oci://{host}/a:1"), &[]).await.expect_code(2);
    assert!(ended.stderr.contains("asks for credentials over plain HTTP"), "{}", ended.stderr);
    assert!(fake.seen().iter().all(|request| request.authorization.is_none()));
    // Without credentials nothing was lost; broken ones say so, without showing them.
    fs::create_dir_all(scratch.join("docker")).unwrap();
    let ended = pull(&scratch, &[], &format!("oci://{}/a:1", fake.host), &[]).await.expect_code(2);
    assert!(ended.stderr.contains("has no credentials for it"), "{}", ended.stderr);
}

#[tokio::test]
async fn what_cosign_signed_is_good() {
    let scratch = Scratch::new();
    let manifest = cosign!("manifest.json");
    let signed: Value = serde_json::from_slice(cosign!("signature-manifest.json")).unwrap();
    let payload = signed["layers"][0]["digest"].as_str().unwrap();
    let config = cosign!("config.json");
    let served = |signatures: &[u8]| {
        BTreeMap::from([
            ("manifests/1".to_owned(), ok(manifest)),
            (format!("manifests/{}.sig", Digest::of(manifest).to_string().replace(':', "-")), ok(signatures)),
            (format!("blobs/{}", Digest::of(config)), ok(config)),
            (format!("blobs/{}", Digest::of(cosign!("component.wasm"))), ok(cosign!("component.wasm"))),
            (format!("blobs/{payload}"), ok(cosign!("payload.json"))),
        ])
    };
    let key = scratch.write("cosign.pub", cosign!("cosign.pub")).display().to_string();
    let args = ["--key", &key, "--signed-as", "127.0.0.1:5217/plugins/empty"];
    let fake = serving(served(cosign!("signature-manifest.json"))).await;
    let reference = format!("oci://{}/a:1", fake.host);
    pull(&scratch, &[], &reference, &args).await.expect_code(0);
    let ended = pull(&scratch, &[], &reference, &args[..2]).await.expect_code(2);
    assert!(ended.stderr.contains("it was made for 127.0.0.1:5217/plugins/empty"), "{}", ended.stderr);

    let mut unsigned = signed.clone();
    unsigned["layers"][0]["annotations"] = json!({});
    let fake = serving(served(unsigned.to_string().as_bytes())).await;
    let ended = pull(&scratch, &[], &format!("oci://{}/a:1", fake.host), &args).await.expect_code(2);
    assert!(ended.stderr.contains("is not signed"), "{}", ended.stderr);
    let mut other = signed.clone();
    other["layers"][0]["annotations"]["dev.cosignproject.cosign/signature"] = json!("MEUCIQ==");
    let fake = serving(served(other.to_string().as_bytes())).await;
    let ended = pull(&scratch, &[], &format!("oci://{}/a:1", fake.host), &args).await.expect_code(2);
    assert!(ended.stderr.contains("has no good signature"), "{}", ended.stderr);
}
