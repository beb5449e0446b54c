//! The stand-in for the API server, asked through the `kube` crate what the runner and its tests rely on, word by word.
//!
//! `RUNNER_TEST_KUBECONFIG=<file>` names a real cluster: then the same is asked there, and what differs fails. For that, the
//! kubeconfig's user has to be an administrator (the tests make a namespace, a Node and a Role, and impersonate somebody). Only what
//! they made themselves is changed and removed: namespaces named `runner-suite-…` and Nodes of such names.

use std::path::Path;
use std::time::Duration;

use futures::{Stream, StreamExt, TryStreamExt, pin_mut};
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, Preconditions, WatchEvent,
    WatchParams,
};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config, Error};
use runner_harness::{KubeApi, Mischief, Scratch};
use serde_json::{Value, json};

/// A server to ask: the stand-in, or a real one, with a namespace of the test's own.
struct Server {
    config: Config,
    client: Client,
    namespace: String,
    /// The stand-in, if it is that.
    standin: Option<(KubeApi, Scratch)>,
}

impl Server {
    async fn of(kubeconfig: &Path, standin: Option<(KubeApi, Scratch)>) -> Self {
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
    fn cluster(&self, version: &str, kind: &str, plural: &str) -> Api<DynamicObject> {
        Api::all_with(self.client.clone(), &resource(version, kind, plural))
    }

    /// Those in the test's namespace.
    fn own(&self, version: &str, kind: &str, plural: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource(version, kind, plural))
    }

    fn maps(&self) -> Api<DynamicObject> {
        self.own("v1", "ConfigMap", "configmaps")
    }

    fn leases(&self) -> Api<DynamicObject> {
        self.own("coordination.k8s.io/v1", "Lease", "leases")
    }

    /// A client for somebody else.
    fn impersonating(&self, user: &str) -> Client {
        let mut config = self.config.clone();
        config.auth_info.impersonate = Some(user.to_owned());
        Client::try_from(config).expect("a client")
    }

    async fn remove(self) {
        let namespaces = self.cluster("v1", "Namespace", "namespaces");
        // The real one needs a controller to finish, which is not waited for.
        namespaces.delete(&self.namespace, &DeleteParams::default()).await.expect("it is the test's own");
    }
}

/// The stand-in, and the real cluster that the environment names.
async fn servers() -> Vec<Server> {
    let scratch = Scratch::new();
    let api = KubeApi::start(&scratch).await;
    let kubeconfig = api.kubeconfig.clone();
    let mut servers = vec![Server::of(&kubeconfig, Some((api, scratch))).await];
    if let Some(real) = std::env::var_os("RUNNER_TEST_KUBECONFIG") {
        servers.push(Server::of(Path::new(&real), None).await);
    }
    servers
}

fn resource(version: &str, kind: &str, plural: &str) -> ApiResource {
    let (group, short) = version.split_once('/').unwrap_or(("", version));
    ApiResource {
        group: group.into(),
        version: short.into(),
        api_version: version.into(),
        kind: kind.into(),
        plural: plural.into(),
    }
}

fn object(value: Value) -> DynamicObject {
    serde_json::from_value(value).expect("an object")
}

fn value(object: &DynamicObject) -> Value {
    serde_json::to_value(object).expect("JSON")
}

fn map(name: &str, data: Value) -> DynamicObject {
    object(json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "data": data }))
}

fn lease(name: &str, spec: Value) -> DynamicObject {
    object(json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": { "name": name }, "spec": spec,
    }))
}

/// Code, reason and message of a refusal.
fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> (u16, String, String) {
    match result {
        Err(Error::Api(status)) => (status.code, status.reason, status.message),
        other => panic!("not refused: {other:?}"),
    }
}

fn version_of(object: &DynamicObject) -> u64 {
    object.metadata.resource_version.as_deref().expect("a version").parse().expect("a number")
}

#[tokio::test]
async fn objects_are_made_read_replaced_and_deleted() {
    for server in servers().await {
        let (maps, ns) = (server.maps(), &server.namespace);
        let made = maps.create(&PostParams::default(), &map("one", json!({ "a": "1" }))).await.expect("it is new");
        assert!(
            made.metadata.uid.is_some() && made.metadata.creation_timestamp.is_some() && made.metadata.generation.is_none()
        );
        assert_eq!(made.metadata.namespace.as_ref(), Some(ns));
        let again = refused(maps.create(&PostParams::default(), &map("one", json!({}))).await);
        assert_eq!(again, (409, "AlreadyExists".into(), "configmaps \"one\" already exists".into()));
        let missing = refused(maps.get("none").await);
        assert_eq!(missing, (404, "NotFound".into(), "configmaps \"none\" not found".into()));

        // The same again changes nothing, not even the version.
        let same = maps.replace("one", &PostParams::default(), &made).await.expect("it is current");
        assert_eq!(version_of(&same), version_of(&made));
        let mut newer = made.clone();
        newer.data["data"]["a"] = json!("2");
        let newer = maps.replace("one", &PostParams::default(), &newer).await.expect("it is current");
        assert!(version_of(&newer) > version_of(&made));
        assert_eq!(newer.metadata.uid, made.metadata.uid);
        let stale = refused(maps.replace("one", &PostParams::default(), &map_at(&made, "3")).await);
        let words = "Operation cannot be fulfilled on configmaps \"one\": the object has been modified; please apply your \
                     changes to the latest version and try again";
        assert_eq!(stale, (409, "Conflict".into(), words.into()));
        // Without a version, a ConfigMap is overwritten whatever is there.
        maps.replace("one", &PostParams::default(), &map("one", json!({ "a": "4" }))).await.expect("unconditional");
        let absent = refused(maps.replace("none", &PostParams::default(), &map("none", json!({}))).await);
        assert_eq!((absent.0, absent.1.as_str()), (404, "NotFound"));

        let wrong = Preconditions { uid: Some("another".into()), resource_version: None };
        let kept = refused(maps.delete("one", &DeleteParams { preconditions: Some(wrong), ..Default::default() }).await);
        assert_eq!((kept.0, kept.1.as_str()), (409, "Conflict"));
        let words = "Operation cannot be fulfilled on ConfigMap \"one\": the UID in the precondition (another) does not match the UID \
                     in record (";
        assert!(kept.2.starts_with(words), "{}", kept.2);
        let right = Preconditions { uid: made.metadata.uid.clone(), resource_version: None };
        let gone = maps.delete("one", &DeleteParams { preconditions: Some(right), ..Default::default() }).await;
        assert!(gone.expect("it is there").right().is_some_and(|status| status.is_success()));
        assert_eq!(refused(maps.delete("one", &DeleteParams::default()).await).0, 404);
        server.remove().await;
    }
}

/// The object as it was, with another value.
fn map_at(old: &DynamicObject, a: &str) -> DynamicObject {
    let mut object = old.clone();
    object.data["data"]["a"] = json!(a);
    object
}

#[tokio::test]
async fn what_is_new_is_looked_at() {
    for server in servers().await {
        let maps = server.maps();
        let generated = object(json!({ "metadata": { "generateName": "some-" } }));
        let one = maps.create(&PostParams::default(), &generated).await.expect("a name is made");
        let name = one.metadata.name.clone().expect("a name");
        assert!(name.starts_with("some-") && name.len() == 10, "{name}");
        let nameless = refused(maps.create(&PostParams::default(), &object(json!({ "metadata": {} }))).await);
        assert_eq!((nameless.0, nameless.1.as_str()), (422, "Invalid"));
        assert!(nameless.2.contains("name or generateName is required"), "{}", nameless.2);
        let capital = refused(maps.create(&PostParams::default(), &map("Capital", json!({}))).await);
        assert_eq!((capital.0, capital.1.as_str()), (422, "Invalid"));
        assert!(
            capital
                .2
                .starts_with("ConfigMap \"Capital\" is invalid: metadata.name: Invalid value: \"Capital\": a lowercase")
        );
        let number = refused(maps.create(&PostParams::default(), &map("one", json!({ "a": 1 }))).await);
        assert_eq!((number.0, number.1.as_str()), (400, "BadRequest"));
        assert!(number.2.starts_with("ConfigMap in version \"v1\" cannot be handled as a ConfigMap: "), "{}", number.2);
        let key = refused(maps.create(&PostParams::default(), &map("one", json!({ "a/b": "" }))).await);
        assert!(key.0 == 422 && key.2.contains("data[a/b]: Invalid value: \"a/b\""), "{}", key.2);
        let unknown = json!({ "metadata": { "name": "more" }, "data": { "a": "1" }, "surprise": 1 });
        let pruned = maps.create(&PostParams::default(), &object(unknown)).await.expect("what is not known is left out");
        assert!(value(&pruned)["surprise"].is_null());
        // `put` may not have a version, and no namespace may be missing.
        let elsewhere: Api<DynamicObject> =
            Api::namespaced_with(server.client.clone(), "runner-suite-none", &resource("v1", "ConfigMap", "configmaps"));
        let nowhere = refused(elsewhere.create(&PostParams::default(), &map("one", json!({}))).await);
        assert_eq!(nowhere, (404, "NotFound".into(), "namespaces \"runner-suite-none\" not found".into()));
        let dry = PostParams { dry_run: true, field_manager: None };
        maps.create(&dry, &map("dry", json!({}))).await.expect("it could be made");
        assert_eq!(refused(maps.get("dry").await).0, 404);
        server.remove().await;
    }
}

#[tokio::test]
async fn lists_come_in_pages_of_one_moment_and_by_selection() {
    for server in servers().await {
        let maps = server.maps();
        for (number, color) in [(1, "red"), (2, "blue"), (3, "red"), (4, "blue")] {
            let mut one = map(&format!("page-{number}"), json!({ "n": number.to_string() }));
            one.metadata.labels = Some([("color".to_owned(), color.to_owned())].into());
            maps.create(&PostParams::default(), &one).await.expect("it is new");
        }
        let params = ListParams::default().labels("color");
        let first = maps.list(&params.clone().limit(3)).await.expect("a page");
        let token = first.metadata.continue_.clone().expect("there is more");
        assert_eq!(names(&first.items), ["page-1", "page-2", "page-3"]);
        // What happens between two pages is not seen.
        maps.delete("page-4", &DeleteParams::default()).await.expect("it is there");
        let rest = maps.list(&params.clone().limit(3).continue_token(&token)).await.expect("the other page");
        assert_eq!(names(&rest.items), ["page-4"]);
        assert_eq!(rest.metadata.continue_.as_deref().unwrap_or_default(), "");
        for (selector, expected) in [
            ("color=red", vec!["page-1", "page-3"]),
            ("color!=red,color", vec!["page-2"]),
            ("color in (blue, green)", vec!["page-2"]),
            ("color notin (blue),color", vec!["page-1", "page-3"]),
        ] {
            let found = maps.list(&ListParams::default().labels(selector)).await.expect("a selector");
            assert_eq!(names(&found.items), expected, "{selector}");
        }
        let found = maps.list(&ListParams::default().fields("metadata.name=page-2")).await.expect("a selector");
        assert_eq!(names(&found.items), ["page-2"]);
        let unknown = refused(maps.list(&ListParams::default().fields("data.n=1")).await);
        assert_eq!((unknown.0, unknown.1.as_str()), (400, "BadRequest"));
        assert!(
            unknown.2.contains("field label not supported: data.n")
                || unknown.2.contains("\"data.n\" is not a known field selector"),
            "{}",
            unknown.2
        );
        let now: u64 = first.metadata.resource_version.expect("a version").parse().expect("a number");
        let future = ListParams::default().at(&(now + 1_000_000).to_string()).timeout(1);
        let future = refused(maps.list(&future).await);
        assert_eq!((future.0, future.1.as_str()), (504, "Timeout"));
        assert!(future.2.contains("Too large resource version"), "{}", future.2);
        server.remove().await;
    }
}

fn names(items: &[DynamicObject]) -> Vec<&str> {
    items.iter().map(|o| o.metadata.name.as_deref().unwrap_or_default()).collect()
}

#[tokio::test]
async fn patches_merge_each_in_its_way() {
    for server in servers().await {
        let maps = server.maps();
        maps.create(&PostParams::default(), &map("one", json!({ "a": "1", "b": "1" }))).await.expect("it is new");
        let params = PatchParams::default();
        let merged = maps.patch("one", &params, &Patch::Merge(json!({ "data": { "a": null, "c": "1" } }))).await;
        assert_eq!(merged.expect("it is there").data["data"], json!({ "b": "1", "c": "1" }));
        let missing = refused(maps.patch("none", &params, &Patch::Merge(json!({ "data": {} }))).await);
        assert_eq!(missing, (404, "NotFound".into(), "configmaps \"none\" not found".into()));
        let stale = json!({ "metadata": { "resourceVersion": "1" }, "data": { "a": "2" } });
        assert_eq!(refused(maps.patch("one", &params, &Patch::Merge(stale)).await).1, "Conflict");

        let nodes = server.cluster("v1", "Node", "nodes");
        let name = server.namespace.clone();
        let node = json!({
            "metadata": { "name": name, "labels": { "a": "1" } },
            "spec": { "taints": [{ "key": "one", "effect": "NoSchedule" }] },
            "status": { "conditions": [{ "type": "Ready", "status": "False", "reason": "Suite" }] },
        });
        let made = nodes.create(&PostParams::default(), &object(node)).await.expect("it is new");
        assert_eq!(made.data["status"]["conditions"][0]["type"], "Ready", "a new node brings its status along");
        let version = version_of(&made);
        // Taints have no merge key: they are replaced. A status that comes by the wrong path is left out.
        let patch = json!({
            "metadata": { "labels": { "a": null, "b": "2" } },
            "spec": { "taints": [{ "key": "two", "effect": "NoSchedule" }] },
            "status": { "conditions": [{ "type": "Ready", "status": "True" }] },
        });
        let node = nodes.patch(&name, &params, &Patch::Strategic(patch)).await.expect("it is there");
        let keys: Vec<_> = node.data["spec"]["taints"].as_array().expect("taints").iter().map(|t| &t["key"]).collect();
        assert!(keys.contains(&&json!("two")) && !keys.contains(&&json!("one")), "{keys:?}");
        let labels = node.metadata.labels.clone().unwrap_or_default();
        assert!(labels.contains_key("b") && !labels.contains_key("a"));
        assert_eq!(node.data["status"]["conditions"][0]["status"], "False");
        assert!(version_of(&node) > version);
        // Conditions have one: the item is merged.
        let patch = json!({ "status": { "conditions": [{ "type": "Ready", "status": "True" }, { "type": "Etcd", "status": "True" }] } });
        let node = nodes.patch_status(&name, &params, &Patch::Strategic(patch)).await.expect("it is there");
        let ready = node.data["status"]["conditions"].as_array().expect("a list").iter().find(|c| c["type"] == "Ready");
        assert_eq!(ready.map(|c| (&c["status"], &c["reason"])), Some((&json!("True"), &json!("Suite"))));
        assert_eq!(node.data["status"]["conditions"].as_array().map(Vec::len), Some(2));
        let twice = json!({ "spec": { "taints": [
            { "key": "two", "effect": "NoSchedule" }, { "key": "two", "effect": "NoSchedule" }] } });
        let twice = refused(nodes.patch(&name, &params, &Patch::Merge(twice)).await);
        assert!(twice.0 == 422 && twice.2.contains("Duplicate value"), "{}", twice.2);
        let label = json!({ "metadata": { "labels": { "a": "not a label" } } });
        let label = refused(nodes.patch(&name, &params, &Patch::Merge(label)).await);
        assert!(label.0 == 422 && label.2.contains("metadata.labels: Invalid value: \"not a label\""), "{}", label.2);
        nodes.delete(&name, &DeleteParams::default()).await.expect("it is the test's own");
        server.remove().await;
    }
}

#[tokio::test]
async fn an_apply_owns_its_fields() {
    for server in servers().await {
        let maps = server.maps();
        let one = |data: Value| Patch::Apply(map("one", data));
        let made = maps.patch("one", &PatchParams::apply("first"), &one(json!({ "a": "1", "b": "1" }))).await;
        assert_eq!(made.expect("an apply makes what is not there").data["data"], json!({ "a": "1", "b": "1" }));
        let other = refused(maps.patch("one", &PatchParams::apply("second"), &one(json!({ "a": "2", "c": "2" }))).await);
        let words = "Apply failed with 1 conflict: conflict with \"first\": .data.a";
        assert_eq!(other, (409, "Conflict".into(), words.into()));
        let same = maps.patch("one", &PatchParams::apply("second"), &one(json!({ "a": "1", "c": "2" }))).await;
        same.expect("the same value is no conflict");
        let forced = maps.patch("one", &PatchParams::apply("second").force(), &one(json!({ "a": "2", "c": "2" }))).await;
        assert_eq!(forced.expect("by force").data["data"], json!({ "a": "2", "b": "1", "c": "2" }));
        // What the first no longer applies goes; what another owns by now stays.
        let less = maps.patch("one", &PatchParams::apply("first"), &one(json!({}))).await;
        assert_eq!(less.expect("it owns less").data["data"], json!({ "a": "2", "c": "2" }));
        // A plain write takes fields over, too.
        let patch = Patch::Merge(json!({ "data": { "c": "3" } }));
        let written = PatchParams { field_manager: Some("third".into()), ..PatchParams::default() };
        maps.patch("one", &written, &patch).await.expect("it is there");
        let third = refused(maps.patch("one", &PatchParams::apply("second"), &one(json!({ "a": "2", "c": "2" }))).await);
        assert_eq!(third.2, "Apply failed with 1 conflict: conflict with \"third\" using v1: .data.c");
        server.remove().await;
    }
}

#[tokio::test]
async fn a_lease_is_taken_by_one() {
    for server in servers().await {
        let leases = server.leases();
        let spec = json!({ "holderIdentity": "a", "leaseDurationSeconds": 30, "renewTime": "2026-01-02T03:04:05.000006Z" });
        let made = leases.create(&PostParams::default(), &lease("one", spec.clone())).await.expect("it is new");
        assert_eq!(made.data["spec"]["renewTime"], "2026-01-02T03:04:05.000006Z");
        let taken = refused(leases.create(&PostParams::default(), &lease("one", spec)).await);
        assert_eq!(taken, (409, "AlreadyExists".into(), "leases.coordination.k8s.io \"one\" already exists".into()));
        let mut mine = made.clone();
        mine.data["spec"]["holderIdentity"] = json!("b");
        leases.replace("one", &PostParams::default(), &mine).await.expect("it is current");
        let late = refused(leases.replace("one", &PostParams::default(), &made).await);
        let words = "Operation cannot be fulfilled on leases.coordination.k8s.io \"one\": the object has been modified; please \
                     apply your changes to the latest version and try again";
        assert_eq!(late, (409, "Conflict".into(), words.into()));
        // A Lease, unlike a ConfigMap, is never overwritten blindly, but made by a replace.
        let blind = refused(leases.replace("one", &PostParams::default(), &lease("one", json!({}))).await);
        let words = "leases.coordination.k8s.io \"one\" is invalid: metadata.resourceVersion: Invalid value: 0: must be \
                     specified for an update";
        assert_eq!(blind, (422, "Invalid".into(), words.into()));
        leases.replace("two", &PostParams::default(), &lease("two", json!({}))).await.expect("a replace makes it");

        for (spec, code, words) in [
            (
                json!({ "leaseDurationSeconds": 0 }),
                422,
                "Lease.coordination.k8s.io \"bad\" is invalid: spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0",
            ),
            (
                json!({ "leaseTransitions": -1 }),
                422,
                "Lease.coordination.k8s.io \"bad\" is invalid: spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0",
            ),
            (
                json!({ "renewTime": "2026-01-02T03:04:05Z" }),
                400,
                "Lease in version \"v1\" cannot be handled as a Lease: parsing time \"2026-01-02T03:04:05Z\" as \"2006-01-02T15:04:05.000000Z07:00\": cannot parse \"Z\" as \".000000\"",
            ),
        ] {
            let bad = refused(leases.create(&PostParams::default(), &lease("bad", spec)).await);
            assert_eq!((bad.0, bad.2.as_str()), (code, words));
        }
        server.remove().await;
    }
}

#[tokio::test]
async fn events_are_the_same_in_both_groups() {
    for server in servers().await {
        let new = server.own("events.k8s.io/v1", "Event", "events");
        let old = server.own("v1", "Event", "events");
        let event = |name: &str| {
            json!({
                "apiVersion": "events.k8s.io/v1", "kind": "Event",
                "metadata": { "name": name, "namespace": server.namespace },
                "eventTime": "2026-01-02T03:04:05.000006Z", "type": "Normal", "reason": "JoinStarted", "action": "Join",
                "note": "a join began", "reportingController": "runner.dev/runner", "reportingInstance": "cp-1",
                "regarding": { "kind": "ConfigMap", "name": "x", "namespace": server.namespace },
            })
        };
        let made = new.create(&PostParams::default(), &object(event("one"))).await.expect("a good event");
        assert_eq!(made.data["note"], "a join began");
        let seen = old.get("one").await.expect("it is the same object");
        assert_eq!(seen.data["message"], "a join began");
        assert_eq!(seen.data["reportingComponent"], "runner.dev/runner");
        assert_eq!(seen.data["involvedObject"]["name"], "x");
        let found = old.list(&ListParams::default().fields("involvedObject.name=x")).await.expect("a selector");
        assert_eq!(names(&found.items), ["one"]);
        // It goes on as a series, and in nothing else.
        let series = json!({ "series": { "count": 2, "lastObservedTime": "2026-01-02T03:05:05.000006Z" } });
        new.patch("one", &PatchParams::default(), &Patch::Merge(series)).await.expect("a series");
        let note = refused(new.patch("one", &PatchParams::default(), &Patch::Merge(json!({ "note": "another" }))).await);
        assert!(note.0 == 422 && note.2.contains("message: Invalid value: \"another\": field is immutable"), "{}", note.2);

        for (field, wrong, words) in [
            ("reportingController", json!(""), "reportingController: Required value"),
            ("reportingInstance", json!(""), "reportingInstance: Required value"),
            ("action", json!(""), "action: Required value"),
            ("reason", json!(""), "reason: Required value"),
            ("type", json!("Odd"), "type: Invalid value: \"\": has invalid value: Odd"),
            ("eventTime", Value::Null, "eventTime: Required value"),
            ("note", json!("x".repeat(1025)), "message: Invalid value: \"\": can have at most 1024 characters"),
            ("deprecatedCount", json!(1), "count: Invalid value: \"\": needs to be unset"),
        ] {
            let mut event = event("bad");
            event[field] = wrong;
            let bad = refused(new.create(&PostParams::default(), &object(event)).await);
            assert_eq!((bad.0, bad.1.as_str()), (422, "Invalid"), "{field}");
            assert!(bad.2.contains(words), "{field}: {}", bad.2);
        }
        // An event about something without a namespace belongs into `default`.
        let mut node = event("node");
        node["regarding"] = json!({ "kind": "Node", "name": "cp-1" });
        let node = refused(new.create(&PostParams::default(), &object(node)).await);
        assert!(
            node.2.contains("involvedObject.namespace: Invalid value: \"\": does not match event.namespace"),
            "{}",
            node.2
        );
        server.remove().await;
    }
}

/// The next event of a watch; bookmarks are passed over.
async fn next(
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

#[tokio::test]
async fn a_watch_tells_what_changes() {
    for server in servers().await {
        let maps = server.maps();
        let labelled = |name: &str, color: &str| {
            let mut object = map(name, json!({}));
            object.metadata.labels = Some([("color".to_owned(), color.to_owned())].into());
            object
        };
        let first = maps.create(&PostParams::default(), &labelled("one", "red")).await.expect("it is new");
        let since = first.metadata.resource_version.clone().expect("a version");
        let params = WatchParams::default().labels("color=red").timeout(20);
        let stream = maps.watch(&params, &since).await.expect("a watch").boxed();
        pin_mut!(stream);
        let plain = PostParams::default();
        maps.create(&plain, &labelled("two", "red")).await.expect("it is new");
        maps.create(&plain, &labelled("three", "blue")).await.expect("it is new");
        maps.replace("three", &plain, &labelled("three", "red")).await.expect("it is there");
        maps.patch("two", &PatchParams::default(), &Patch::Merge(json!({ "data": { "a": "1" } })))
            .await
            .expect("it is there");
        maps.replace("three", &plain, &labelled("three", "blue")).await.expect("it is there");
        maps.delete("one", &DeleteParams::default()).await.expect("it is there");
        let expected = [("ADDED", "two"), ("ADDED", "three"), ("MODIFIED", "two"), ("DELETED", "three"), ("DELETED", "one")];
        for (kind, name) in expected {
            assert_eq!(next(&mut stream).await, (kind, name.to_owned()));
        }
        // From nothing: what is there comes first; at the end of its time it ends.
        let stream = maps.watch(&WatchParams::default().labels("color").timeout(1), "0").await.expect("a watch").boxed();
        let seen: Vec<_> = stream.try_collect().await.expect("it ends");
        let added = seen.iter().filter(|event| matches!(event, WatchEvent::Added(_))).count();
        assert_eq!(added, 2, "{seen:?}");
        if let Some((api, _)) = &server.standin {
            // A real server forgets after minutes.
            api.forget_history();
            let stream = maps.watch(&params, &since).await.expect("a watch").boxed();
            pin_mut!(stream);
            assert_eq!(next(&mut stream).await, ("ERROR", "410 Expired".to_owned()));
        }
        server.remove().await;
    }
}

#[tokio::test]
async fn somebody_may_do_what_rbac_says_and_no_more() {
    for server in servers().await {
        let ns = server.namespace.clone();
        let name = format!("{ns}-somebody");
        let client = server.impersonating(&name);
        let leases: Api<DynamicObject> =
            Api::namespaced_with(client.clone(), &ns, &resource("coordination.k8s.io/v1", "Lease", "leases"));
        let none = refused(leases.get("one").await);
        let words = format!(
            "leases.coordination.k8s.io \"one\" is forbidden: User {name:?} cannot get resource \"leases\" in API group \
             \"coordination.k8s.io\" in the namespace {ns:?}"
        );
        assert_eq!(none, (403, "Forbidden".into(), words));
        let nodes: Api<DynamicObject> = Api::all_with(client.clone(), &resource("v1", "Node", "nodes"));
        let list = refused(nodes.list(&ListParams::default()).await);
        let words = format!(
            "nodes is forbidden: User {name:?} cannot list resource \"nodes\" in API group \"\" at the cluster scope"
        );
        assert_eq!(list, (403, "Forbidden".into(), words));
        let status = refused(nodes.patch_status("x", &PatchParams::default(), &Patch::Merge(json!({}))).await);
        assert!(status.2.contains("cannot patch resource \"nodes/status\" in API group \"\""), "{}", status.2);

        let rbac = "rbac.authorization.k8s.io";
        let version = format!("{rbac}/v1");
        let role = json!({
            "metadata": { "name": "join" },
            "rules": [
                { "apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create"] },
                { "apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "resourceNames": ["one"],
                  "verbs": ["get", "update", "list", "watch"] },
                { "apiGroups": [""], "resources": ["configmaps"], "verbs": ["patch"] },
            ],
        });
        server.own(&version, "Role", "roles").create(&PostParams::default(), &object(role)).await.expect("a role");
        let binding = json!({
            "metadata": { "name": "join" },
            "roleRef": { "apiGroup": rbac, "kind": "Role", "name": "join" },
            "subjects": [{ "kind": "User", "name": name, "apiGroup": rbac }],
        });
        let bindings = server.own(&version, "RoleBinding", "rolebindings");
        bindings.create(&PostParams::default(), &object(binding)).await.expect("a binding");
        // The real one looks at its roles through a cache.
        let made = runner_harness::eventually("the rights to count", Duration::from_secs(10), async || {
            leases.create(&PostParams::default(), &lease("one", json!({}))).await
        });
        let made = made.await;
        leases.replace("one", &PostParams::default(), &made).await.expect("it may");
        leases.list(&ListParams::default().fields("metadata.name=one")).await.expect("a list of the one name");
        assert_eq!(refused(leases.list(&ListParams::default()).await).0, 403);
        assert_eq!(refused(leases.get("two").await).0, 403);
        assert_eq!(refused(leases.delete("one", &DeleteParams::default()).await).0, 403);
        // Who may patch may not therefore make: an apply of what is not there needs both.
        let maps: Api<DynamicObject> = Api::namespaced_with(client.clone(), &ns, &resource("v1", "ConfigMap", "configmaps"));
        let apply = refused(maps.patch("new", &PatchParams::apply("x"), &Patch::Apply(map("new", json!({})))).await);
        assert!(apply.2.contains("cannot create resource \"configmaps\" in API group \"\""), "{}", apply.2);
        let reviews: Api<DynamicObject> = Api::all_with(
            client,
            &resource("authorization.k8s.io/v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews"),
        );
        for (verb, allowed) in [("update", true), ("delete", false)] {
            let attributes = json!({ "verb": verb, "group": "coordination.k8s.io", "resource": "leases", "namespace": ns, "name": "one" });
            let question = json!({ "metadata": {}, "spec": { "resourceAttributes": attributes } });
            let answer = reviews.create(&PostParams::default(), &object(question)).await.expect("everybody may ask");
            assert_eq!(answer.data["status"]["allowed"], allowed, "{verb}");
        }
        server.remove().await;
    }
}

#[tokio::test]
async fn a_finalizer_keeps_an_object_until_it_goes() {
    for server in servers().await {
        let maps = server.maps();
        let mut kept = map("kept", json!({}));
        kept.metadata.finalizers = Some(vec!["example.com/wait".into()]);
        maps.create(&PostParams::default(), &kept).await.expect("it is new");
        let answer = maps.delete("kept", &DeleteParams::default()).await.expect("it is there");
        assert!(answer.left().is_some_and(|object| object.metadata.deletion_timestamp.is_some()));
        maps.get("kept").await.expect("it waits");
        let patch = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
        maps.patch("kept", &PatchParams::default(), &patch).await.expect("it is there");
        assert_eq!(refused(maps.get("kept").await).0, 404);
        server.remove().await;
    }
}

/// The stand-in's own: writes whose answers are lost, and a server that goes and comes back.
#[tokio::test]
async fn the_stand_in_fails_as_it_is_told() {
    let scratch = Scratch::new();
    let api = KubeApi::start(&scratch).await;
    let kubeconfig = api.kubeconfig.clone();
    let server = Server::of(&kubeconfig, None).await;
    let maps = server.maps();
    let path = format!("/api/v1/namespaces/{}/configmaps", server.namespace);
    for (mischief, done) in
        [(Mischief::HangUp, false), (Mischief::HangUpAfter, true), (Mischief::HalfAnswer, true), (Mischief::Hang, false)]
    {
        api.mischief_for("POST", &path, mischief.clone(), Some(1));
        let (object, params) = (map("one", json!({})), PostParams::default());
        let made = tokio::time::timeout(Duration::from_secs(1), maps.create(&params, &object)).await;
        assert!(!matches!(made, Ok(Ok(_))), "{mischief:?}");
        assert_eq!(api.object("configmaps", &server.namespace, "one").is_some(), done, "{mischief:?}");
        api.take("configmaps", &server.namespace, "one");
    }
    maps.create(&PostParams::default(), &map("two", json!({}))).await.expect("each was for once");
    let stream = maps.watch(&WatchParams::default(), "0").await.expect("a watch").boxed();
    pin_mut!(stream);
    assert_eq!(next(&mut stream).await, ("ADDED", "two".to_owned()));
    api.stop().await;
    assert!(!matches!(stream.try_next().await, Ok(Some(_))), "the watch ends with the server");
    let gone = maps.get("two").await.expect_err("nobody listens");
    assert!(matches!(gone, Error::Service(_) | Error::HyperError(_)), "{gone:?}");
    api.come_back().await;
    maps.get("two").await.expect("nothing was forgotten");
}
