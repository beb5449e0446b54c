//! The servers that are asked, and how their objects are written.

use std::path::Path;
use std::time::Duration;

use futures::{Stream, TryStreamExt};
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, PostParams, WatchEvent};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config, Error};
use runner_harness::{KubeApi, Scratch};
use serde_json::{Value, json};

/// A server to ask: the stand-in, or a real one, with a namespace of the test's own.
pub(crate) struct Server {
    pub(crate) config: Config,
    pub(crate) client: Client,
    pub(crate) namespace: String,
    /// The stand-in, if it is that.
    pub(crate) standin: Option<(KubeApi, Scratch)>,
}

impl Server {
    pub(crate) async fn of(kubeconfig: &Path, standin: Option<(KubeApi, Scratch)>) -> Self {
        let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
        let read = Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
        let config = Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await.expect("a way to the API");
        let client = Client::try_from(config.clone()).expect("a client");
        let server = Self { config, client, namespace: String::new(), standin };
        let namespace = json!({ "metadata": { "generateName": "runner-suite-" } });
        let made = server.cluster("v1", "Namespace", "namespaces").create(&PostParams::default(), &object(namespace)).await;
        Self { namespace: made.expect("a namespace").metadata.name.expect("a name"), ..server }
    }

    /// All objects of a kind without namespaces.
    pub(crate) fn cluster(&self, version: &str, kind: &str, plural: &str) -> Api<DynamicObject> {
        Api::all_with(self.client.clone(), &resource(version, kind, plural))
    }

    /// Those in the test's namespace.
    pub(crate) fn own(&self, version: &str, kind: &str, plural: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource(version, kind, plural))
    }

    pub(crate) fn maps(&self) -> Api<DynamicObject> {
        self.own("v1", "ConfigMap", "configmaps")
    }

    pub(crate) fn leases(&self) -> Api<DynamicObject> {
        self.own("coordination.k8s.io/v1", "Lease", "leases")
    }

    /// A client for somebody else.
    pub(crate) fn impersonating(&self, user: &str) -> Client {
        let mut config = self.config.clone();
        config.auth_info.impersonate = Some(user.to_owned());
        Client::try_from(config).expect("a client")
    }

    pub(crate) async fn remove(self) {
        let namespaces = self.cluster("v1", "Namespace", "namespaces");
        // The real one needs a controller to finish, which is not waited for.
        namespaces.delete(&self.namespace, &DeleteParams::default()).await.expect("it is the test's own");
    }
}

/// The stand-in, and the real cluster that the environment names.
pub(crate) async fn servers() -> Vec<Server> {
    let scratch = Scratch::new();
    let api = KubeApi::start(&scratch).await;
    let kubeconfig = api.kubeconfig.clone();
    let mut servers = vec![Server::of(&kubeconfig, Some((api, scratch))).await];
    if let Some(real) = std::env::var_os("RUNNER_TEST_KUBECONFIG") {
        servers.push(Server::of(Path::new(&real), None).await);
    }
    servers
}

pub(crate) fn resource(version: &str, kind: &str, plural: &str) -> ApiResource {
    let (group, short) = version.split_once('/').unwrap_or(("", version));
    ApiResource {
        group: group.into(),
        version: short.into(),
        api_version: version.into(),
        kind: kind.into(),
        plural: plural.into(),
    }
}

pub(crate) fn object(value: Value) -> DynamicObject {
    serde_json::from_value(value).expect("an object")
}

pub(crate) fn value(object: &DynamicObject) -> Value {
    serde_json::to_value(object).expect("JSON")
}

pub(crate) fn map(name: &str, data: Value) -> DynamicObject {
    object(json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "data": data }))
}

pub(crate) fn lease(name: &str, spec: Value) -> DynamicObject {
    object(json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": { "name": name }, "spec": spec,
    }))
}

/// Code, reason and message of a refusal.
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> (u16, String, String) {
    match result {
        Err(Error::Api(status)) => (status.code, status.reason, status.message),
        other => panic!("not refused: {other:?}"),
    }
}

pub(crate) fn version_of(object: &DynamicObject) -> u64 {
    object.metadata.resource_version.as_deref().expect("a version").parse().expect("a number")
}

pub(crate) fn names(items: &[DynamicObject]) -> Vec<&str> {
    items.iter().map(|o| o.metadata.name.as_deref().unwrap_or_default()).collect()
}

/// The next event of a watch; bookmarks are passed over.
pub(crate) async fn next(
    stream: &mut (impl Stream<Item = Result<WatchEvent<DynamicObject>, Error>> + Unpin),
) -> (&'static str, String) {
    loop {
        let event = tokio::time::timeout(Duration::from_secs(30), stream.try_next()).await.expect("something happens");
        let name = |object: DynamicObject| object.metadata.name.unwrap_or_default();
        return match event.expect("a watch").expect("it goes on") {
            WatchEvent::Added(object) => ("ADDED", name(object)),
            WatchEvent::Modified(object) => ("MODIFIED", name(object)),
            WatchEvent::Deleted(object) => ("DELETED", name(object)),
            WatchEvent::Bookmark(_) => continue,
            WatchEvent::Error(status) => ("ERROR", format!("{} {}", status.code, status.reason)),
        };
    }
}
