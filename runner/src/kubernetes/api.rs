//! runner's own requests to the API: each with a short deadline of its own, and an API that was silent a moment ago is not waited
//! for again.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use k8s_openapi::apimachinery::pkg::version::Info;
use kube::core::Request;
use kube::core::params::{DeleteParams, GetParams, ListParams, Patch, PostParams, Preconditions};
use kube::{Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout};

use super::exchange::{Broken, exchange, words};
use super::{ApiError, client};

/// How long one request may take. A healthy API answers within milliseconds; a run can do without one that does not.
const DEADLINE: Duration = Duration::from_secs(3);

/// For how long an API that did not answer is taken for silent, so that one that is down costs one deadline and not one a request.
const SILENT_FOR: Duration = Duration::from_secs(8);

/// The most that an answer may have: some thousand nodes.
const LARGEST: usize = 8 << 20;

/// The Kubernetes API of this cluster. Reads no file and connects to nothing before something is asked.
pub struct Api {
    kubeconfig: Option<PathBuf>,
    client: OnceCell<Client>,
    /// Since when it is silent, and why.
    silent: Mutex<Option<(Instant, ApiError)>>,
}

/// A change to an object.
pub enum Change<T> {
    /// RFC 7386: `null` removes a field, lists are replaced.
    Merge(T),
    /// Kubernetes' own: lists with a key are merged by it.
    Strategic(T),
}

impl Api {
    /// The API that this kubeconfig leads to; without one, see [`client::connect`].
    pub fn new(kubeconfig: Option<PathBuf>) -> Self {
        Self { kubeconfig, client: OnceCell::new(), silent: Mutex::default() }
    }

    /// Forgets that the API was silent: the next request is sent whatever became of the last one.
    pub fn try_anew(&self) {
        *self.silent.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// One object.
    ///
    /// # Errors
    /// [`ApiError::NotFound`] where it is not there.
    pub async fn get<K: Kind>(&self, namespace: Option<&str>, name: &str) -> Result<K, ApiError> {
        let what = what::<K>(namespace, name);
        let request = Request::new(K::url_path(&(), namespace)).get(name, &GetParams::default());
        parsed(&self.ask(&what, request).await?, &what)
    }

    /// All objects that a label selector selects; all there are where it is empty.
    pub async fn list<K: Kind>(&self, namespace: Option<&str>, selector: &str) -> Result<Vec<K>, ApiError> {
        let what = format!("a list of {}", K::plural(&()));
        // Without a limit the API gives all at once.
        let params = ListParams::default().labels(selector);
        let request = Request::new(K::url_path(&(), namespace)).list(&params);
        let answer = self.ask(&what, request).await?;
        let list: List<K> = parsed(&answer, &what)?;
        Ok(list.items)
    }

    /// Makes an object.
    ///
    /// # Errors
    /// [`ApiError::Conflict`] where there is one of this name.
    pub async fn create<K: Kind>(&self, namespace: Option<&str>, object: &K) -> Result<K, ApiError> {
        let what = what::<K>(namespace, object.meta().name.as_deref().unwrap_or_default());
        let request = Request::new(K::url_path(&(), namespace)).create(&PostParams::default(), json(object));
        parsed(&self.ask(&what, request).await?, &what)
    }

    /// Puts an object in the place of that of its name, if that still has this object's `resourceVersion`.
    ///
    /// # Errors
    /// [`ApiError::Conflict`] where it has another one by now.
    pub async fn replace<K: Kind>(&self, namespace: Option<&str>, object: &K) -> Result<K, ApiError> {
        let name = object.meta().name.as_deref().unwrap_or_default();
        let what = what::<K>(namespace, name);
        let request = Request::new(K::url_path(&(), namespace)).replace(name, &PostParams::default(), json(object));
        parsed(&self.ask(&what, request).await?, &what)
    }

    /// Changes fields of an object.
    pub async fn patch<K: Kind, T: Serialize>(
        &self,
        namespace: Option<&str>,
        name: &str,
        change: Change<T>,
    ) -> Result<K, ApiError> {
        let what = what::<K>(namespace, name);
        let patch = match change {
            Change::Merge(fields) => Patch::Merge(serde_json::to_value(fields).unwrap_or_default()),
            Change::Strategic(fields) => Patch::Strategic(serde_json::to_value(fields).unwrap_or_default()),
        };
        let request = Request::new(K::url_path(&(), namespace)).patch(name, &Default::default(), &patch);
        parsed(&self.ask(&what, request).await?, &what)
    }

    /// Removes an object if it is still the one that was seen. That it is not there any more is success.
    ///
    /// # Errors
    /// [`ApiError::Conflict`] where it was changed or made anew since.
    pub async fn delete<K: Kind>(&self, namespace: Option<&str>, seen: &K) -> Result<(), ApiError> {
        let meta = seen.meta();
        let name = meta.name.as_deref().unwrap_or_default();
        let what = what::<K>(namespace, name);
        let preconditions = Preconditions { resource_version: meta.resource_version.clone(), uid: meta.uid.clone() };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        match self.ask(&what, Request::new(K::url_path(&(), namespace)).delete(name, &params)).await {
            Ok(_) | Err(ApiError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The API server's own version, for example `v1.33.4`.
    pub async fn version(&self) -> Result<String, ApiError> {
        let what = "its version";
        let answer = self.ask(what, http::Request::get("/version").body(Vec::new())).await?;
        let info: Info = parsed(&answer, what)?;
        Ok(info.git_version)
    }

    /// Sends a request and returns the body of an answer that says yes.
    async fn ask<E: std::fmt::Display>(
        &self,
        what: &str,
        request: Result<http::Request<Vec<u8>>, E>,
    ) -> Result<Bytes, ApiError> {
        let request = request
            .map_err(|e| ApiError::Rejected { what: what.to_owned(), reason: format!("it cannot be asked for: {e}") })?;
        if let Some(silent) = self.still_silent() {
            return Err(silent);
        }
        let client = self.client.get_or_try_init(|| client::connect(self.kubeconfig.as_deref())).await?;
        let answer = match timeout(DEADLINE, exchange(client, request, LARGEST)).await {
            Ok(answer) => answer,
            Err(_) => Err(Broken::Unreachable(format!("no answer within {}", humantime::format_duration(DEADLINE)))),
        };
        let judged = judge(answer, what);
        if let Err(error @ ApiError::Unreachable { .. }) = &judged {
            *self.silent.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), error.clone()));
        }
        judged
    }

    fn still_silent(&self) -> Option<ApiError> {
        let silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        silent.as_ref().filter(|(since, _)| since.elapsed() < SILENT_FOR).map(|(_, error)| error.clone())
    }
}

/// A kind that runner reads or writes: all of them are known to `k8s_openapi`.
pub trait Kind: Resource<DynamicType = ()> + Serialize + DeserializeOwned {}

impl<K: Resource<DynamicType = ()> + Serialize + DeserializeOwned> Kind for K {}

/// A list as far as it is looked at.
#[derive(serde::Deserialize)]
struct List<K> {
    items: Vec<K>,
}

fn what<K: Kind>(namespace: Option<&str>, name: &str) -> String {
    let place = namespace.map(|n| format!("{n}/")).unwrap_or_default();
    format!("the {} {place}{name}", K::kind(&()))
}

/// Types of the API always serialise.
fn json<K: Serialize>(object: &K) -> Vec<u8> {
    serde_json::to_vec(object).unwrap_or_default()
}

fn parsed<K: DeserializeOwned>(body: &[u8], what: &str) -> Result<K, ApiError> {
    serde_json::from_slice(body).map_err(|_| ApiError::Garbage { what: what.to_owned() })
}

/// What an answer means. The codes are those of the API conventions (sig-architecture/api-conventions.md, "HTTP Status codes").
fn judge(answer: Result<(u16, Bytes), Broken>, what: &str) -> Result<Bytes, ApiError> {
    let what = what.to_owned();
    let (status, body) = match answer {
        Ok(answer) => answer,
        Err(Broken::Credentials(reason)) => {
            return Err(ApiError::Unusable { source_name: "the kubeconfig's credentials".to_owned(), reason });
        }
        Err(Broken::Unreachable(reason) | Broken::BrokeOff(reason)) => return Err(ApiError::Unreachable { reason }),
        Err(Broken::TooLarge) => return Err(ApiError::Garbage { what }),
    };
    let reason = || words(status, &body);
    Err(match status {
        200..=299 => return Ok(body),
        401 | 403 => ApiError::Denied { what, reason: reason() },
        404 => ApiError::NotFound { what },
        409 => ApiError::Conflict { what, reason: reason() },
        400 | 405 | 415 | 422 => ApiError::Rejected { what, reason: reason() },
        408 | 429 | 500..=599 => ApiError::Unreachable { reason: reason() },
        _ => ApiError::Garbage { what },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, body: &str) -> ApiError {
        judge(Ok((status, Bytes::copy_from_slice(body.as_bytes()))), "the Node cp-1").unwrap_err()
    }

    #[test]
    fn answers_that_say_no_are_told_apart() {
        let status = r#"{"kind":"Status","apiVersion":"v1","code":403,"message":"nodes \"cp-1\" is forbidden: User \"u\""}"#;
        let denied = judged(403, status);
        insta::assert_snapshot!(denied, @r#"the Kubernetes API refuses the Node cp-1 to runner: nodes "cp-1" is forbidden: User "u""#);
        assert_eq!((denied.code(), denied.passing()), ("kubernetes-denied", false));
        insta::assert_snapshot!(judged(503, "<html>"), @"the Kubernetes API cannot be reached: it answered with status 503");
        insta::assert_snapshot!(judged(404, "{}"), @"the Kubernetes API does not have the Node cp-1");
        insta::assert_snapshot!(judged(302, ""), @"the Kubernetes API answered with something else than the Node cp-1");
        let codes: Vec<_> = [401, 409, 422, 429, 500].map(|code| judged(code, status).code()).into();
        assert_eq!(
            codes,
            [
                "kubernetes-denied",
                "kubernetes-conflict",
                "kubernetes-rejected",
                "kubernetes-unreachable",
                "kubernetes-unreachable"
            ]
        );
    }

    #[tokio::test]
    async fn an_api_that_was_silent_is_not_asked_again_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = folder.path().join("kubeconfig");
        // Nobody listens on a port that was just given back.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let text = format!(
            r#"{{"apiVersion":"v1","kind":"Config","current-context":"c","contexts":[{{"name":"c","context":{{"cluster":"c","user":"u"}}}}],
            "users":[{{"name":"u","user":{{}}}}],"clusters":[{{"name":"c","cluster":{{"server":"http://127.0.0.1:{port}"}}}}]}}"#
        );
        std::fs::write(&kubeconfig, text).unwrap();
        let api = Api::new(Some(kubeconfig.clone()));
        let first = api.version().await.unwrap_err();
        assert!(matches!(first, ApiError::Unreachable { .. }), "{first}");
        // Were it asked again, the answer would be another one by now.
        let _listener = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
        let again = tokio::time::timeout(Duration::from_secs(1), api.version()).await.expect("at once");
        assert_eq!(again.unwrap_err(), first);
        let missing = Api::new(Some(kubeconfig.with_file_name("none"))).version().await.unwrap_err();
        assert!(matches!(&missing, ApiError::Unusable { source_name, .. } if source_name.ends_with("none")), "{missing}");
    }
}
