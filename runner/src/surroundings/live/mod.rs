//! The real world: one file for each capability.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Ask, Refused, Reply, Surroundings};
use crate::grants::{Grants, SecretSource};

use http::Http;
pub use http::{Resolve, SystemResolver};
use kubernetes::Kubernetes;
use secrets::Secrets;
pub use site::Site;

mod etcd;
mod http;
mod kubernetes;
mod probes;
mod random;
mod secrets;
mod site;

/// Answers from this node and its network.
#[derive(Clone, Default)]
pub struct Live {
    site: Site,
    kubernetes: Kubernetes,
    http: Http,
    secrets: Secrets,
}

impl Live {
    /// Answers about this site.
    pub fn new(site: Site) -> Self {
        Self::with_resolver(site, Arc::new(SystemResolver))
    }

    /// Answers about this site; names of HTTP servers are resolved by this one.
    pub fn with_resolver(site: Site, resolver: Arc<dyn Resolve>) -> Self {
        let kubernetes = Kubernetes::new(site.kubeconfig.clone());
        Self { site, kubernetes, http: Http::new(resolver), secrets: Secrets::default() }
    }

    /// The secret of this name: from memory, where it was read before.
    async fn secret(&self, plugin: &str, grants: &Grants, name: &str) -> Result<String, Refused> {
        match (self.secrets.known(plugin, name), grants.secrets.get(name)) {
            (Some(text), _) => Ok(text),
            (None, Some(source)) => self.read_secret(plugin, name, source).await,
            (None, None) => Err(Refused::denied(format!("the secret {name:?} was not granted"))),
        }
    }

    async fn read_secret(&self, plugin: &str, name: &str, source: &SecretSource) -> Result<String, Refused> {
        let text = match (secrets::local(source), source) {
            (Some(text), _) => text,
            (None, SecretSource::Kubernetes { namespace, name, key }) => self.kubernetes.secret(namespace, name, key).await,
            (None, _) => Err(Refused::new("failed", "it is nowhere that runner can read")),
        };
        self.secrets.keep(plugin, name, text)
    }
}

#[async_trait]
impl Surroundings for Live {
    async fn answer(&self, plugin: &str, grants: &Grants, ask: &Ask) -> Result<Reply, Refused> {
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
            Ask::Http(request) => self.http.send(grants, request).await,
            Ask::EtcdGet { .. } | Ask::EtcdList { .. } | Ask::EtcdStatus { .. } => etcd::answer(&self.site, ask).await,
            Ask::Secret { name } => self.secret(plugin, grants, name).await.map(Reply::Secret),
        }
    }

    async fn prepare(&self, plugin: &str, grants: &Grants) -> Result<Vec<(String, String)>, Refused> {
        let mut secrets = Vec::new();
        for (name, source) in &grants.secrets {
            secrets.push((name.clone(), self.read_secret(plugin, name, source).await?));
        }
        Ok(secrets)
    }
}
