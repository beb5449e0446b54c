//! What the members run on, behind a trait: Kubernetes' nodes, where there are any.

use async_trait::async_trait;

use super::{Finding, Newcomer};
use crate::cluster::View;

/// The platform around etcd. Nothing that a join, a resume or a rollback depends on: whatever goes wrong here is a finding, and
/// every answer comes within seconds.
#[async_trait]
pub trait Platform: Send + Sync {
    /// Judges the machines under the members, and that of the newcomer. Changes nothing. That they cannot be judged is a finding,
    /// too.
    async fn check(&self, view: &View, newcomer: &Newcomer) -> Vec<Finding>;

    /// The newcomer is a verified voter: does what the platform was asked to do then. May be called again for the same voter.
    async fn joined(&self) -> Vec<Finding>;
}
