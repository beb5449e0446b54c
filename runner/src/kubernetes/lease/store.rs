//! Where the Lease is kept, behind a trait: the API, or a test's memory.

use std::sync::Arc;

use async_trait::async_trait;
use k8s_openapi::api::coordination::v1::Lease;

use crate::kubernetes::{Api, ApiError};

/// The API's four verbs for one Lease, with its own rules: a write that is based on an old `resourceVersion` is a conflict.
#[async_trait]
pub trait LeaseStore: Send + Sync {
    /// The Lease; none where there is none.
    async fn get(&self) -> Result<Option<Lease>, ApiError>;

    /// Makes it. [`ApiError::Conflict`] where it is there.
    async fn create(&self, lease: &Lease) -> Result<Lease, ApiError>;

    /// Changes it. [`ApiError::Conflict`] where it was changed since, [`ApiError::NotFound`] where it is gone.
    async fn replace(&self, lease: &Lease) -> Result<Lease, ApiError>;

    /// Removes it as it was seen. [`ApiError::Conflict`] where it was changed since.
    async fn delete(&self, seen: &Lease) -> Result<(), ApiError>;

    /// A word that what comes next is worth a try, even if the API was silent a moment ago.
    fn try_anew(&self);
}

/// The Lease of this name in the API.
pub struct ApiLease {
    api: Arc<Api>,
    namespace: String,
    name: String,
}

impl ApiLease {
    /// Asks nothing yet.
    pub fn new(api: Arc<Api>, namespace: String, name: String) -> Self {
        Self { api, namespace, name }
    }
}

#[async_trait]
impl LeaseStore for ApiLease {
    async fn get(&self) -> Result<Option<Lease>, ApiError> {
        match self.api.get(Some(&self.namespace), &self.name).await {
            Ok(lease) => Ok(Some(lease)),
            Err(ApiError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn create(&self, lease: &Lease) -> Result<Lease, ApiError> {
        self.api.create(Some(&self.namespace), lease).await
    }

    async fn replace(&self, lease: &Lease) -> Result<Lease, ApiError> {
        self.api.replace(Some(&self.namespace), lease).await
    }

    async fn delete(&self, seen: &Lease) -> Result<(), ApiError> {
        self.api.delete(Some(&self.namespace), seen).await
    }

    fn try_anew(&self) {
        self.api.try_anew();
    }
}
