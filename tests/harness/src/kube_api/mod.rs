//! A stand-in for the Kubernetes API server: the real protocol over TLS, without etcd, controllers and admission.
//!
//! It keeps objects with their uids, resourceVersions and managed fields; it reads, lists in pages, watches, creates, replaces,
//! patches (merge, strategic merge, apply) and deletes them, refuses conflicts and invalid objects, and lets users do what RBAC
//! rules allow. Its answers are those of Kubernetes 1.35 and 1.36: `tests/e2e/tests/kubernetes_api` asks both the same, and `cargo xtask node` asks
//! a real 1.36.
//!
//! It has only the kinds in `kinds.rs`, checks only what `validate.rs` says, gives objects no defaults, knows no JSON patches,
//! tables or protobuf, and deletes a namespace with all in it at once.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch::Sender;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::{Scratch, eventually};
use mischief::{Rule, Rules};
use store::{Key, Store};

pub use mischief::Mischief;

mod access;
mod apply;
mod discovery;
mod events;
mod failure;
mod fields;
mod files;
mod http;
mod kinds;
mod list;
mod lists;
mod mischief;
mod patch;
mod route;
mod select;
mod serve;
mod store;
mod validate;
mod watch;
mod write;

/// Whom the first kubeconfig makes of its reader: somebody who may do everything.
const ADMIN: &str = "kubernetes-admin";
const TOKEN: &str = "the-token-of-the-stand-in";

/// The namespaces that every cluster has.
const NAMESPACES: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

/// A Kubernetes API that serves until it is dropped.
pub struct KubeApi {
    /// Where it is: `https://127.0.0.1:port`.
    pub url: String,
    /// A kubeconfig that leads to it, for an administrator.
    pub kubeconfig: PathBuf,
    folder: PathBuf,
    address: SocketAddr,
    acceptor: TlsAcceptor,
    state: Arc<Mutex<State>>,
    server: Mutex<JoinSet<()>>,
}

/// A request that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// `GET`
    pub method: String,
    /// The path with its query.
    pub target: String,
}

#[derive(Default)]
struct State {
    store: Store,
    /// Who is known by which token.
    users: Vec<(String, access::User)>,
    /// Plurals that nobody may have anything to do with.
    forbidden: Vec<String>,
    mischief: Rules,
    most_per_page: Option<usize>,
    calls: Vec<Call>,
    changed: Sender<u64>,
}

impl KubeApi {
    /// Starts one on loopback that holds nothing but the usual namespaces. Its files are in the scratch.
    pub async fn start(scratch: &Scratch) -> Self {
        Self::start_at(scratch, Ipv4Addr::LOCALHOST.into()).await
    }

    /// The same at this address, which has to be one of the calling thread's network namespace.
    pub async fn start_at(scratch: &Scratch, address: IpAddr) -> Self {
        let listener = TcpListener::bind((address, 0)).await.expect("a port of the address");
        let address = listener.local_addr().expect("it is bound");
        let folder = scratch.join(format!("kube-api-{}", address.port()));
        let acceptor = files::certificates(&folder, address.ip());
        let url = format!("https://{address}");
        let kubeconfig = files::kubeconfig(&folder, &folder.join("ca.crt"), &url, ADMIN, TOKEN);
        let admin = access::User { name: ADMIN.into(), groups: vec!["system:masters".into()] };
        let state = State { users: vec![(TOKEN.to_owned(), admin)], ..State::default() };
        let state = Arc::new(Mutex::new(state));
        let mut server = JoinSet::new();
        server.spawn(serve::serve(listener, acceptor.clone(), Arc::clone(&state)));
        let api = Self { url, kubeconfig, folder, address, acceptor, state, server: Mutex::new(server) };
        for name in NAMESPACES {
            api.put(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } }));
        }
        api
    }

    /// A kubeconfig that leads to it with another token, which it does not know.
    pub fn strangers_kubeconfig(&self) -> PathBuf {
        self.write_kubeconfig("stranger", "another-token")
    }

    /// A kubeconfig for a user of this name, who may do what RBAC says ([`rbac`](Self::rbac)). `system:serviceaccount:ns:name` is a
    /// service account.
    pub fn user(&self, name: &str) -> PathBuf {
        let token = format!("the-token-of-{}", name.replace(':', "-"));
        let groups = vec!["system:authenticated".to_owned()];
        lock(&self.state).users.push((token.clone(), access::User { name: name.to_owned(), groups }));
        self.write_kubeconfig(&name.replace(':', "-"), &token)
    }

    /// Puts the roles and bindings of a manifest there, as `kubectl apply -f` does; other kinds that it knows, too.
    ///
    /// Panics where the text is no YAML and where a kind in it is not known.
    pub fn rbac(&self, manifest: &str) {
        let documents: Vec<Value> = serde_saphyr::from_multiple(manifest).expect("YAML");
        documents.into_iter().filter(|document| !document.is_null()).for_each(|document| self.put(document));
    }

    /// Puts an object there, in the place of one of its name, whatever the rules say. Its kind has to be known.
    pub fn put(&self, object: Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
        let known = kinds::by_kind(&version, &kind).unwrap_or_else(|| panic!("{version} {kind} is not known here"));
        let (namespace, name) = (text(&object["metadata"]["namespace"]), text(&object["metadata"]["name"]));
        assert_eq!(known.namespaced, !namespace.is_empty(), "a namespace for those kinds that have one");
        let mut object = events::kept_if(known, object);
        store::born(&mut object);
        let mut state = lock(&self.state);
        state.store.put(Key::of(known, &namespace, &name), object);
        state.tell();
    }

    /// An object as it is now; none where there is none. `plural` with its group: `leases.coordination.k8s.io`.
    pub fn object(&self, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        let kind = known(plural);
        lock(&self.state).store.get(&Key::of(kind, namespace, name)).map(|object| list::shown(kind, object))
    }

    /// All objects of a kind, in the order of their names.
    pub fn objects(&self, plural: &str) -> Vec<Value> {
        let kind = known(plural);
        lock(&self.state).store.all(kind, None).map(|(_, object)| list::shown(kind, object)).collect()
    }

    /// Takes an object away, whatever the rules say.
    pub fn take(&self, plural: &str, namespace: &str, name: &str) {
        let mut state = lock(&self.state);
        state.store.remove(&Key::of(known(plural), namespace, name));
        state.tell();
    }

    /// Forbids everybody, administrators too, to do anything with these (`nodes`).
    pub fn forbid(&self, plural: &str) {
        lock(&self.state).forbidden.push(plural.to_owned());
    }

    /// Does this mischief for a path (`/api/v1/nodes`), from now on. With a `*` at its end: for all that begin so.
    pub fn mischief(&self, path: &str, mischief: Mischief) {
        self.mischief_for("", path, mischief, None);
    }

    /// Does this mischief for a method (`""`: for all) and a path, so many times (none: from now on).
    pub fn mischief_for(&self, method: &str, path: &str, mischief: Mischief, times: Option<usize>) {
        let rule = Rule { method: method.to_owned(), path: path.to_owned(), mischief, times };
        lock(&self.state).mischief.add(rule);
    }

    /// Ends all mischief.
    pub fn behave(&self) {
        lock(&self.state).mischief.clear();
    }

    /// Hands out no more than this many objects at once, whatever is asked for.
    pub fn most_per_page(&self, most: usize) {
        lock(&self.state).most_per_page = Some(most);
    }

    /// Forgets what changed so far: watches and pages from before are told 410.
    pub fn forget_history(&self) {
        lock(&self.state).store.forget();
    }

    /// The requests so far, each path with its query.
    pub fn requests(&self) -> Vec<String> {
        self.calls().into_iter().map(|call| call.target).collect()
    }

    /// The requests so far.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.state).calls.clone()
    }

    /// Goes away: connections end, new ones are refused. What it holds stays.
    pub async fn stop(&self) {
        let mut server = std::mem::take(&mut *self.server());
        server.shutdown().await;
    }

    /// Comes back at the same address.
    pub async fn come_back(&self) {
        let address = self.address;
        let listener = eventually("the port to be free", crate::SOON, async || TcpListener::bind(address).await).await;
        self.server().spawn(serve::serve(listener, self.acceptor.clone(), Arc::clone(&self.state)));
    }

    fn server(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_kubeconfig(&self, user: &str, token: &str) -> PathBuf {
        files::kubeconfig(&self.folder.join(user), &self.folder.join("ca.crt"), &self.url, user, token)
    }
}

impl State {
    fn has_namespace(&self, name: &str) -> bool {
        self.store.get(&Key::of(known("namespaces"), "", name)).is_some()
    }

    fn tell(&self) {
        self.changed.send_replace(self.store.revision());
    }
}

fn known(plural: &str) -> &'static kinds::Kind {
    let (plural, group) = plural.split_once('.').unwrap_or((plural, ""));
    kinds::by_plural(group, plural).unwrap_or_else(|| panic!("{plural} of {group:?} are not known here"))
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
