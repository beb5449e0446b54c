//! Where a named secret comes from.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a secret is. The secret itself is read when the plugins are loaded, and is never written down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum SecretSource {
    /// A file; one newline at its end is not part of the secret.
    File(PathBuf),
    /// An environment variable of the runner.
    Env(String),
    /// A key of a Kubernetes Secret.
    Kubernetes {
        /// The Secret's namespace.
        namespace: String,
        /// The Secret's name.
        name: String,
        /// The key in its data.
        key: String,
    },
}
