//! Reads from the Kubernetes API, as plugins get them: over real TLS and HTTP from a stand-in for the API.

use std::path::Path;
use std::time::{Duration, Instant};

use runner::grants::{Grants, KubernetesGrant, SecretSource};
use runner::surroundings::{Ask, Live, Refused, Reply, Site, Surroundings};
use runner_harness::{KubeApi, Mischief, Scratch};
use serde_json::{Value, json};

fn live(kubeconfig: &Path) -> Live {
    let mut site = Site::default();
    site.kubeconfig = Some(kubeconfig.to_owned());
    Live::new(site)
}

fn grant(api_version: &str, kind: &str, namespaces: &[&str]) -> KubernetesGrant {
    KubernetesGrant {
        api_version: api_version.into(),
        kind: kind.into(),
        namespaces: namespaces.iter().map(|n| (*n).to_owned()).collect(),
        names: Vec::new(),
    }
}

fn grants() -> Grants {
    let kubernetes = vec![
        grant("v1", "Node", &[]),
        grant("v1", "ConfigMap", &["kube-system"]),
        grant("apps/v1", "Deployment", &["*"]),
        grant("example.com/v1", "Widget", &[]),
        // As if it had no namespaces.
        grant("v1", "Pod", &[]),
    ];
    Grants { kubernetes, ..Grants::default() }
}

/// What a plugin with these grants is answered: the grants are looked at first, as the host does it.
async fn ask(live: &Live, ask: Ask) -> Result<Reply, Refused> {
    let grants = grants();
    grants.permit(&ask)?;
    live.answer("test", &grants, &ask).await
}

fn get(api_version: &str, kind: &str, namespace: Option<&str>, name: &str) -> Ask {
    let (api_version, kind, name) = (api_version.into(), kind.into(), name.into());
    Ask::KubernetesGet { api_version, kind, namespace: namespace.map(Into::into), name }
}

fn list(api_version: &str, kind: &str, namespace: Option<&str>, selector: Option<&str>) -> Ask {
    let (api_version, kind) = (api_version.into(), kind.into());
    Ask::KubernetesList { api_version, kind, namespace: namespace.map(Into::into), selector: selector.map(Into::into) }
}

async fn object(live: &Live, question: Ask) -> Option<Value> {
    match ask(live, question).await {
        Ok(Reply::Object(text)) => text.map(|text| serde_json::from_str(&text).expect("JSON")),
        other => panic!("{other:?}"),
    }
}

async fn objects(live: &Live, question: Ask) -> Vec<Value> {
    match ask(live, question).await {
        Ok(Reply::Objects(texts)) => texts.iter().map(|text| serde_json::from_str(text).expect("JSON")).collect(),
        other => panic!("{other:?}"),
    }
}

async fn refused(live: &Live, question: Ask) -> Refused {
    ask(live, question).await.expect_err("a refusal")
}

fn names(objects: &[Value]) -> Vec<&str> {
    objects.iter().map(|o| o["metadata"]["name"].as_str().expect("a name")).collect()
}

/// An object without what the API gave it.
fn sent(mut object: Value) -> Value {
    let metadata = object["metadata"].as_object_mut().expect("an object has metadata");
    for field in ["uid", "resourceVersion", "creationTimestamp"] {
        assert!(metadata.remove(field).is_some(), "{field} is the API's to give");
    }
    object
}

fn node(name: &str, role: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": name, "labels": { "role": role } } })
}

async fn api(scratch: &Scratch) -> KubeApi {
    let api = KubeApi::start(scratch).await;
    for (name, role) in [("cp-1", "control-plane"), ("cp-2", "control-plane"), ("worker-1", "worker")] {
        api.put(node(name, role));
    }
    for (kind, version, namespace) in
        [("ConfigMap", "v1", "kube-system"), ("ConfigMap", "v1", "other"), ("Deployment", "apps/v1", "other")]
    {
        api.put(json!({
            "apiVersion": version, "kind": kind,
            "metadata": { "name": "one", "namespace": namespace }, "data": { "key": namespace },
        }));
    }
    api
}

#[tokio::test]
async fn granted_objects_are_read() {
    let scratch = Scratch::new();
    let api = api(&scratch).await;
    let live = live(&api.kubeconfig);
    let one = object(&live, get("v1", "Node", None, "cp-1")).await;
    assert_eq!(one.map(sent), Some(node("cp-1", "control-plane")));
    assert_eq!(object(&live, get("v1", "Node", None, "cp-9")).await, None, "404 is an answer");
    let map = object(&live, get("v1", "ConfigMap", Some("kube-system"), "one")).await.expect("it is there");
    assert_eq!(map["data"]["key"], "kube-system");

    let all = objects(&live, list("v1", "Node", None, None)).await;
    assert_eq!(names(&all), ["cp-1", "cp-2", "worker-1"]);
    assert_eq!(sent(all[0].clone()), node("cp-1", "control-plane"), "an object of a list says what it is, too");
    let some = objects(&live, list("v1", "Node", None, Some("role=control-plane"))).await;
    assert_eq!(names(&some), ["cp-1", "cp-2"]);
    let others = objects(&live, list("v1", "Node", None, Some("role!=control-plane"))).await;
    assert_eq!(names(&others), ["worker-1"]);
    assert_eq!(objects(&live, list("apps/v1", "Deployment", None, None)).await.len(), 1);
    assert_eq!(objects(&live, list("apps/v1", "Deployment", Some("kube-system"), None)).await.len(), 0);
}

#[tokio::test]
async fn a_list_is_read_page_by_page() {
    let scratch = Scratch::new();
    let api = api(&scratch).await;
    for n in 0..40 {
        api.put(node(&format!("n-{n:02}"), "worker"));
    }
    api.most_per_page(10);
    let all = objects(&live(&api.kubeconfig), list("v1", "Node", None, Some("role"))).await;
    assert_eq!(all.len(), 43);
    let requests = api.requests();
    let lists: Vec<_> = requests.iter().filter(|r| r.starts_with("/api/v1/nodes?")).collect();
    assert_eq!(lists.len(), 5, "{requests:?}");
    assert!(lists.iter().all(|r| r.contains("limit=250") && r.contains("labelSelector=role")), "{requests:?}");
}

#[tokio::test]
async fn another_namespace_is_denied_and_never_asked_for() {
    let scratch = Scratch::new();
    let api = api(&scratch).await;
    let live = live(&api.kubeconfig);
    for question in [
        get("v1", "ConfigMap", Some("other"), "one"),
        list("v1", "ConfigMap", Some("other"), None),
        list("v1", "ConfigMap", None, None),
        get("v1", "Secret", Some("kube-system"), "one"),
    ] {
        assert_eq!(refused(&live, question).await.kind, "denied");
    }
    assert_eq!(api.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn a_kind_with_namespaces_is_not_read_as_one_without() {
    let scratch = Scratch::new();
    let api = api(&scratch).await;
    let live = live(&api.kubeconfig);
    let all_pods = refused(&live, list("v1", "Pod", None, None)).await;
    assert_eq!(all_pods.message, "a list of Pod in all namespaces was not granted");
    assert_eq!(refused(&live, get("v1", "Pod", None, "x")).await.kind, "invalid");
    assert!(api.requests().iter().all(|r| r == "/api/v1"), "only what the kinds are was asked: {:?}", api.requests());
}

#[tokio::test]
async fn what_the_api_refuses_says_who_may_not_do_what() {
    let scratch = Scratch::new();
    let api = api(&scratch).await;
    api.forbid("nodes");
    let forbidden = refused(&live(&api.kubeconfig), get("v1", "Node", None, "cp-1")).await;
    assert_eq!(forbidden.kind, "failed");
    assert!(forbidden.message.contains("the Node \"cp-1\""), "{forbidden}");
    assert!(forbidden.message.contains("User \"kubernetes-admin\" cannot get resource \"nodes\""), "{forbidden}");
    let stranger = refused(&live(&api.strangers_kubeconfig()), get("v1", "Node", None, "cp-1")).await;
    assert_eq!(stranger.kind, "failed");
    assert!(stranger.message.contains("Unauthorized"), "{stranger}");
}

#[tokio::test]
async fn a_kind_that_the_api_does_not_know_is_named() {
    let scratch = Scratch::new();
    let api = api(&scratch).await;
    let unknown = refused(&live(&api.kubeconfig), list("example.com/v1", "Widget", None, None)).await;
    assert_eq!(unknown.kind, "not-found");
    assert_eq!(unknown.message, "the Kubernetes API knows no apiVersion \"example.com/v1\"");
}

#[tokio::test]
async fn answers_gone_wrong_are_told_apart() {
    let scratch = Scratch::new();
    let api = api(&scratch).await;
    let live = live(&api.kubeconfig);
    let one = || get("v1", "Node", None, "cp-1");
    let place = "/api/v1/nodes/cp-1";
    for (mischief, kind, words) in [
        (Mischief::Status(200, "<html>".into()), "failed", "answered with something else than the Node"),
        (Mischief::Status(200, "[1]".into()), "failed", "answered with something else than the Node"),
        (Mischief::Status(500, "<html>".into()), "unavailable", "it answered with status 500"),
        (Mischief::Status(429, "{\"message\":\"slow down\"}".into()), "unavailable", "slow down"),
        (Mischief::Status(302, String::new()), "failed", "it answered with status 302"),
        (Mischief::Endless, "too-large", "takes more than 8192 KiB"),
        (Mischief::HangUp, "unavailable", "the Kubernetes API cannot be reached"),
    ] {
        api.mischief(place, mischief.clone());
        let refused = refused(&live, one()).await;
        assert_eq!(refused.kind, kind, "{mischief:?}: {refused}");
        assert!(refused.message.contains(words), "{mischief:?}: {refused}");
    }
    // A list whose items are none, and one that goes on forever.
    let nodes = "/api/v1/nodes";
    api.mischief(nodes, Mischief::Status(200, r#"{"kind":"NodeList","items":"many"}"#.into()));
    assert_eq!(refused(&live, list("v1", "Node", None, None)).await.kind, "failed");
    api.mischief(nodes, Mischief::Status(200, r#"{"items":[7]}"#.into()));
    assert_eq!(refused(&live, list("v1", "Node", None, None)).await.kind, "failed");
    api.mischief(nodes, Mischief::Status(200, r#"{"metadata":{"continue":"again"},"items":[]}"#.into()));
    let forever = refused(&live, list("v1", "Node", None, None)).await;
    assert_eq!((forever.kind.as_str(), forever.message.as_str()), ("too-large", "a list of Node has more than 200 pages"));
}

#[tokio::test]
async fn discovery_that_leads_elsewhere_is_not_followed() {
    let scratch = Scratch::new();
    let api = api(&scratch).await;
    let list_of_kinds = r#"{"groupVersion":"v1","resources":[
        {"name":"namespaces/kube-system/secrets","singularName":"","namespaced":false,"kind":"Node","verbs":["get"]},
        {"name":"..%2fsecrets","singularName":"","namespaced":false,"kind":"Node","verbs":["get"]}]}"#;
    api.mischief("/api/v1", Mischief::Status(200, list_of_kinds.into()));
    assert_eq!(refused(&live(&api.kubeconfig), get("v1", "Node", None, "cp-1")).await.kind, "failed");
    assert_eq!(api.requests(), ["/api/v1"]);
}

#[tokio::test]
async fn a_slow_api_is_waited_for_as_long_as_the_caller_likes() {
    let scratch = Scratch::new();
    let api = api(&scratch).await;
    let live = live(&api.kubeconfig);
    api.mischief("/api/v1/nodes/cp-1", Mischief::Slow(Duration::from_millis(300)));
    assert!(object(&live, get("v1", "Node", None, "cp-1")).await.is_some());
    api.mischief("/api/v1/nodes/cp-1", Mischief::Slow(Duration::from_secs(3600)));
    let started = Instant::now();
    let asked = tokio::time::timeout(Duration::from_millis(300), ask(&live, get("v1", "Node", None, "cp-1"))).await;
    assert!(asked.is_err() && started.elapsed() < Duration::from_secs(10));
    // And the next question is answered.
    assert!(object(&live, get("v1", "Node", None, "cp-2")).await.is_some());
}

#[tokio::test]
async fn without_a_way_to_the_api_the_refusal_says_what_is_missing() {
    let scratch = Scratch::new();
    let api = api(&scratch).await;
    let missing = live(&scratch.join("no-such-kubeconfig"));
    let unknown = refused(&missing, get("v1", "Node", None, "cp-1")).await;
    assert_eq!(unknown.kind, "unavailable");
    assert!(unknown.message.contains("no-such-kubeconfig"), "{unknown}");

    let text = scratch.write("broken-kubeconfig", "no: [kubeconfig");
    assert_eq!(refused(&live(&text), get("v1", "Node", None, "cp-1")).await.kind, "unavailable");

    // Nobody listens there any more.
    let kubeconfig = api.kubeconfig.clone();
    drop(api);
    let gone = refused(&live(&kubeconfig), get("v1", "Node", None, "cp-1")).await;
    assert_eq!(gone.kind, "unavailable");
    assert!(gone.message.starts_with("the Kubernetes API cannot be reached: "), "{gone}");
}

#[tokio::test]
async fn an_api_with_another_authority_is_not_trusted() {
    let scratch = Scratch::new();
    let (one, other) = (api(&scratch).await, api(&scratch).await);
    // The one's address with the other's CA.
    let text = std::fs::read_to_string(&other.kubeconfig).expect("it was written");
    std::fs::write(&other.kubeconfig, text.replace(&other.url, &one.url)).expect("the folder can be written");
    let refused = refused(&live(&other.kubeconfig), get("v1", "Node", None, "cp-1")).await;
    assert_eq!(refused.kind, "unavailable");
    assert!(refused.message.contains("certificate"), "{refused}");
    assert_eq!(one.requests(), Vec::<String>::new());
}

/// A plugin is given this key of this Secret, and nothing else of Kubernetes.
async fn secret(live: &Live, namespace: &str, name: &str, key: &str) -> Result<Reply, Refused> {
    let (namespace, name, key) = (namespace.into(), name.into(), key.into());
    let secrets = [("hook".to_owned(), SecretSource::Kubernetes { namespace, name, key })].into();
    let grants = Grants { secrets, ..Grants::default() };
    let ask = Ask::Secret { name: "hook".into() };
    grants.permit(&ask)?;
    live.answer("test", &grants, &ask).await
}

#[tokio::test]
async fn one_key_of_a_secret_is_read_for_whoever_was_granted_that_secret() {
    let scratch = Scratch::new();
    let api = api(&scratch).await;
    api.put(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "hook", "namespace": "runner" },
        "data": { "url": "aHR0cHM6Ly9ob29rcy5leGFtcGxlLmNvbS90MGszbg==", "raw": "//79/A==", "broken": "%%%" },
    }));
    let live = live(&api.kubeconfig);
    let text = secret(&live, "runner", "hook", "url").await;
    assert_eq!(text, Ok(Reply::Secret("https://hooks.example.com/t0k3n".into())));
    assert_eq!(api.requests(), ["/api/v1/namespaces/runner/secrets/hook"]);

    for (namespace, name, key, kind) in [
        ("runner", "other", "url", "not-found"),
        ("other", "hook", "url", "not-found"),
        ("runner", "hook", "none", "not-found"),
        ("runner", "hook", "raw", "failed"),
        ("runner", "hook", "broken", "failed"),
        ("runner", "../configmaps/one", "url", "invalid"),
    ] {
        // Anew: what was read once is kept.
        let refused = secret(&self::live(&api.kubeconfig), namespace, name, key).await.expect_err(key);
        assert_eq!(refused.kind, kind, "{namespace}/{name} {key}: {refused}");
        assert!(!refused.message.contains("t0k3n") && !refused.message.contains("aHR0"), "{refused}");
    }
}
