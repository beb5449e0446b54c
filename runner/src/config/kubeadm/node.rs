//! What an InitConfiguration or a JoinConfiguration says about this node.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::documents::{Notice, Reader};
use super::keys;
use super::quantities::{self, GoDuration};
use super::version::DocumentVersion;
use crate::config::mistake::{Mistake, Place};
use crate::config::yaml::Node;

/// Which of the two it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// The node begins a cluster.
    Init,
    /// The node joins one.
    Join,
}

/// A node, as its document has it. What the document does not say is none.
#[derive(Clone, Debug)]
pub struct NodeDocument {
    /// Whether it begins a cluster or joins one.
    pub kind: NodeKind,
    /// The document's version.
    pub version: DocumentVersion,
    /// Where the document begins.
    pub place: Place,
    /// The node's name, in lower case as kubeadm makes it.
    pub name: Option<String>,
    /// Whether it is a control-plane node: always where it begins a cluster, by the section `controlPlane` where it joins one.
    pub control_plane: bool,
    /// The address of the API server on this node; etcd's member is reached at it, too.
    pub advertise_address: Option<IpAddr>,
    /// The port of the API server on this node.
    pub bind_port: Option<u16>,
    /// The container runtime's socket.
    pub cri_socket: Option<String>,
    /// The taints that the node is to have, `key[=value]:effect` each; none for kubeadm's own.
    pub taints: Option<Vec<String>>,
    /// For a component of the control plane to be healthy; etcd's startup probe has as long.
    pub control_plane_health: Option<Duration>,
    /// For a request to etcd's members, repeats included.
    pub etcd_api_call: Option<Duration>,
    /// For a request to the API server, repeats included.
    pub kubernetes_api_call: Option<Duration>,
    /// For the cluster to be found.
    pub discovery: Option<Duration>,
    /// The folder with patches for static pods.
    pub patches: Option<PathBuf>,
    /// Where it asks for a dry run.
    pub dry_run: Option<Place>,
    /// The phases that kubeadm is to skip.
    pub skip_phases: Vec<String>,
}

impl NodeDocument {
    /// Reads a document that is known to be an InitConfiguration.
    pub(super) fn init(reader: &mut Reader<'_>, document: &Node, version: DocumentVersion) -> Result<Self, Mistake> {
        let keys: keys::Init = reader.decode(document, "InitConfiguration", version)?;
        let node = Self::bare(NodeKind::Init, version, document.place);
        let node = node.registered(reader, document, keys.node_registration)?;
        let node = node.reached(reader, document, keys.local_api_endpoint, &["localAPIEndpoint"])?;
        let node = node.patched(reader, document, keys.patches)?.timed(reader, document, keys.timeouts)?;
        Ok(Self { control_plane: true, ..node.asked(document, keys.dry_run, keys.skip_phases) })
    }

    /// Reads a document that is known to be a JoinConfiguration.
    pub(super) fn join(reader: &mut Reader<'_>, document: &Node, version: DocumentVersion) -> Result<Self, Mistake> {
        let keys: keys::Join = reader.decode(document, "JoinConfiguration", version)?;
        let node = Self::bare(NodeKind::Join, version, document.place);
        let mut node = node.registered(reader, document, keys.node_registration)?;
        if let Some(control_plane) = keys.control_plane {
            node.control_plane = true;
            node =
                node.reached(reader, document, control_plane.local_api_endpoint, &["controlPlane", "localAPIEndpoint"])?;
        }
        let discovery = keys.discovery.and_then(|d| d.timeout);
        node.discovery = reader.time(document, &["discovery", "timeout"], discovery)?;
        let node = node.patched(reader, document, keys.patches)?.timed(reader, document, keys.timeouts)?;
        Ok(node.asked(document, keys.dry_run, keys.skip_phases))
    }

    /// The mistake of a document that is for a worker, where a control-plane node is needed; none where it is for one.
    pub fn is_a_worker(&self, file: &Path) -> Option<Mistake> {
        let what =
            "this JoinConfiguration has no section `controlPlane`, so it is a worker's, and a worker has no etcd member";
        let how = "add `controlPlane: {localAPIEndpoint: {advertiseAddress: …}}` with this node's address";
        (!self.control_plane).then(|| Mistake::of_file(file, what).at(self.place).hint(how))
    }

    /// The mistake of a document that asks for a dry run; none where it does not.
    pub fn asks_for_a_dry_run(&self, file: &Path) -> Option<Mistake> {
        let what = "the document asks for a dry run, and a join that only pretends cannot be made of parts that do not";
        let mut mistake = Mistake::of_file(file, what).at(self.dry_run?);
        mistake.path = "dryRun".to_owned();
        Some(mistake.hint("`runner check` says whether a join would be accepted; take `dryRun` away for a join"))
    }

    fn bare(kind: NodeKind, version: DocumentVersion, place: Place) -> Self {
        Self {
            kind,
            version,
            place,
            name: None,
            control_plane: false,
            advertise_address: None,
            bind_port: None,
            cri_socket: None,
            taints: None,
            control_plane_health: None,
            etcd_api_call: None,
            kubernetes_api_call: None,
            discovery: None,
            patches: None,
            dry_run: None,
            skip_phases: Vec::new(),
        }
    }

    fn registered(
        mut self,
        reader: &mut Reader<'_>,
        document: &Node,
        keys: Option<keys::NodeRegistration>,
    ) -> Result<Self, Mistake> {
        const NAME: &[&str] = &["nodeRegistration", "name"];
        let Some(keys) = keys else { return Ok(self) };
        if let Some(given) = keys.name.filter(|name| !name.is_empty()) {
            let name = given.trim().to_lowercase();
            if !quantities::dns_name(&name) {
                let mistake = reader.at(document, NAME, format!("{given:?} cannot be a node's name"));
                return Err(mistake.hint("use lower-case letters, digits, `-` and `.`, with a letter or digit at each end"));
            }
            if name != given {
                let text = format!("{given:?} is taken as {name}, as kubeadm does");
                reader.notices.push(Notice::of(reader.at(document, NAME, text)));
            }
            self.name = Some(name);
        }
        self.cri_socket = keys.cri_socket.filter(|socket| !socket.is_empty());
        self.taints = keys.taints.map(|taints| taints.into_iter().map(taint).collect());
        Ok(self)
    }

    fn reached(
        mut self,
        reader: &mut Reader<'_>,
        document: &Node,
        keys: Option<keys::ApiEndpoint>,
        under: &[&str],
    ) -> Result<Self, Mistake> {
        let Some(keys) = keys else { return Ok(self) };
        let path = |key| [under, &[key]].concat();
        if let Some(text) = keys.advertise_address.filter(|text| !text.is_empty()) {
            let address = quantities::address(&text)
                .map_err(|(what, hint)| reader.at(document, &path("advertiseAddress"), what).hint(hint))?;
            self.advertise_address = Some(address);
        }
        // 0 is "not given" to kubeadm.
        if let Some(port) = keys.bind_port.filter(|port| *port != 0) {
            let no_port = |_| {
                reader.at(document, &path("bindPort"), format!("{port} is not a port")).hint("write one from 1 to 65535")
            };
            self.bind_port = Some(u16::try_from(port).map_err(no_port)?);
        }
        Ok(self)
    }

    fn timed(mut self, reader: &Reader<'_>, document: &Node, keys: Option<keys::Timeouts>) -> Result<Self, Mistake> {
        let Some(keys) = keys else { return Ok(self) };
        let time = |key: &str, time: Option<GoDuration>| reader.time(document, &["timeouts", key], time);
        self.control_plane_health = time("controlPlaneComponentHealthCheck", keys.control_plane_component_health_check)?;
        self.etcd_api_call = time("etcdAPICall", keys.etcd_api_call)?;
        self.kubernetes_api_call = time("kubernetesAPICall", keys.kubernetes_api_call)?;
        self.discovery = time("discovery", keys.discovery)?.or(self.discovery);
        Ok(self)
    }

    fn patched(mut self, reader: &Reader<'_>, document: &Node, keys: Option<keys::Patches>) -> Result<Self, Mistake> {
        let directory = keys.and_then(|patches| patches.directory);
        self.patches = reader.folder(document, &["patches", "directory"], directory)?;
        Ok(self)
    }

    fn asked(mut self, document: &Node, dry_run: Option<bool>, skip_phases: Option<Vec<String>>) -> Self {
        self.dry_run = dry_run.filter(|asked| *asked).and_then(|_| document.key_place(&["dryRun"]));
        self.skip_phases = skip_phases.unwrap_or_default();
        self
    }
}

fn taint(keys: keys::Taint) -> String {
    let value = keys.value.filter(|value| !value.is_empty()).map(|value| format!("={value}")).unwrap_or_default();
    format!("{}{value}:{}", keys.key.unwrap_or_default(), keys.effect.unwrap_or_default())
}
