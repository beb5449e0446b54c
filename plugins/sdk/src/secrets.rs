//! Capability: secrets that the operator named for this plugin.
//!
//! ```
//! use runner_plugin::{fake, secrets};
//!
//! fake::secrets::set("token", "T0");
//! assert_eq!(secrets::get("token").unwrap().reveal(), "T0");
//! assert!(secrets::get("other").is_err());
//! ```

use std::fmt;

#[cfg(not(target_family = "wasm"))]
use crate::fake::secrets as host;
#[cfg(target_family = "wasm")]
use crate::guest::capabilities::secrets as host;
use crate::{Failure, Result};

/// A secret that is not read yet. `{:?}` does not show it.
pub struct Secret(host::Secret);

/// The secret that the operator's grants have under this name.
///
/// # Errors
/// There is none of this name.
pub fn get(name: &str) -> Result<Secret, Failure> {
    host::get(name).map(Secret)
}

impl Secret {
    /// Its text. Wherever the plugin says it again (a log line, a finding, an error), runner blots it out.
    pub fn reveal(&self) -> String {
        self.0.reveal()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
