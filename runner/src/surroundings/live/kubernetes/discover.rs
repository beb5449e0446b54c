//! What the API itself says of a kind: under which path its objects are, and whether they lie in namespaces.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::APIResourceList;
use kube::Client;
use serde_json::Value;

use super::fetch::{Room, fetch, garbage};
use crate::surroundings::Refused;

/// A kind of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resource {
    /// `v1`, `apps/v1`.
    pub(super) api_version: String,
    /// `Node`.
    pub(super) kind: String,
    /// `nodes`.
    pub(super) plural: String,
    /// Whether its objects lie in namespaces.
    pub(super) namespaced: bool,
}

/// Looks a kind up in the API's own list for this version.
pub(super) async fn find(client: &Client, api_version: &str, kind: &str) -> Result<Resource, Refused> {
    let what = format!("the kinds of {api_version}");
    let request = http::Request::get(root(api_version)).body(Vec::new());
    let request = request.map_err(|e| Refused::invalid(format!("{api_version:?} is not an apiVersion: {e}")))?;
    let unknown = |what: String| Refused::new("not-found", format!("the Kubernetes API knows no {what}"));
    let body = fetch(client, request, &what, &mut Room::of_our_own()).await?;
    let body = body.ok_or_else(|| unknown(format!("apiVersion {api_version:?}")))?;
    let list: APIResourceList = serde_json::from_slice(&body).map_err(|_| garbage(&what))?;
    // A subresource (`nodes/status`) has its parent's kind.
    let found = list.resources.into_iter().find(|r| r.kind == kind && !r.name.contains('/'));
    let found = found.ok_or_else(|| unknown(format!("kind {kind:?} in {api_version}")))?;
    // It becomes part of a path.
    if found.name.is_empty() || !found.name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.') {
        return Err(garbage(&what));
    }
    Ok(Resource {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        plural: found.name,
        namespaced: found.namespaced,
    })
}

impl Resource {
    /// Secrets, which every API has at this place.
    pub(super) fn secrets() -> Self {
        Self { api_version: "v1".into(), kind: "Secret".into(), plural: "secrets".into(), namespaced: true }
    }

    /// Where its objects are: in this namespace, or all there are.
    pub(super) fn path(&self, namespace: Option<&str>) -> String {
        let root = root(&self.api_version);
        match namespace {
            Some(namespace) => format!("{root}/namespaces/{namespace}/{}", self.plural),
            None => format!("{root}/{}", self.plural),
        }
    }

    /// An object of a list, with the version and kind that lists leave out. None where it is no object.
    pub(super) fn completed(&self, mut item: Value) -> Option<Value> {
        let fields = item.as_object_mut()?;
        fields.entry("apiVersion").or_insert_with(|| self.api_version.clone().into());
        fields.entry("kind").or_insert_with(|| self.kind.clone().into());
        Some(item)
    }
}

fn root(api_version: &str) -> String {
    let place = if api_version.contains('/') { "apis" } else { "api" };
    format!("/{place}/{api_version}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_lie_where_the_api_has_them() {
        let secrets = Resource::secrets();
        assert_eq!(secrets.path(Some("kube-system")), "/api/v1/namespaces/kube-system/secrets");
        let leases = Resource {
            api_version: "coordination.k8s.io/v1".into(),
            kind: "Lease".into(),
            plural: "leases".into(),
            namespaced: true,
        };
        assert_eq!(leases.path(None), "/apis/coordination.k8s.io/v1/leases");
    }

    #[test]
    fn objects_of_a_list_say_what_they_are() {
        let full = Resource::secrets().completed(serde_json::json!({ "kind": "Other" })).unwrap();
        assert_eq!(full, serde_json::json!({ "apiVersion": "v1", "kind": "Other" }));
        assert_eq!(Resource::secrets().completed(serde_json::json!("text")), None);
    }
}
