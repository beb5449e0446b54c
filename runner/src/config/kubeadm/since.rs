//! Keys that only one of the two versions has.

use std::path::Path;

use super::version::DocumentVersion::{self, V1Beta3, V1Beta4};
use crate::config::mistake::Mistake;
use crate::config::yaml::Node;

/// Kind, path, the version that has it, and what the other one has in its place.
const ONLY: &[(&str, &str, DocumentVersion, &str)] = &[
    ("InitConfiguration", "dryRun", V1Beta4, "kubeadm's flag --dry-run does the same"),
    ("InitConfiguration", "timeouts", V1Beta4, "v1beta3 has apiServer.timeoutForControlPlane in the ClusterConfiguration"),
    ("JoinConfiguration", "dryRun", V1Beta4, "kubeadm's flag --dry-run does the same"),
    ("JoinConfiguration", "timeouts", V1Beta4, "v1beta3 has discovery.timeout"),
    ("JoinConfiguration", "discovery.timeout", V1Beta3, "v1beta4 has timeouts.discovery"),
    ("InitConfiguration", "nodeRegistration.imagePullSerial", V1Beta4, "leave it away"),
    ("JoinConfiguration", "nodeRegistration.imagePullSerial", V1Beta4, "leave it away"),
    ("ClusterConfiguration", "etcd.local.extraEnvs", V1Beta4, "leave it away"),
    ("ClusterConfiguration", "apiServer.extraEnvs", V1Beta4, "leave it away"),
    (
        "ClusterConfiguration",
        "apiServer.timeoutForControlPlane",
        V1Beta3,
        "v1beta4 has timeouts.controlPlaneComponentHealthCheck in the InitConfiguration and the JoinConfiguration",
    ),
    ("ClusterConfiguration", "proxy", V1Beta4, "kubeadm's phase addon/kube-proxy can be skipped"),
    ("ClusterConfiguration", "encryptionAlgorithm", V1Beta4, "v1beta3 has the feature gate PublicKeysECDSA"),
    ("ClusterConfiguration", "certificateValidityPeriod", V1Beta4, "leave it away"),
    ("ClusterConfiguration", "caCertificateValidityPeriod", V1Beta4, "leave it away"),
];

/// Refuses a key that is the other version's.
pub(super) fn check(file: &Path, document: &Node, kind: &str, version: DocumentVersion) -> Result<(), Mistake> {
    for (of, path, only, instead) in ONLY {
        if *of != kind || *only == version {
            continue;
        }
        let keys: Vec<&str> = path.split('.').collect();
        if let Some(place) = document.key_place(&keys) {
            let mut mistake = Mistake::of_file(file, format!("{version} has no such key, only {only} has")).at(place);
            mistake.path = (*path).to_owned();
            return Err(mistake.hint(*instead));
        }
    }
    Ok(())
}
