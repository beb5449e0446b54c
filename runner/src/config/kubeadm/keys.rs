//! The keys that kubeadm's documents may have, as types. Only what concerns etcd's member is kept; the rest is known, so that an unknown
//! key can be told from one that is somebody else's business.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::quantities::GoDuration;

/// A value that is not looked at, and so never shown: secrets, and what only kubeadm needs.
type Unread = IgnoredAny;

/// Types of mappings whose keys may all be left out, and no others may be there.
macro_rules! mappings {
    ($($name:ident { $($(#[$attribute:meta])* $field:ident: $of:ty,)* })*) => { $(
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields, default)]
        #[allow(dead_code, reason = "keys that are known and not used")]
        pub(super) struct $name {
            $($(#[$attribute])* pub(super) $field: $of,)*
        }
    )* };
}

mappings! {
    Init {
        api_version: Unread,
        kind: Unread,
        bootstrap_tokens: Unread,
        dry_run: Option<bool>,
        node_registration: Option<NodeRegistration>,
        #[serde(rename = "localAPIEndpoint")]
        local_api_endpoint: Option<ApiEndpoint>,
        certificate_key: Unread,
        skip_phases: Option<Vec<String>>,
        patches: Option<Patches>,
        timeouts: Option<Timeouts>,
    }
    Join {
        api_version: Unread,
        kind: Unread,
        dry_run: Option<bool>,
        node_registration: Option<NodeRegistration>,
        ca_cert_path: Unread,
        discovery: Option<Discovery>,
        control_plane: Option<ControlPlane>,
        skip_phases: Option<Vec<String>>,
        patches: Option<Patches>,
        timeouts: Option<Timeouts>,
    }
    Cluster {
        api_version: Unread,
        kind: Unread,
        etcd: Option<Etcd>,
        networking: Unread,
        kubernetes_version: Option<String>,
        control_plane_endpoint: Unread,
        api_server: Option<ApiServer>,
        controller_manager: Unread,
        scheduler: Unread,
        dns: Unread,
        proxy: Unread,
        certificates_dir: Option<String>,
        image_repository: Option<String>,
        feature_gates: Option<BTreeMap<String, bool>>,
        cluster_name: Unread,
        encryption_algorithm: Unread,
        certificate_validity_period: Unread,
        ca_certificate_validity_period: Unread,
    }
    NodeRegistration {
        name: Option<String>,
        cri_socket: Option<String>,
        taints: Option<Vec<Taint>>,
        kubelet_extra_args: Unread,
        ignore_preflight_errors: Unread,
        image_pull_policy: Unread,
        image_pull_serial: Unread,
    }
    Taint {
        key: Option<String>,
        value: Option<String>,
        effect: Option<String>,
        time_added: Unread,
    }
    ApiEndpoint {
        advertise_address: Option<String>,
        bind_port: Option<i32>,
    }
    ControlPlane {
        #[serde(rename = "localAPIEndpoint")]
        local_api_endpoint: Option<ApiEndpoint>,
        certificate_key: Unread,
    }
    Discovery {
        bootstrap_token: Unread,
        file: Unread,
        tls_bootstrap_token: Unread,
        timeout: Option<GoDuration>,
    }
    Patches {
        directory: Option<String>,
    }
    Timeouts {
        control_plane_component_health_check: Option<GoDuration>,
        kubelet_health_check: Option<GoDuration>,
        #[serde(rename = "kubernetesAPICall")]
        kubernetes_api_call: Option<GoDuration>,
        #[serde(rename = "etcdAPICall")]
        etcd_api_call: Option<GoDuration>,
        tls_bootstrap: Option<GoDuration>,
        discovery: Option<GoDuration>,
        upgrade_manifests: Option<GoDuration>,
    }
    ApiServer {
        extra_args: Unread,
        extra_volumes: Unread,
        extra_envs: Unread,
        #[serde(rename = "certSANs")]
        cert_sans: Unread,
        timeout_for_control_plane: Option<GoDuration>,
    }
    Etcd {
        local: Option<LocalEtcd>,
        external: Option<Unread>,
    }
    LocalEtcd {
        image_repository: Option<String>,
        image_tag: Option<String>,
        data_dir: Option<String>,
        extra_args: Option<Arguments>,
        extra_envs: Option<Vec<Environment>>,
        #[serde(rename = "serverCertSANs")]
        server_cert_sans: Option<Vec<String>>,
        #[serde(rename = "peerCertSANs")]
        peer_cert_sans: Option<Vec<String>>,
    }
    Argument {
        name: String,
        value: String,
    }
    Environment {
        name: String,
        value: Option<String>,
        value_from: Option<Unread>,
    }
}

/// Further arguments: a mapping in v1beta3, a list since. Which of them it may be is checked where the version is known.
pub(super) enum Arguments {
    Mapping(Vec<(String, String)>),
    List(Vec<(String, String)>),
}

impl<'de> Deserialize<'de> for Arguments {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Arguments;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of names and values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Arguments, A::Error> {
                let mut all = Vec::new();
                while let Some(entry) = entries.next_entry()? {
                    all.push(entry);
                }
                Ok(Arguments::Mapping(all))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Arguments, A::Error> {
                let mut all = Vec::new();
                while let Some(Argument { name, value }) = items.next_element()? {
                    all.push((name, value));
                }
                Ok(Arguments::List(all))
            }
        }

        deserializer.deserialize_any(Either)
    }
}
