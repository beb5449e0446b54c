//! What may be measured, and where.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::surroundings::{Ask, Refused};

/// Allows measurements.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ProbesGrant {
    /// Directories in which (and below which) writes may be timed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fsync: Vec<PathBuf>,
    /// Directories whose file system's space may be read, and what is below them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub disk_space: Vec<PathBuf>,
    /// This node's main memory.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub memory: bool,
    /// Connections to, clocks of and certificates of every member's peer and client URLs.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub members: bool,
    /// The same for further targets: `host:port`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
    /// PEM files whose certificates may be looked at, or directories of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<PathBuf>,
}

pub(super) fn permit(grant: Option<&ProbesGrant>, _ask: &Ask) -> Result<(), Refused> {
    let _ = grant;
    Err(Refused::denied("this measurement was not granted"))
}
