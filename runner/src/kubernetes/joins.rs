//! Joins that are under way, as Kubernetes shows them to whoever looks. Changes nothing.

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ConfigMap;
use serde::Serialize;

use super::herald::Entry;
use super::lease::Holder;
use super::{Api, ApiError, Names};

/// What Kubernetes shows of joins.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Joins {
    /// Who holds the Lease; none where nobody does.
    pub lease: Option<Holder>,
    /// The nodes' entries: there while a join is under way, and where one was left unfinished.
    pub entries: Vec<Entry>,
}

/// Reads the Lease and the progress ConfigMap. Neither says that its join still lives: a runner that was killed leaves both.
///
/// # Errors
/// The API does not answer, or denies it.
pub async fn joins(api: &Api, names: &Names, now: Timestamp) -> Result<Joins, ApiError> {
    let namespace = Some(names.namespace.as_str());
    let lease = there(api.get::<Lease>(namespace, &names.lease).await)?;
    let map = there(api.get::<ConfigMap>(namespace, &names.progress).await)?;
    let data = map.and_then(|map| map.data).unwrap_or_default();
    Ok(Joins {
        lease: lease.and_then(|lease| Holder::of(&lease, now)),
        entries: data.iter().filter_map(|(node, text)| Entry::read(node, text)).collect(),
    })
}

/// None for what is not there.
fn there<T>(got: Result<T, ApiError>) -> Result<Option<T>, ApiError> {
    match got {
        Ok(object) => Ok(Some(object)),
        Err(ApiError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
