//! `kubernetes`: objects of the kinds and namespaces that were granted, and single keys of Secrets for those who were granted them
//! as `secrets`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::Client;
use kube::core::Request;
use kube::core::params::{GetParams, ListParams};
use serde_json::{Map, Value};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::grants::{Grants, permit_scope, sensible_place};
use crate::kubernetes::client;
use crate::surroundings::{Ask, Refused, Reply};
use discover::Resource;
use fetch::{Room, fetch};

mod discover;
mod fetch;

/// How long one question may take, all its requests together. Longer than a call may take by default.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many objects are asked for at once; kubectl asks for 500, and 250 nodes are about 3 MB.
const PAGE: u32 = 250;

/// How many objects a list may have in all.
const MOST_OBJECTS: usize = 5000;

/// How many pages a list may have: a server may hand out short ones, but not forever.
const MOST_PAGES: usize = 200;

/// The Kubernetes API of this node. Nothing is read or connected before something is asked.
#[derive(Clone, Default)]
pub(super) struct Kubernetes {
    kubeconfig: Option<PathBuf>,
    client: Arc<OnceCell<Client>>,
}

impl Kubernetes {
    /// The API that this kubeconfig leads to; without one, see [`client::connect`].
    pub(super) fn new(kubeconfig: Option<PathBuf>) -> Self {
        Self { kubeconfig, client: Arc::default() }
    }

    /// Answers a question that the grants permit, once the API has said that its kind lives where the grants say.
    pub(super) async fn answer(&self, grants: &Grants, ask: &Ask) -> Result<Reply, Refused> {
        in_time(async {
            match ask {
                Ask::KubernetesGet { api_version, kind, namespace, name } => {
                    let resource = self.resource(grants, ask, api_version, kind).await?;
                    let object = self.get(&resource, namespace.as_deref(), name, Room::of_the_asker()).await?;
                    Ok(Reply::Object(object.map(|object| object.to_string())))
                }
                Ask::KubernetesList { api_version, kind, namespace, selector } => {
                    let resource = self.resource(grants, ask, api_version, kind).await?;
                    self.list(&resource, namespace.as_deref(), selector.clone()).await.map(Reply::Objects)
                }
                _ => Err(Refused::denied("this is no read from Kubernetes")),
            }
        })
        .await
    }

    /// The text of one key of a Secret. Whoever asks has looked at the grants. No error holds anything of the Secret.
    ///
    /// # Errors
    ///
    /// `not-found` where there is no such Secret or it has no such key, `failed` where the value is no text.
    pub(super) async fn secret(&self, namespace: &str, name: &str, key: &str) -> Result<String, Refused> {
        sensible_place(namespace, name)?;
        in_time(async {
            let object = self.get(&Resource::secrets(), Some(namespace), name, Room::of_our_own()).await?;
            let missing = |what: &str| Refused::new("not-found", format!("the Secret {namespace}/{name} {what}"));
            let object = object.ok_or_else(|| missing("is not there"))?;
            let value = object["data"][key].as_str().ok_or_else(|| missing(&format!("has no key {key:?}")))?;
            let text = STANDARD.decode(value).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            text.ok_or_else(|| {
                Refused::new("failed", format!("the key {key:?} of the Secret {namespace}/{name} holds no text"))
            })
        })
        .await
    }

    async fn resource(&self, grants: &Grants, ask: &Ask, api_version: &str, kind: &str) -> Result<Resource, Refused> {
        let resource = discover::find(self.client().await?, api_version, kind).await?;
        permit_scope(&grants.kubernetes, ask, resource.namespaced)?;
        Ok(resource)
    }

    async fn get(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        name: &str,
        mut room: Room,
    ) -> Result<Option<Value>, Refused> {
        let what = format!("the {} {name:?}", resource.kind);
        let request = Request::new(resource.path(namespace)).get(name, &GetParams::default());
        let request = request.map_err(|e| Refused::invalid(format!("{what} cannot be asked for: {e}")))?;
        match fetch(self.client().await?, request, &what, &mut room).await? {
            Some(body) => object(&body, &what).map(|fields| Some(Value::Object(fields))),
            None => Ok(None),
        }
    }

    async fn list(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        selector: Option<String>,
    ) -> Result<Vec<String>, Refused> {
        let what = format!("a list of {}", resource.kind);
        let url = Request::new(resource.path(namespace));
        let mut params = ListParams { label_selector: selector, limit: Some(PAGE), ..ListParams::default() };
        let (mut found, mut room) = (Vec::new(), Room::of_the_asker());
        for _ in 0..MOST_PAGES {
            let request = url.list(&params).map_err(|e| Refused::invalid(format!("{what} cannot be asked for: {e}")))?;
            let body = fetch(self.client().await?, request, &what, &mut room).await?;
            let body = body.ok_or_else(|| Refused::new("not-found", format!("the Kubernetes API has no {what}")))?;
            let mut page = object(&body, &what)?;
            let Some(Value::Array(items)) = page.remove("items") else { return Err(fetch::garbage(&what)) };
            if found.len() + items.len() > MOST_OBJECTS {
                let message = format!("{what} holds more than {MOST_OBJECTS} objects; a label selector narrows it");
                return Err(Refused::new("too-large", message));
            }
            for item in items {
                found.push(resource.completed(item).ok_or_else(|| fetch::garbage(&what))?.to_string());
            }
            match page.get("metadata").and_then(|m| m["continue"].as_str()) {
                Some(token) if !token.is_empty() => params.continue_token = Some(token.to_owned()),
                _ => return Ok(found),
            }
        }
        Err(Refused::new("too-large", format!("{what} has more than {MOST_PAGES} pages")))
    }

    async fn client(&self) -> Result<&Client, Refused> {
        let connect = async || {
            let connected = client::connect(self.kubeconfig.as_deref()).await;
            connected.map_err(|error| Refused::new("unavailable", error.to_string()))
        };
        self.client.get_or_try_init(connect).await
    }
}

/// An answer that has to be a JSON object.
fn object(body: &[u8], what: &str) -> Result<Map<String, Value>, Refused> {
    serde_json::from_slice(body).map_err(|_| fetch::garbage(what))
}

async fn in_time<T>(work: impl Future<Output = Result<T, Refused>>) -> Result<T, Refused> {
    timeout(PATIENCE, work).await.unwrap_or_else(|_| {
        Err(Refused::new("timeout", format!("the Kubernetes API took longer than {}", humantime::format_duration(PATIENCE))))
    })
}
