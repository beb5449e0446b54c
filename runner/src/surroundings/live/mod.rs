//! The real world: one file for each capability.

use async_trait::async_trait;

use super::{Ask, Refused, Reply, Surroundings};
use crate::grants::Grants;

use kubernetes::Kubernetes;
pub use site::Site;

mod kubernetes;
mod probes;
mod random;
mod site;

/// Answers from this node and its network.
#[derive(Clone, Default)]
pub struct Live {
    site: Site,
    kubernetes: Kubernetes,
}

impl Live {
    /// Answers about this site.
    pub fn new(site: Site) -> Self {
        Self { kubernetes: Kubernetes::new(site.kubeconfig.clone()), site }
    }
}

#[async_trait]
impl Surroundings for Live {
    async fn answer(&self, _plugin: &str, grants: &Grants, ask: &Ask) -> Result<Reply, Refused> {
        match ask {
            Ask::Random { len } => Ok(random::bytes(*len)),
            Ask::KubernetesGet { .. } | Ask::KubernetesList { .. } => self.kubernetes.answer(grants, ask).await,
            Ask::Fsync { .. }
            | Ask::DiskSpace { .. }
            | Ask::Memory
            | Ask::Connect { .. }
            | Ask::PathMtu { .. }
            | Ask::ClockOffset { .. }
            | Ask::Certificates { .. }
            | Ask::CertificatesOf { .. } => probes::answer(&self.site, grants, ask).await,
            _ => Err(Refused::new("unavailable", "this runner cannot answer that here")),
        }
    }
}
