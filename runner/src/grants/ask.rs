//! Questions, one for each function of the contract's capabilities.

use serde::{Deserialize, Serialize};

/// What a plugin asks. In files: one key, the question's name, as in `fsync: { directory: /var/lib/etcd, writes: 100 }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Ask {
    /// Random bytes.
    Random {
        /// How many; at most 4096.
        len: u32,
    },
    /// One HTTP request.
    Http(HttpRequest),
    /// One Kubernetes object.
    KubernetesGet {
        /// As in a manifest.
        api_version: String,
        /// As in a manifest.
        kind: String,
        /// None for kinds without one.
        namespace: Option<String>,
        /// The object's name.
        name: String,
    },
    /// Several Kubernetes objects.
    KubernetesList {
        /// As in a manifest.
        api_version: String,
        /// As in a manifest.
        kind: String,
        /// None for kinds without one, and for all namespaces.
        namespace: Option<String>,
        /// A label selector.
        selector: Option<String>,
    },
    /// How long small synchronous writes take.
    Fsync {
        /// Where to write.
        directory: String,
        /// How often; 1 to 1000.
        writes: u32,
    },
    /// The space of a file system.
    DiskSpace {
        /// A path on it.
        path: String,
    },
    /// This node's main memory.
    Memory,
    /// How long connecting takes.
    Connect {
        /// The target.
        url: String,
        /// How often; 1 to 100.
        times: u32,
    },
    /// The largest packet on the way to a target.
    PathMtu {
        /// The target.
        url: String,
    },
    /// The difference of this node's clock and another's.
    ClockOffset {
        /// The target.
        url: String,
    },
    /// The certificates in a file.
    Certificates {
        /// The PEM file.
        path: String,
    },
    /// The certificates that a target shows.
    CertificatesOf {
        /// The target.
        url: String,
    },
    /// One key of etcd.
    EtcdGet {
        /// The key.
        key: String,
    },
    /// Several keys of etcd.
    EtcdList {
        /// What they begin with.
        prefix: String,
        /// At most so many; 1 to 1000.
        limit: u32,
    },
    /// A member's own status.
    EtcdStatus {
        /// The member's id in lower-case hex.
        member: String,
    },
    /// A secret.
    Secret {
        /// Its name in the grants.
        name: String,
    },
}

/// An HTTP request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpRequest {
    /// In capitals.
    pub method: String,
    /// The target.
    pub url: String,
    /// In the order of the plugin.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<Header>,
    /// Empty for most methods.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "super::bytes")]
    pub body: Vec<u8>,
    /// For the whole exchange.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u32>,
}

/// A header of a request or response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}
