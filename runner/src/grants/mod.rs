//! What an operator grants one plugin beyond the facts: data, and the one place that says yes or no.
//!
//! Every capability of the contract comes down to one [`Ask`] and one [`Reply`], which are data, too.
//!
//! Nothing here opens a connection or reads a file. What is not granted is refused twice: at load, by the name of the interface
//! that the component imports, and at every call, by what it asks for.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use ask::{Ask, Header, HttpRequest};
pub use etcd::EtcdGrant;
pub use http::HttpGrant;
pub use kubernetes::KubernetesGrant;
pub(crate) use kubernetes::{permit_scope, sensible_place};
pub use probes::ProbesGrant;
pub use reply::{Certificate, ClockOffset, Entry, HttpResponse, Latency, MemberStatus, Refused, Reply, Space};
pub use secrets::SecretSource;
pub(crate) use target::Target;

mod ask;
mod bytes;
mod etcd;
pub(crate) mod http;
mod kubernetes;
mod paths;
mod probes;
mod reply;
mod say;
mod secrets;
mod target;

/// What one plugin may use. The default is nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Grants {
    /// Random bytes.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub random: bool,
    /// Outgoing HTTP requests; one entry is enough to allow a request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<HttpGrant>,
    /// Reads from the Kubernetes API; one entry is enough to allow a read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kubernetes: Vec<KubernetesGrant>,
    /// Measurements on this node and of the way to others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probes: Option<ProbesGrant>,
    /// Reads from etcd.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etcd: Option<EtcdGrant>,
    /// Secrets, by the name that the plugin knows them under.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, SecretSource>,
}

/// A capability of the contract: an interface that is linked only when it was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Capability {
    /// Random bytes.
    Random,
    /// Outgoing HTTP.
    Http,
    /// Reads from the Kubernetes API.
    Kubernetes,
    /// Measurements on this node.
    Probes,
    /// Reads from etcd.
    Etcd,
    /// Named secrets.
    Secrets,
}

impl Capability {
    /// Every capability.
    pub const ALL: [Self; 6] = [Self::Random, Self::Http, Self::Kubernetes, Self::Probes, Self::Etcd, Self::Secrets];

    /// Its name: that of its interface in the contract, and of its key in the grants.
    pub fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Http => "http",
            Self::Kubernetes => "kubernetes",
            Self::Probes => "probes",
            Self::Etcd => "etcd",
            Self::Secrets => "secrets",
        }
    }

    /// What a plugin that imports it asks for, as the end of a sentence that begins with "it wants to".
    pub fn wish(self) -> &'static str {
        match self {
            Self::Random => "take random bytes (recorded with the run)",
            Self::Http => "send HTTP requests (to the hosts that you grant)",
            Self::Kubernetes => "read Kubernetes objects (of the kinds and namespaces that you grant)",
            Self::Probes => "measure this node's disk, clock, memory and network (on the paths and targets that you grant)",
            Self::Etcd => "read from etcd (members' status, and keys under the prefixes that you grant)",
            Self::Secrets => "read secrets (those that you name for it)",
        }
    }

    /// What it gives a plugin, in a few words.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Random => "random bytes",
            Self::Http => "outgoing HTTP requests",
            Self::Kubernetes => "reads from the Kubernetes API",
            Self::Probes => "measurements on this node",
            Self::Etcd => "reads from etcd",
            Self::Secrets => "named secrets",
        }
    }

    /// How its grant is written in a policy file, as an example.
    pub fn example(self) -> &'static str {
        match self {
            Self::Random => "true",
            Self::Http => "[{ hosts: [hooks.example.com], methods: [POST] }]",
            Self::Kubernetes => "[{ apiVersion: v1, kind: ConfigMap, namespaces: [kube-system] }]",
            Self::Probes => "{ fsync: [/var/lib/etcd], members: true }",
            Self::Etcd => "{ status: true, prefixes: [/registry/leases/] }",
            Self::Secrets => "{ token: { file: /etc/runner/token } }",
        }
    }

    /// The capability of this name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|capability| capability.name() == name)
    }
}

impl Grants {
    /// Whether anything of this capability is granted: whether its interface is linked at all.
    pub fn has(&self, capability: Capability) -> bool {
        match capability {
            Capability::Random => self.random,
            Capability::Http => !self.http.is_empty(),
            Capability::Kubernetes => !self.kubernetes.is_empty(),
            Capability::Probes => self.probes.is_some(),
            Capability::Etcd => self.etcd.is_some(),
            Capability::Secrets => !self.secrets.is_empty(),
        }
    }

    /// Says whether this may be asked.
    ///
    /// Targets that are known only later (the addresses of a name, where a redirect leads) are put before the grants again by
    /// whoever learns them.
    ///
    /// # Errors
    ///
    /// The refusal that the plugin sees, of kind `denied` or `invalid`.
    pub fn permit(&self, ask: &Ask) -> Result<(), Refused> {
        match ask {
            Ask::Random { .. } if self.random => Ok(()),
            Ask::Random { .. } => Err(Refused::denied("random bytes were not granted")),
            Ask::Http(request) => http::permit(&self.http, request),
            Ask::KubernetesGet { .. } | Ask::KubernetesList { .. } => kubernetes::permit(&self.kubernetes, ask),
            Ask::Fsync { .. }
            | Ask::DiskSpace { .. }
            | Ask::Memory
            | Ask::Connect { .. }
            | Ask::PathMtu { .. }
            | Ask::ClockOffset { .. }
            | Ask::Certificates { .. }
            | Ask::CertificatesOf { .. } => probes::permit(self.probes.as_ref(), ask),
            Ask::EtcdGet { .. } | Ask::EtcdList { .. } | Ask::EtcdStatus { .. } => etcd::permit(self.etcd.as_ref(), ask),
            Ask::Secret { name } if self.secrets.contains_key(name) => Ok(()),
            Ask::Secret { name } => Err(Refused::denied(format!("the secret {name:?} was not granted"))),
        }
    }
}
