//! What a ClusterConfiguration says about the members of its cluster.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::documents::{Documents, Notice, Reader};
use super::keys::{self, Arguments};
use super::quantities::San;
use super::version::{DocumentVersion, KubernetesVersion};
use crate::config::mistake::{Mistake, Place};
use crate::config::yaml::Node;

/// The gate that turned learners on, while it was there.
const LEARNER_GATE: &str = "EtcdLearnerMode";
/// The gate by which the kubelet talks to its own node's API server, so that etcd has to join before it.
const LOCAL_GATE: &str = "ControlPlaneKubeletLocalMode";

/// A cluster, as its document has it. What the document does not say is none.
#[derive(Clone, Debug)]
pub struct ClusterDocument {
    /// The document's version.
    pub version: DocumentVersion,
    /// The Kubernetes version.
    pub kubernetes_version: Option<KubernetesVersion>,
    /// The folder with the certificates.
    pub certificates_dir: Option<PathBuf>,
    /// Where images come from, etcd's too unless it has its own.
    pub image_repository: Option<String>,
    /// etcd's data directory.
    pub data_dir: Option<PathBuf>,
    /// Where etcd's image comes from.
    pub etcd_image_repository: Option<String>,
    /// The tag of etcd's image.
    pub etcd_image_tag: Option<String>,
    /// Further arguments of etcd, without leading dashes, in the order of the document (of a mapping: by name, as kubeadm has them); a
    /// name may stand there several times.
    pub extra_args: Vec<(String, String)>,
    /// Further variables of etcd's environment.
    pub extra_envs: Vec<(String, String)>,
    /// Further names of the member's server certificate.
    pub server_sans: Vec<San>,
    /// Further names of the member's peer certificate.
    pub peer_sans: Vec<San>,
    /// For a component of the control plane to be healthy; v1beta3 only, where the node's document cannot say it.
    pub control_plane_health: Option<Duration>,
    /// The feature gate ControlPlaneKubeletLocalMode, where it is set.
    pub kubelet_local_mode: Option<bool>,
    /// Where the gate EtcdLearnerMode is set; it is `true` then.
    learner_gate: Option<Place>,
}

impl ClusterDocument {
    /// Reads the text of a ClusterConfiguration that is no file: of the ConfigMap `kubeadm-config`, say. `name` is what messages call it.
    ///
    /// Some kubeadm has written it, perhaps a newer one than this runner: a key that is unknown here is a notice and no mistake.
    ///
    /// # Errors
    ///
    /// The first mistake in it, with its place.
    pub fn from_text(name: &str, text: &str) -> Result<(Self, Vec<Notice>), Mistake> {
        let documents = Documents::lenient(Path::new(name), text.as_bytes())?;
        let nothing = || Mistake::of_file(Path::new(name), "holds no ClusterConfiguration");
        Ok((documents.cluster.ok_or_else(nothing)?, documents.notices))
    }

    /// etcd's image, by what the document says of it and `default` (repository and tag); none where it says nothing.
    pub fn etcd_image(&self, default: (&str, &str)) -> Option<String> {
        let repository = self.etcd_image_repository.as_deref().or(self.image_repository.as_deref());
        let tag = self.etcd_image_tag.as_deref();
        (repository.is_some() || tag.is_some())
            .then(|| format!("{}/etcd:{}", repository.unwrap_or(default.0).trim_end_matches('/'), tag.unwrap_or(default.1)))
    }

    /// What is to be said of the gate EtcdLearnerMode to somebody with this minor version of Kubernetes (`33` of 1.33).
    pub fn learner_gate_notice(&self, file: &Path, minor: u32) -> Option<Notice> {
        let place = self.learner_gate?;
        let what = match minor {
            ..27 => format!(
                "Kubernetes 1.{minor} does not know {LEARNER_GATE}, which came with 1.27; runner joins as a learner anyway"
            ),
            27..=32 => return None,
            33.. => format!(
                "the gate {LEARNER_GATE} is gone since Kubernetes 1.33 and kubeadm 1.{minor} refuses it; runner joins as a learner anyway"
            ),
        };
        let mut mistake = Mistake::of_file(file, what).at(place);
        mistake.path = format!("featureGates.{LEARNER_GATE}");
        Some(Notice::of(mistake.hint("take it out of the file")))
    }

    /// Reads a document that is known to be a ClusterConfiguration.
    pub(super) fn read(reader: &mut Reader<'_>, document: &Node, version: DocumentVersion) -> Result<Self, Mistake> {
        let keys: keys::Cluster = reader.decode(document, "ClusterConfiguration", version)?;
        let etcd = keys.etcd.unwrap_or_default();
        if etcd.external.is_some() {
            let what = "this cluster's etcd is external, and runner joins members that live on control-plane nodes";
            return Err(reader.at(document, &["etcd", "external"], what).hint(
                "run `runner join --endpoints …` on the new etcd host itself, without this file; kubeadm joins this node without etcd",
            ));
        }
        let gates = keys.feature_gates.unwrap_or_default();
        let gate = ["featureGates", LEARNER_GATE];
        if gates.get(LEARNER_GATE) == Some(&false) {
            let what = "without learner mode a member votes before it has the data; runner always joins as a learner";
            return Err(reader
                .at(document, &gate, what)
                .hint(format!("take {LEARNER_GATE} out of the file, or set it to true")));
        }
        let local = etcd.local.unwrap_or_default();
        let under = |key| ["etcd", "local", key];
        let health = keys.api_server.unwrap_or_default().timeout_for_control_plane;
        let kubernetes_version = keys.kubernetes_version.filter(|text| !text.is_empty()).map(|text| text.parse());
        let wrong_version = |what: String| reader.at(document, &["kubernetesVersion"], what);
        let text = |text: Option<String>| text.filter(|text| !text.is_empty());
        let cluster = Self {
            version,
            kubernetes_version: kubernetes_version.transpose().map_err(wrong_version)?,
            certificates_dir: reader.folder(document, &["certificatesDir"], keys.certificates_dir)?,
            image_repository: text(keys.image_repository),
            data_dir: reader.folder(document, &under("dataDir"), local.data_dir)?,
            etcd_image_repository: text(local.image_repository),
            etcd_image_tag: text(local.image_tag),
            extra_args: arguments(reader, document, &under("extraArgs"), version, local.extra_args)?,
            extra_envs: environment(reader, document, &under("extraEnvs"), local.extra_envs)?,
            server_sans: sans(reader, document, &under("serverCertSANs"), local.server_cert_sans)?,
            peer_sans: sans(reader, document, &under("peerCertSANs"), local.peer_cert_sans)?,
            control_plane_health: reader.time(document, &["apiServer", "timeoutForControlPlane"], health)?,
            kubelet_local_mode: gates.get(LOCAL_GATE).copied(),
            learner_gate: gates.contains_key(LEARNER_GATE).then(|| document.key_place(&gate)).flatten(),
        };
        let minor = cluster.kubernetes_version.as_ref().and_then(|version| version.minor);
        if let Some(notice) = minor.and_then(|minor| cluster.learner_gate_notice(reader.file, minor)) {
            reader.notices.push(notice);
        }
        Ok(cluster)
    }
}

fn arguments(
    reader: &Reader<'_>,
    document: &Node,
    path: &[&str],
    version: DocumentVersion,
    given: Option<Arguments>,
) -> Result<Vec<(String, String)>, Mistake> {
    let arguments = match (given, version) {
        (None, _) => return Ok(Vec::new()),
        (Some(Arguments::Mapping(mut all)), DocumentVersion::V1Beta3) => {
            all.sort();
            all
        }
        (Some(Arguments::List(all)), DocumentVersion::V1Beta4) => all,
        (Some(Arguments::List(_)), DocumentVersion::V1Beta3) => {
            let what = "v1beta3 has a mapping here, not a list";
            return Err(reader.at(document, path, what).hint("write `name: value`, a line each, or change to v1beta4"));
        }
        (Some(Arguments::Mapping(_)), DocumentVersion::V1Beta4) => {
            let what = "v1beta4 has a list here, not a mapping";
            let how = "write `- name: …` and `value: …` for each, or let `kubeadm config migrate` do it";
            return Err(reader.at(document, path, what).hint(how));
        }
    };
    for (i, (name, _)) in arguments.iter().enumerate() {
        let wrong = match name.strip_prefix('-') {
            _ if name.is_empty() => "an argument without a name".to_owned(),
            Some(_) => format!("{name:?} begins with a dash, and kubeadm puts two before it"),
            None => continue,
        };
        let bare = name.trim_start_matches('-');
        let how = if bare.is_empty() { "take it away".to_owned() } else { format!("write {bare}") };
        return Err(reader.at_item(document, path, i, name, wrong).hint(how));
    }
    Ok(arguments)
}

fn environment(
    reader: &Reader<'_>,
    document: &Node,
    path: &[&str],
    given: Option<Vec<keys::Environment>>,
) -> Result<Vec<(String, String)>, Mistake> {
    let mut all = Vec::new();
    for (i, variable) in given.unwrap_or_default().into_iter().enumerate() {
        let name = variable.name;
        if name.is_empty() || name.contains(['=', '\0']) {
            let what = format!("{name:?} cannot be a variable's name");
            return Err(reader.at_item(document, path, i, "", what).hint("use letters, digits and `_`"));
        }
        if variable.value_from.is_some() {
            let what = format!("{name} comes from elsewhere in Kubernetes, which a static pod has no access to");
            return Err(reader.at_item(document, path, i, "", what).hint("write the value itself, with `value`"));
        }
        all.push((name, variable.value.unwrap_or_default()));
    }
    Ok(all)
}

fn sans(reader: &Reader<'_>, document: &Node, path: &[&str], given: Option<Vec<String>>) -> Result<Vec<San>, Mistake> {
    let read = |(i, text): (usize, &String)| {
        let wrong = |what: String| {
            let bracketed = text.starts_with('[').then_some("write an IPv6 address without brackets");
            reader.at_item(document, path, i, "", what).hint(bracketed.unwrap_or("write it without scheme and port"))
        };
        text.parse().map_err(wrong)
    };
    given.unwrap_or_default().iter().enumerate().map(read).collect()
}
