//! Which Kubernetes objects may be read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::surroundings::{Ask, Refused};

/// Allows reads of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KubernetesGrant {
    /// As in a manifest: `v1`, `apps/v1`.
    pub api_version: String,
    /// As in a manifest: `Node`, `ConfigMap`.
    pub kind: String,
    /// Namespaces; none for kinds without one. `*` stands for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
    /// Names; any where none is given. A list is refused where names are given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

pub(super) fn permit(grants: &[KubernetesGrant], _ask: &Ask) -> Result<(), Refused> {
    let _ = grants;
    Err(Refused::denied("this Kubernetes object was not granted"))
}
