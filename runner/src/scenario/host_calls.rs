//! What a plugin may ask of the world in a scenario, and what it is answered.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use rand::rngs::StdRng;
use rand::{RngCore as _, SeedableRng as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use super::file::HostCall;
use super::pattern::Pattern;
use crate::grants::Grants;
use crate::surroundings::{Ask, Refused, Reply, Surroundings};

/// Each question: its name, the kind of its answer, its fields.
const QUESTIONS: [(&str, &str, &[&str]); 16] = [
    ("random", "bytes", &["len"]),
    ("http", "http", &["method", "url", "headers", "body", "json", "timeoutMs"]),
    ("kubernetesGet", "object", &["apiVersion", "kind", "namespace", "name"]),
    ("kubernetesList", "objects", &["apiVersion", "kind", "namespace", "selector"]),
    ("fsync", "latency", &["directory", "writes"]),
    ("diskSpace", "space", &["path"]),
    ("memory", "space", &[]),
    ("connect", "latency", &["url", "times"]),
    ("pathMtu", "mtu", &["url"]),
    ("clockOffset", "clockOffset", &["url"]),
    ("certificates", "certificates", &["path"]),
    ("certificatesOf", "certificates", &["url"]),
    ("etcdGet", "entry", &["key"]),
    ("etcdList", "entries", &["prefix", "limit"]),
    ("etcdStatus", "status", &["member"]),
    ("secret", "secret", &["name"]),
];

/// What random bytes follow from.
const SEED: u64 = 4;

/// An expected question.
#[derive(Clone, Debug, PartialEq)]
pub struct AskPattern {
    name: &'static str,
    reply: &'static str,
    fields: Map<String, Value>,
}

/// An answer, as it is written in a scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplyForm(pub Reply);

impl AskPattern {
    /// The kind of answer that fits.
    pub(super) fn reply(&self) -> &'static str {
        self.reply
    }

    /// Whether this is such a question.
    pub(super) fn fits(&self, ask: &Ask) -> bool {
        let (name, fields) = named(ask);
        name == self.name
            && self.fields.iter().all(|(key, expected)| match key.as_str() {
                "json" => fields
                    .get("body")
                    .and_then(Value::as_str)
                    .is_some_and(|body| serde_json::from_str(body).is_ok_and(|body: Value| is_in(expected, &body))),
                "headers" => {
                    let none = Vec::new();
                    let sent = fields.get("headers").and_then(Value::as_array).unwrap_or(&none);
                    expected.as_array().is_some_and(|all| all.iter().all(|e| sent.iter().any(|s| is_in(e, s))))
                }
                // Bodies that are empty are left out where they are written down.
                "body" => is_in(expected, fields.get("body").unwrap_or(&Value::from(""))),
                key => is_in(expected, fields.get(key).unwrap_or(&Value::Null)),
            })
    }

    fn of(value: Value) -> Result<Self, String> {
        let (name, fields) = match value {
            Value::String(name) => (name, Map::new()),
            Value::Object(map) if map.len() == 1 => match map.into_iter().next() {
                Some((name, Value::Object(fields))) => (name, fields),
                Some((name, Value::Null)) => (name, Map::new()),
                Some((name, _)) => return Err(format!("what is asked of `{name}` must be a mapping")),
                None => return Err("a question has one key, its name".to_owned()),
            },
            _ => return Err("a question has one key, its name, as in `fsync: { directory: /var/lib/etcd }`".to_owned()),
        };
        let Some((known, reply, keys)) = QUESTIONS.into_iter().find(|(known, ..)| *known == name) else {
            let known = QUESTIONS.map(|(name, ..)| format!("`{name}`"));
            return Err(format!("unknown variant `{name}`, expected one of {}", known.join(", ")));
        };
        if let Some(stray) = fields.keys().find(|key| !keys.contains(&key.as_str())) {
            let known: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
            return Err(format!("unknown field `{stray}`, expected one of {}", known.join(", ")));
        }
        let mut fields = fields;
        if let Some(Value::Object(headers)) = fields.get("headers") {
            let list = headers.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
            fields.insert("headers".to_owned(), list);
        }
        Ok(Self { name: known, reply, fields })
    }
}

impl<'de> Deserialize<'de> for AskPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::of(Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl std::fmt::Display for AskPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.name, Value::Object(self.fields.clone()))
    }
}

impl<'de> Deserialize<'de> for ReplyForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let filled = filled(Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)?;
        serde_json::from_value(filled).map(Self).map_err(serde::de::Error::custom)
    }
}

impl ReplyForm {
    /// The kind of answer.
    pub(super) fn kind(&self) -> String {
        let value = serde_json::to_value(&self.0).unwrap_or_default();
        value.as_object().and_then(|map| map.keys().next().cloned()).unwrap_or_default()
    }
}

/// An answer with everything that was left out.
fn filled(value: Value) -> Result<Value, String> {
    let Value::Object(mut map) = value else {
        return Err("an answer has one key, its kind, as in `http: { status: 200 }`".to_owned());
    };
    for (kind, answer) in &mut map {
        match (kind.as_str(), &mut *answer) {
            ("http", Value::Object(response)) => {
                if let Some(json) = response.remove("json") {
                    response.insert("body".to_owned(), json.to_string().into());
                }
                if let Some(Value::Object(headers)) = response.get("headers") {
                    let list = headers.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
                    response.insert("headers".to_owned(), list);
                }
                stray(response, &["status", "headers", "body"])?;
            }
            ("object", Value::Object(_)) => *answer = answer.to_string().into(),
            ("objects", Value::Array(objects)) => {
                for object in objects.iter_mut().filter(|object| object.is_object()) {
                    *object = object.to_string().into();
                }
            }
            ("latency", Value::Object(latency)) => {
                stray(latency, &["count", "minUs", "medianUs", "p90Us", "p99Us", "maxUs"])?;
                spread(latency);
            }
            ("entry", entry @ Value::Object(_)) => over(json!({ "modRevision": 1 }), entry),
            ("entries", Value::Array(entries)) => entries.iter_mut().for_each(|e| over(json!({ "modRevision": 1 }), e)),
            ("certificates", Value::Array(certificates)) => certificates.iter_mut().for_each(|certificate| {
                let usual = json!({
                    "subject": "CN=etcd", "issuer": "CN=etcd-ca", "notBeforeMs": 0, "notAfterMs": 4_102_444_800_000_u64,
                    "names": [], "authority": false,
                });
                over(usual, certificate);
            }),
            ("status", status) => {
                let usual = json!({
                    "version": super::cluster::VERSION, "dbSize": 20 << 20, "dbSizeInUse": 16 << 20,
                    "raftIndex": super::cluster::RAFT_INDEX, "raftAppliedIndex": super::cluster::RAFT_INDEX,
                    "raftTerm": super::cluster::TERM, "leader": null, "learner": false, "problems": [], "roundTripUs": 300,
                });
                over(usual, status);
            }
            _ => {}
        }
    }
    Ok(Value::Object(map))
}

fn stray(map: &Map<String, Value>, known: &[&str]) -> Result<(), String> {
    match map.keys().find(|key| !known.contains(&key.as_str())) {
        Some(stray) => {
            let known: Vec<String> = known.iter().map(|key| format!("`{key}`")).collect();
            Err(format!("unknown field `{stray}`, expected one of {}", known.join(", ")))
        }
        None => Ok(()),
    }
}

/// Puts what is given over what is usual.
fn over(usual: Value, given: &mut Value) {
    if let (Value::Object(usual), Value::Object(given)) = (usual, given) {
        usual.into_iter().for_each(|(key, value)| {
            given.entry(key).or_insert(value);
        });
    }
}

/// Fills a latency from what is given of it: what is not said is as the next smaller one, or the next larger.
fn spread(latency: &mut Map<String, Value>) {
    const ORDER: [&str; 5] = ["minUs", "medianUs", "p90Us", "p99Us", "maxUs"];
    let given = ORDER.map(|key| latency.get(key).cloned());
    for (i, key) in ORDER.into_iter().enumerate() {
        let near = given[..=i].iter().rev().flatten().next().or_else(|| given[i..].iter().flatten().next());
        if let Some(near) = near {
            latency.insert(key.to_owned(), near.clone());
        }
    }
    latency.entry("count").or_insert(100.into());
}

/// A question's name and fields, as they are written down.
fn named(ask: &Ask) -> (String, Map<String, Value>) {
    match serde_json::to_value(ask).unwrap_or_default() {
        Value::Object(map) => match map.into_iter().next() {
            Some((name, Value::Object(fields))) => (name, fields),
            Some((name, _)) => (name, Map::new()),
            None => (String::new(), Map::new()),
        },
        Value::String(name) => (name, Map::new()),
        _ => (String::new(), Map::new()),
    }
}

/// Whether everything that is expected is in it: further fields may be there too.
fn is_in(expected: &Value, seen: &Value) -> bool {
    match (expected, seen) {
        (Value::String(pattern), Value::String(text)) => Pattern(pattern.clone()).fits(text),
        (Value::Object(expected), Value::Object(seen)) => {
            expected.iter().all(|(key, value)| seen.get(key).is_some_and(|seen| is_in(value, seen)))
        }
        (Value::Array(expected), Value::Array(seen)) => {
            expected.len() == seen.len() && expected.iter().zip(seen).all(|(e, s)| is_in(e, s))
        }
        (Value::Number(expected), Value::Number(seen)) => expected.as_f64() == seen.as_f64(),
        _ => expected == seen,
    }
}

/// Answers as the scenario says, and keeps account.
pub(super) struct HostCalls {
    calls: Vec<HostCall>,
    in_order: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// How often each was asked.
    used: Vec<u32>,
    unexpected: Vec<String>,
    random: Option<StdRng>,
}

impl HostCalls {
    pub(super) fn new(calls: &[HostCall], in_order: bool) -> Self {
        let state = State { used: vec![0; calls.len()], ..State::default() };
        Self { calls: calls.to_vec(), in_order, state: Mutex::new(state) }
    }

    /// What went otherwise than expected, a sentence each.
    pub(super) fn differences(&self) -> Vec<String> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = self.calls.iter().zip(&state.used).filter(|(call, used)| call.times > **used);
        let missing = missing.map(|(call, used)| match call.times {
            1 => format!("it did not ask what it was expected to: {}", call.ask),
            times => format!("it asked {used} times instead of {times}: {}", call.ask),
        });
        state.unexpected.iter().map(|ask| format!("unexpected host call: {ask}")).chain(missing).collect()
    }

    fn find(&self, state: &State, ask: &Ask) -> Option<usize> {
        let left = |i: &usize| self.calls[*i].times == 0 || state.used[*i] < self.calls[*i].times;
        let mut open = (0..self.calls.len()).filter(left);
        if self.in_order {
            // Those that may be left out are passed over.
            let next = open.find(|i| self.calls[*i].times > 0 || self.calls[*i].ask.fits(ask))?;
            return self.calls[next].ask.fits(ask).then_some(next);
        }
        open.find(|i| self.calls[*i].ask.fits(ask))
    }
}

#[async_trait]
impl Surroundings for HostCalls {
    async fn answer(&self, _plugin: &str, _grants: &Grants, ask: &Ask) -> Result<Reply, Refused> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(i) = self.find(&state, ask) {
            state.used[i] += 1;
            let HostCall { reply, refused, .. } = &self.calls[i];
            return match (reply, refused) {
                (_, Some(refused)) => Err(refused.clone()),
                (Some(ReplyForm(reply)), None) => Ok(reply.clone()),
                (None, None) => Err(Refused::new("failed", "the scenario has no answer")),
            };
        }
        if let Ask::Random { len } = ask {
            let mut bytes = vec![0; *len as usize];
            state.random.get_or_insert_with(|| StdRng::seed_from_u64(SEED)).fill_bytes(&mut bytes);
            return Ok(Reply::Bytes(bytes));
        }
        let (name, fields) = named(ask);
        state.unexpected.push(format!("{name} {}", Value::Object(fields)));
        Err(Refused::new("failed", "the scenario does not expect this host call"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::surroundings::{Header, HttpRequest, Latency};

    fn pattern(value: Value) -> AskPattern {
        serde_json::from_value(value).unwrap()
    }

    fn post(body: &str) -> Ask {
        let headers = vec![Header { name: "content-type".into(), value: "application/json".into() }];
        Ask::Http(HttpRequest {
            method: "POST".into(),
            url: "https://hooks.example/T0k3n".into(),
            headers,
            body: body.into(),
            timeout_ms: None,
        })
    }

    #[test]
    fn what_is_left_out_of_a_question_may_be_anything() {
        let ask = post(r#"{"text": "joined", "n": 1}"#);
        assert!(pattern(json!({ "http": {} })).fits(&ask));
        assert!(pattern(json!({ "http": { "method": "POST", "url": "https://hooks.example/*" } })).fits(&ask));
        assert!(pattern(json!({ "http": { "json": { "text": "jo*" } } })).fits(&ask));
        assert!(pattern(json!({ "http": { "headers": { "content-type": "*json" } } })).fits(&ask));
        assert!(!pattern(json!({ "http": { "json": { "text": "left" } } })).fits(&ask));
        assert!(!pattern(json!({ "http": { "method": "GET" } })).fits(&ask));
        assert!(!pattern(json!({ "memory": null })).fits(&ask) && pattern(json!("memory")).fits(&Ask::Memory));
        let namespaced = |namespace: Option<&str>| Ask::KubernetesList {
            api_version: "v1".into(),
            kind: "Pod".into(),
            namespace: namespace.map(str::to_owned),
            selector: None,
        };
        let none = pattern(json!({ "kubernetesList": { "namespace": null } }));
        assert!(none.fits(&namespaced(None)) && !none.fits(&namespaced(Some("x"))));
    }

    #[test]
    fn the_table_of_questions_is_that_of_the_contract() {
        let text = String::new;
        let asks = [
            Ask::Random { len: 1 },
            post("x"),
            Ask::KubernetesGet { api_version: text(), kind: text(), namespace: None, name: text() },
            Ask::KubernetesList { api_version: text(), kind: text(), namespace: None, selector: None },
            Ask::Fsync { directory: text(), writes: 1 },
            Ask::DiskSpace { path: text() },
            Ask::Memory,
            Ask::Connect { url: text(), times: 1 },
            Ask::PathMtu { url: text() },
            Ask::ClockOffset { url: text() },
            Ask::Certificates { path: text() },
            Ask::CertificatesOf { url: text() },
            Ask::EtcdGet { key: text() },
            Ask::EtcdList { prefix: text(), limit: 1 },
            Ask::EtcdStatus { member: text() },
            Ask::Secret { name: text() },
        ];
        for (ask, (known, _, keys)) in asks.iter().zip(QUESTIONS) {
            let (name, fields) = named(ask);
            assert_eq!(name, known);
            assert!(fields.keys().all(|key| keys.contains(&key.as_str())), "{fields:?}");
            assert!(pattern(serde_json::to_value(ask).unwrap()).fits(ask), "{ask:?}");
        }
    }

    #[test]
    fn answers_are_filled() {
        let reply = |value: Value| serde_json::from_value::<ReplyForm>(value).map(|r| r.0);
        let latency = Latency { count: 100, min_us: 7, median_us: 7, p90_us: 7, p99_us: 9, max_us: 9 };
        assert_eq!(reply(json!({ "latency": { "medianUs": 7, "p99Us": 9 } })).unwrap(), Reply::Latency(latency));
        assert_eq!(reply(json!({ "object": { "a": 1 } })).unwrap(), Reply::Object(Some(r#"{"a":1}"#.into())));
        assert_eq!(reply(json!({ "object": null })).unwrap(), Reply::Object(None));
        assert!(matches!(reply(json!({ "http": { "status": 200, "json": [1] } })), Ok(Reply::Http(r)) if r.body == b"[1]"));
        assert!(matches!(reply(json!({ "status": {} })), Ok(Reply::Status(_))));
        assert!(matches!(reply(json!({ "certificates": [{}] })), Ok(Reply::Certificates(_))));
        assert!(reply(json!({ "http": { "statuss": 200 } })).unwrap_err().to_string().contains("statuss"));
        assert!(reply(json!({ "htp": {} })).unwrap_err().to_string().contains("unknown variant `htp`"));
    }

    #[tokio::test]
    async fn calls_are_counted_and_the_unexpected_are_named() {
        let call =
            |ask: Value, times| HostCall { ask: pattern(ask), reply: Some(ReplyForm(Reply::Mtu(1))), refused: None, times };
        let calls = HostCalls::new(&[call(json!({ "etcdGet": { "key": "a" } }), 1), call(json!("memory"), 0)], false);
        let grants = Grants::default();
        let get = |key: &str| Ask::EtcdGet { key: key.into() };
        assert_eq!(calls.differences().len(), 1);
        assert!(calls.answer("p", &grants, &get("a")).await.is_ok());
        assert_eq!(calls.differences(), Vec::<String>::new());
        assert!(calls.answer("p", &grants, &get("a")).await.is_err());
        assert_eq!(calls.differences(), [r#"unexpected host call: etcdGet {"key":"a"}"#]);
        let random = || HostCalls::new(&[], false);
        let (a, b) = (random(), random());
        let ask = Ask::Random { len: 8 };
        assert_eq!(a.answer("p", &grants, &ask).await, b.answer("p", &grants, &ask).await);
        let ordered =
            HostCalls::new(&[call(json!({ "etcdGet": { "key": "a" } }), 1), call(json!({ "etcdGet": {} }), 1)], true);
        assert!(ordered.answer("p", &grants, &get("b")).await.is_err());
    }
}
