//! Capability: reads from the Kubernetes API, of the kinds and namespaces that the operator granted.
//!
//! ```
//! use runner_plugin::kubernetes::Resource;
//! use runner_plugin::fake;
//! use serde_json::json;
//!
//! fn frozen() -> runner_plugin::Result<bool> {
//!     let freeze = Resource::new("v1", "ConfigMap").namespace("ops").get("change-freeze")?;
//!     Ok(freeze.is_some_and(|it| it["data"]["frozen"] == "true"))
//! }
//!
//! assert!(!frozen().unwrap());
//! fake::kubernetes::add(json!({
//!     "apiVersion": "v1", "kind": "ConfigMap",
//!     "metadata": { "namespace": "ops", "name": "change-freeze" },
//!     "data": { "frozen": "true" },
//! }));
//! assert!(frozen().unwrap());
//! ```

use serde::de::DeserializeOwned;
use serde_json::Value;

#[cfg(not(target_family = "wasm"))]
use crate::fake::kubernetes as host;
#[cfg(target_family = "wasm")]
use crate::guest::capabilities::kubernetes as host;
use crate::{Failure, FailureKind, Result};

/// A kind of objects, in one namespace, in all of them, or without any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// As in a manifest: `v1`, `apps/v1`.
    pub api_version: String,
    /// As in a manifest: `Node`, `Deployment`.
    pub kind: String,
    /// None for kinds that have none, and for a list over all namespaces.
    pub namespace: Option<String>,
}

impl Resource {
    /// This kind, without a namespace.
    pub fn new(api_version: impl Into<String>, kind: impl Into<String>) -> Self {
        Self { api_version: api_version.into(), kind: kind.into(), namespace: None }
    }

    /// The same, in this namespace.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// The object of this name; none where there is none.
    ///
    /// # Errors
    /// Not granted, or the API could not be asked.
    pub fn get(&self, name: &str) -> Result<Option<Value>, Failure> {
        self.get_as(name)
    }

    /// [`get`](Self::get), read into a type of yours.
    ///
    /// # Errors
    /// Also where the object does not fit the type.
    pub fn get_as<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Failure> {
        let found = host::get(&self.api_version, &self.kind, self.namespace.as_deref(), name)?;
        found.map(|json| self.read(&json)).transpose()
    }

    /// The objects in the order of the API; of those only that match the label selector (`app=etcd,tier!=x`), if one is given.
    ///
    /// # Errors
    /// Not granted, or the API could not be asked.
    pub fn list(&self, selector: Option<&str>) -> Result<Vec<Value>, Failure> {
        self.list_as(selector)
    }

    /// [`list`](Self::list), each read into a type of yours.
    ///
    /// # Errors
    /// Also where an object does not fit the type.
    pub fn list_as<T: DeserializeOwned>(&self, selector: Option<&str>) -> Result<Vec<T>, Failure> {
        let found = host::list(&self.api_version, &self.kind, self.namespace.as_deref(), selector)?;
        found.iter().map(|json| self.read(json)).collect()
    }

    fn read<T: DeserializeOwned>(&self, json: &str) -> Result<T, Failure> {
        serde_json::from_str(json)
            .map_err(|e| Failure::new(FailureKind::Failed, format!("a {} cannot be read: {e}", self.kind)))
    }
}
