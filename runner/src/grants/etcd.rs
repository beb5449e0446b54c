//! What may be read from etcd.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::surroundings::{Ask, Refused};

/// Allows reads from etcd.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct EtcdGrant {
    /// Members' own status.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub status: bool,
    /// Prefixes of keys: `/registry/leases/`. A prefix that does not end in `/` also covers the key of just that name, and
    /// nothing that merely begins like it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prefixes: Vec<String>,
}

pub(super) fn permit(grant: Option<&EtcdGrant>, _ask: &Ask) -> Result<(), Refused> {
    let _ = grant;
    Err(Refused::denied("this read from etcd was not granted"))
}
