//! A stand-in for the Kubernetes API: HTTPS on loopback, discovery documents, objects, lists in pages, and answers gone wrong.
//!
//! It is the API as far as the tests need it: bearer tokens are checked, reads work as in the real one, writing is refused with 405.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::server::TlsStream;

use crate::{Scratch, write_ca, write_member};

/// Whom the kubeconfig makes of its reader.
const USER: &str = "kubernetes-admin";
const TOKEN: &str = "the-token-of-the-stand-in";

/// What a request may have before its body.
const LARGEST_HEAD: usize = 64 << 10;

/// A Kubernetes API that serves until it is dropped.
pub struct KubeApi {
    /// Where it is: `https://127.0.0.1:port`.
    pub url: String,
    /// A kubeconfig that leads to it.
    pub kubeconfig: PathBuf,
    state: Arc<Mutex<State>>,
    _server: JoinSet<()>,
}

/// What comes for a path instead of the usual answer.
#[derive(Clone, Debug)]
pub enum Mischief {
    /// The usual answer, later.
    Slow(Duration),
    /// This status, with this body.
    Status(u16, String),
    /// Status 200 and a body without an end.
    Endless,
    /// The connection is closed.
    HangUp,
}

#[derive(Default)]
struct State {
    kinds: Vec<Kind>,
    /// By plural, namespace (empty without one) and name: in the API's order.
    objects: BTreeMap<(String, String, String), Value>,
    /// Plurals that nobody may read.
    forbidden: Vec<String>,
    /// By path, without the query.
    mischief: BTreeMap<String, Mischief>,
    most_per_page: Option<usize>,
    requests: Vec<String>,
}

#[derive(Clone)]
struct Kind {
    api_version: String,
    kind: String,
    plural: String,
    namespaced: bool,
}

/// An answer: a status and a document.
type Answer = (u16, Value);

impl KubeApi {
    /// Starts one that knows the usual kinds and holds nothing. Its files are in the scratch.
    pub async fn start(scratch: &Scratch) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback");
        let port = listener.local_addr().expect("it is bound").port();
        let folder = scratch.join(format!("kube-api-{port}"));
        let acceptor = certificates(&folder);
        let url = format!("https://127.0.0.1:{port}");
        let kubeconfig = write_kubeconfig(&folder, &url, TOKEN);
        let state = Arc::new(Mutex::new(State { kinds: usual_kinds(), ..State::default() }));
        let mut server = JoinSet::new();
        server.spawn(serve(listener, acceptor, Arc::clone(&state)));
        Self { url, kubeconfig, state, _server: server }
    }

    /// A kubeconfig that leads to it with another token, which it does not know.
    pub fn strangers_kubeconfig(&self) -> PathBuf {
        let folder = self.kubeconfig.parent().expect("a file in a folder").join("stranger");
        std::fs::create_dir_all(&folder).expect("the folder can be made");
        std::fs::copy(self.kubeconfig.with_file_name("ca.crt"), folder.join("ca.crt")).expect("the file can be copied");
        write_kubeconfig(&folder, &self.url, "another-token")
    }

    /// Puts an object there, in the place of one of its name. Its kind has to be known.
    pub fn put(&self, object: Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
        let mut state = lock(&self.state);
        let known = state.kinds.iter().find(|k| k.api_version == version && k.kind == kind);
        let known = known.unwrap_or_else(|| panic!("{version} {kind} is not known here")).clone();
        let (namespace, name) = (text(&object["metadata"]["namespace"]), text(&object["metadata"]["name"]));
        assert_eq!(known.namespaced, !namespace.is_empty(), "a namespace for those kinds that have one");
        state.objects.insert((known.plural, namespace, name), object);
    }

    /// Forbids everybody to read these (`nodes`).
    pub fn forbid(&self, plural: &str) {
        lock(&self.state).forbidden.push(plural.to_owned());
    }

    /// Does this mischief for a path (`/api/v1/nodes`).
    pub fn mischief(&self, path: &str, mischief: Mischief) {
        lock(&self.state).mischief.insert(path.to_owned(), mischief);
    }

    /// Hands out no more than this many objects at once, whatever is asked for.
    pub fn most_per_page(&self, most: usize) {
        lock(&self.state).most_per_page = Some(most);
    }

    /// The requests so far, each path with its query.
    pub fn requests(&self) -> Vec<String> {
        lock(&self.state).requests.clone()
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn usual_kinds() -> Vec<Kind> {
    let kind = |api_version: &str, kind: &str, plural: &str, namespaced| Kind {
        api_version: api_version.into(),
        kind: kind.into(),
        plural: plural.into(),
        namespaced,
    };
    vec![
        kind("v1", "Node", "nodes", false),
        kind("v1", "Namespace", "namespaces", false),
        kind("v1", "ConfigMap", "configmaps", true),
        kind("v1", "Pod", "pods", true),
        kind("v1", "Secret", "secrets", true),
        kind("apps/v1", "Deployment", "deployments", true),
        kind("coordination.k8s.io/v1", "Lease", "leases", true),
    ]
}

/// Makes a CA and a server certificate in the folder.
fn certificates(folder: &Path) -> TlsAcceptor {
    let tls = write_ca(folder);
    write_member(&tls, folder, "kube-apiserver");
    let chain = CertificateDer::pem_file_iter(folder.join("server.crt")).expect("it was written").flatten().collect();
    let key = PrivateKeyDer::from_pem_file(folder.join("server.key")).expect("it was written");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key));
    TlsAcceptor::from(Arc::new(config.expect("a pair of files that fit")))
}

/// Writes a kubeconfig beside the CA's certificate. JSON is YAML.
fn write_kubeconfig(folder: &Path, url: &str, token: &str) -> PathBuf {
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "here", "cluster": { "server": url, "certificate-authority": "ca.crt" } }],
        "users": [{ "name": USER, "user": { "token": token } }],
        "contexts": [{ "name": "here", "context": { "cluster": "here", "user": USER } }],
        "current-context": "here",
    });
    let path = folder.join("kubeconfig");
    std::fs::write(&path, config.to_string()).expect("the folder can be written");
    path
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, state: Arc<Mutex<State>>) {
    // Connections end with this task.
    let mut connections = JoinSet::new();
    while let Ok((tcp, _)) = listener.accept().await {
        let (acceptor, state) = (acceptor.clone(), Arc::clone(&state));
        connections.spawn(async move {
            if let Ok(stream) = acceptor.accept(tcp).await {
                let _ = converse(stream, &state).await;
            }
        });
    }
}

/// Answers one request after another, until the other side or a mischief ends it.
async fn converse(mut stream: TlsStream<TcpStream>, state: &Mutex<State>) -> std::io::Result<()> {
    while let Some(request) = Request::read(&mut stream).await? {
        let mischief = {
            let mut state = lock(state);
            state.requests.push(request.target.clone());
            state.mischief.get(request.path()).cloned()
        };
        match mischief {
            Some(Mischief::HangUp) => return Ok(()),
            Some(Mischief::Status(code, body)) => respond(&mut stream, code, &body).await?,
            Some(Mischief::Endless) => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"items\": [").await?;
                loop {
                    stream.write_all(&[b' '; 16 << 10]).await?;
                }
            }
            other => {
                if let Some(Mischief::Slow(time)) = other {
                    tokio::time::sleep(time).await;
                }
                let (code, document) = lock(state).answer(&request);
                respond(&mut stream, code, &document.to_string()).await?;
            }
        }
    }
    Ok(())
}

async fn respond(stream: &mut TlsStream<TcpStream>, code: u16, body: &str) -> std::io::Result<()> {
    let head = format!("HTTP/1.1 {code} x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.flush().await
}

/// A request without its body.
struct Request {
    method: String,
    target: String,
    authorization: String,
}

impl Request {
    /// The next request; none at the end of the connection.
    async fn read(stream: &mut TlsStream<TcpStream>) -> std::io::Result<Option<Self>> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) if head.len() < LARGEST_HEAD => head.push(byte),
                _ => return Ok(None),
            }
        }
        let text = String::from_utf8_lossy(&head).into_owned();
        let mut lines = text.lines();
        let mut first = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
        let (method, target) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
        let headers: Vec<_> = lines.filter_map(|line| line.split_once(':')).collect();
        let header = |name: &str| {
            let found = headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
            found.map_or("", |(_, value)| value.trim()).to_owned()
        };
        let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
        stream.read_exact(&mut body).await?;
        Ok(Some(Self { method, target, authorization: header("authorization") }))
    }

    fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// A parameter of the query.
    fn parameter(&self, name: &str) -> Option<String> {
        let query = self.target.split_once('?')?.1;
        query.split('&').filter_map(|pair| pair.split_once('=')).find(|(n, _)| *n == name).map(|(_, v)| decoded(v))
    }
}

/// `%3D` and `+` as what they stand for.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok());
        rest = after;
        match (first, hex) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (b'+', _) => bytes.push(b' '),
            (other, _) => bytes.push(*other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl State {
    fn answer(&self, request: &Request) -> Answer {
        if request.authorization != format!("Bearer {TOKEN}") {
            return failure(401, "Unauthorized", "Unauthorized");
        }
        if request.method != "GET" {
            return failure(405, "MethodNotAllowed", "the stand-in is for reading");
        }
        let parts: Vec<&str> = request.path().trim_matches('/').split('/').collect();
        let (version, rest) = match parts.as_slice() {
            ["api", version, rest @ ..] => ((*version).to_owned(), rest),
            ["apis", group, version, rest @ ..] => (format!("{group}/{version}"), rest),
            _ => return not_found("the server could not find the requested resource"),
        };
        match rest {
            [] => self.discovery(&version),
            ["namespaces", namespace, plural] => self.list(request, &version, plural, Some(namespace)),
            ["namespaces", namespace, plural, name] => self.get(&version, plural, namespace, name),
            [plural] => self.list(request, &version, plural, None),
            [plural, name] => self.get(&version, plural, "", name),
            _ => not_found("the server could not find the requested resource"),
        }
    }

    fn discovery(&self, version: &str) -> Answer {
        let of_version = self.kinds.iter().filter(|k| k.api_version == version);
        // As in the real one, subresources stand among the others, with the kind of their parent.
        let entries: Vec<_> = of_version
            .flat_map(|k| [format!("{}/status", k.plural), k.plural.clone()].map(|name| (name, k)))
            .map(|(name, k)| {
                let verbs = ["get", "list"];
                json!({ "name": name, "singularName": "", "namespaced": k.namespaced, "kind": k.kind, "verbs": verbs })
            })
            .collect();
        if entries.is_empty() {
            return not_found("the server could not find the requested resource");
        }
        (200, json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": entries }))
    }

    fn kind(&self, version: &str, plural: &str, verb: &str) -> Result<&Kind, Answer> {
        let found = self.kinds.iter().find(|k| k.api_version == version && k.plural == plural);
        let found = found.ok_or_else(|| not_found("the server could not find the requested resource"))?;
        if self.forbidden.iter().any(|p| p == plural) {
            let words = format!(
                "{plural} is forbidden: User \"{USER}\" cannot {verb} resource \"{plural}\" in API group \"\" at the \
                 cluster scope"
            );
            return Err(failure(403, "Forbidden", &words));
        }
        Ok(found)
    }

    fn get(&self, version: &str, plural: &str, namespace: &str, name: &str) -> Answer {
        if let Err(answer) = self.kind(version, plural, "get") {
            return answer;
        }
        match self.objects.get(&(plural.to_owned(), namespace.to_owned(), name.to_owned())) {
            Some(object) => (200, object.clone()),
            None => not_found(&format!("{plural} \"{name}\" not found")),
        }
    }

    fn list(&self, request: &Request, version: &str, plural: &str, namespace: Option<&str>) -> Answer {
        let kind = match self.kind(version, plural, "list") {
            Ok(kind) => kind,
            Err(answer) => return answer,
        };
        let selector = request.parameter("labelSelector").unwrap_or_default();
        let wanted = |key: &(String, String, String), object: &Value| {
            key.0 == plural && namespace.is_none_or(|n| n == key.1) && selected(object, &selector)
        };
        let all: Vec<&Value> = self.objects.iter().filter(|(key, object)| wanted(key, object)).map(|(_, o)| o).collect();
        let number = |name: &str| request.parameter(name).and_then(|n| n.parse::<usize>().ok());
        let from = number("continue").unwrap_or(0).min(all.len());
        let limit = number("limit").unwrap_or(usize::MAX).min(self.most_per_page.unwrap_or(usize::MAX));
        let until = from.saturating_add(limit).min(all.len());
        let next = if until < all.len() { until.to_string() } else { String::new() };
        // As in the real one, the objects of a list do not say what they are.
        let bare = |object: &&Value| {
            let mut object = (*object).clone();
            if let Some(fields) = object.as_object_mut() {
                fields.remove("apiVersion");
                fields.remove("kind");
            }
            object
        };
        let items: Vec<_> = all[from..until].iter().map(bare).collect();
        let metadata = json!({ "resourceVersion": "1", "continue": next });
        let name = format!("{}List", kind.kind);
        (200, json!({ "kind": name, "apiVersion": version, "metadata": metadata, "items": items }))
    }
}

/// Whether the object's labels are as the selector says: `a=b`, `a!=b` and `a`, with commas between them.
fn selected(object: &Value, selector: &str) -> bool {
    let label = |name: &str| object["metadata"]["labels"][name].as_str();
    selector.split(',').filter(|part| !part.is_empty()).all(|part| match part.split_once("!=") {
        Some((name, value)) => label(name) != Some(value),
        None => part.split_once('=').map_or_else(|| label(part).is_some(), |(name, value)| label(name) == Some(value)),
    })
}

fn failure(code: u16, reason: &str, message: &str) -> Answer {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    });
    (code, status)
}

fn not_found(message: &str) -> Answer {
    failure(404, "NotFound", message)
}
