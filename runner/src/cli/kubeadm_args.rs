//! `--config`: what kubeadm's own documents say about this node, as a layer of defaults.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::Frame;
use super::bad_input;
use super::cluster_args::absolute;
use super::defaults::Defaults;
use super::policy_args::mistaken;
use crate::config::kubeadm::{ClusterDocument, Documents, NodeDocument, NodeKind, San};
use crate::kubernetes::{Api, cluster_configuration};
use crate::pipeline::Failure;

/// Where kubeadm keeps the cluster's configuration, for messages.
const CONFIG_MAP: &str = "ConfigMap kube-system/kubeadm-config, ClusterConfiguration";

/// Where etcd's image comes from, unless a document says otherwise: kubeadm's own default.
pub(super) const IMAGE_REPOSITORY: &str = "registry.k8s.io";

/// etcd's flag that is often given to kubeadm, and is `--metrics-url` here.
const METRICS: &str = "listen-metrics-urls";

/// kubeadm's configuration.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Member")]
pub(super) struct KubeadmArgs {
    /// kubeadm's configuration of this node: what it says holds where neither the command line nor a policy says otherwise
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Whether its notices were told: a command may ask for the same documents twice.
    #[arg(skip)]
    told: Arc<AtomicBool>,
}

/// What a document says that has no built-in default.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct FromKubeadm {
    /// The node's name, and so the member's.
    pub(super) name: Option<String>,
    /// Where it is reached.
    pub(super) advertise_address: Option<IpAddr>,
    /// Further arguments for etcd, with their dashes.
    pub(super) etcd_args: Vec<String>,
    /// Further variables of etcd's environment.
    pub(super) etcd_env: BTreeMap<String, String>,
    /// Further names for the server's certificate.
    pub(super) server_sans: Vec<String>,
    /// Further names for the peer's certificate.
    pub(super) peer_sans: Vec<String>,
    /// etcd's image.
    pub(super) image: Option<String>,
    /// How long etcd may take to come up before the kubelet restarts it.
    pub(super) startup_timeout: Option<Duration>,
    /// The taints that the node is to have, where it is marked.
    pub(super) taints: Option<Vec<String>>,
}

impl KubeadmArgs {
    /// The documents, once they are read and are for this command: for a node that begins a cluster, or for one that joins.
    pub(super) fn documents(&self, kind: NodeKind) -> Result<Option<Documents>, Failure> {
        let Some(file) = &self.config else { return Ok(None) };
        let documents = Documents::read(&absolute(file.clone())).map_err(mistaken)?;
        if let Some(node) = &documents.node {
            fits(node, kind, &documents.path)?;
        }
        Ok(Some(documents))
    }

    /// These defaults with what the documents say on top. Where the file has no ClusterConfiguration and the node joins, the cluster's
    /// own is asked for; an API that does not answer is said, and no reason to stop.
    pub(super) async fn on_top_of(
        &self,
        defaults: &Defaults,
        kind: NodeKind,
        api: Option<&Api>,
        frame: &Frame,
    ) -> Result<Defaults, Failure> {
        let Some(mut documents) = self.documents(kind)? else { return Ok(defaults.clone()) };
        let fresh = !self.told.swap(true, Ordering::Relaxed);
        let warn = |text: String| {
            if fresh {
                frame.printer.print_warning(&text);
            }
        };
        if documents.cluster.is_none() && kind == NodeKind::Join {
            let asked = match api {
                Some(api) => of_cluster(api).await,
                None => Err(Unread::Away("no kubeconfig is found, or Kubernetes is not to be used".to_owned())),
            };
            match asked {
                Ok((cluster, notices)) => {
                    documents.cluster = Some(cluster);
                    documents.notices.extend(notices);
                }
                Err(Unread::Mistake(failure)) => return Err(failure),
                Err(Unread::Away(why)) => warn(format!(
                    "{} has no ClusterConfiguration, and the cluster's own could not be read: {why}; what it would say is \
                     taken from the command line and the defaults",
                    documents.path.display()
                )),
            }
        }
        if let Some(patch) = documents.node.as_ref().and_then(|node| patch_of_etcd(node.patches.as_deref()?)) {
            warn(format!(
                "{} is not applied: runner writes etcd's manifest without patches; extraArgs and extraEnvs reach it",
                patch.display()
            ));
        }
        for notice in documents.notices.iter().filter(|_| fresh) {
            frame.printer.print_warning(&notice.to_string());
            notice.hints.iter().for_each(|hint| frame.printer.say(&format!("hint: {hint}")));
        }
        Ok(layered(defaults, &documents))
    }
}

/// Why the cluster's own configuration is not there.
pub(super) enum Unread {
    /// It cannot be asked for now.
    Away(String),
    /// It is there, and cannot be used.
    Mistake(Failure),
}

/// The ClusterConfiguration that kubeadm keeps in the cluster.
pub(super) async fn of_cluster(api: &Api) -> Result<(ClusterDocument, Vec<crate::config::kubeadm::Notice>), Unread> {
    let text = cluster_configuration(api).await.map_err(|error| Unread::Away(error.to_string()))?;
    ClusterDocument::from_text(CONFIG_MAP, &text).map_err(|mistake| Unread::Mistake(mistaken(mistake)))
}

/// A patch for etcd's static pod in kubeadm's folder of patches: their names begin with what they are for.
fn patch_of_etcd(folder: &Path) -> Option<PathBuf> {
    let of_etcd = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.strip_prefix("etcd").is_some_and(|rest| rest.ends_with(".yaml") || rest.ends_with(".json"))
    };
    std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).find(of_etcd)
}

/// Refuses a document that is for another node or another command.
fn fits(node: &NodeDocument, kind: NodeKind, path: &Path) -> Result<(), Failure> {
    let place = format!("{}:{}:{}", path.display(), node.place.line, node.place.column);
    match (node.kind, kind) {
        (NodeKind::Init, NodeKind::Join) => {
            return Err(bad_input(format!("{place}: an InitConfiguration begins a cluster, and this node joins one"))
                .hint("write a JoinConfiguration with `controlPlane`, or begin the cluster with `runner init`"));
        }
        (NodeKind::Join, NodeKind::Init) => {
            return Err(bad_input(format!("{place}: a JoinConfiguration joins a cluster, and this node begins one"))
                .hint("write an InitConfiguration, or join with `runner join`"));
        }
        _ => {}
    }
    match node.is_a_worker(path).or_else(|| node.asks_for_a_dry_run(path)) {
        Some(mistake) => Err(mistaken(mistake)),
        None => Ok(()),
    }
}

/// The document over the defaults.
pub(super) fn layered(defaults: &Defaults, documents: &Documents) -> Defaults {
    let mut all = defaults.clone();
    let mut health = None;
    if let Some(node) = &documents.node {
        all.node.name = node.name.clone().or(all.node.name);
        all.node.advertise_address = node.advertise_address.or(all.node.advertise_address);
        all.node.taints = node.taints.clone();
        health = node.control_plane_health;
        // What kubeadm bounds by it: adding the member, and promoting it.
        if let Some(call) = node.etcd_api_call {
            (all.timeouts.add, all.timeouts.promote) = (call, call);
        }
    }
    if let Some(cluster) = &documents.cluster {
        all.pki_dir = cluster.certificates_dir.clone().unwrap_or(all.pki_dir);
        all.data_dir = cluster.data_dir.clone().unwrap_or(all.data_dir);
        // An argument that is an option of runner's own. Several URLs stay, and are refused with the other flags that are runner's.
        let metrics = |name: &str, value: &str| name == METRICS && !value.contains(',');
        for (name, value) in &cluster.extra_args {
            match metrics(name, value) {
                true => all.metrics_url = value.clone(),
                false => all.node.etcd_args.push(format!("--{name}={value}")),
            }
        }
        all.node.etcd_env = cluster.extra_envs.iter().cloned().collect();
        all.node.server_sans = cluster.server_sans.iter().map(san).collect();
        all.node.peer_sans = cluster.peer_sans.iter().map(san).collect();
        // Without a tag, the version is kubeadm's to choose, and only kubeadm knows which it would be.
        let tagged = cluster.etcd_image_tag.is_some();
        all.node.image = cluster.etcd_image((IMAGE_REPOSITORY, "")).filter(|_| tagged).or(all.node.image);
        health = health.or(cluster.control_plane_health);
    }
    all.node.startup_timeout = health.or(all.node.startup_timeout);
    all
}

fn san(san: &San) -> String {
    match san {
        San::Ip(ip) => ip.to_string(),
        San::Dns(name) => name.clone(),
    }
}

impl FromKubeadm {
    /// The document's arguments for etcd, and after them the command line's: an argument that the command line has, too, is its own.
    pub(super) fn etcd_args(&self, command_line: &[String]) -> Vec<String> {
        fn name(argument: &str) -> &str {
            argument.split('=').next().unwrap_or_default().trim_start_matches('-')
        }
        let kept = self.etcd_args.iter().filter(|ours| !command_line.iter().any(|theirs| name(theirs) == name(ours)));
        kept.chain(command_line).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
apiVersion: kubeadm.k8s.io/v1beta4
kind: JoinConfiguration
nodeRegistration: {name: cp-2}
controlPlane: {localAPIEndpoint: {advertiseAddress: fd00::2}}
timeouts: {etcdAPICall: 5m, controlPlaneComponentHealthCheck: 6m}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
certificatesDir: /srv/pki
etcd:
  local:
    dataDir: /srv/etcd
    imageTag: 3.6.5-0
    extraArgs: [{name: quota-backend-bytes, value: '1'}, {name: log-level, value: debug}]
    extraEnvs: [{name: A, value: b}]
    serverCertSANs: [etcd.example.org]
    peerCertSANs: [10.0.0.100]
";

    fn documents(text: &str) -> Documents {
        Documents::of_bytes(Path::new("k.yaml"), text.as_bytes()).unwrap()
    }

    #[test]
    fn the_document_is_over_the_defaults() {
        let all = layered(&Defaults::built_in(), &documents(FILE));
        assert_eq!((all.node.name.as_deref(), all.node.advertise_address), (Some("cp-2"), "fd00::2".parse().ok()));
        assert_eq!((all.pki_dir, all.data_dir), (PathBuf::from("/srv/pki"), PathBuf::from("/srv/etcd")));
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        assert_eq!((all.timeouts.add, all.timeouts.promote), (minutes(5), minutes(5)));
        assert_eq!(all.timeouts.verify, Defaults::built_in().timeouts.verify);
        assert_eq!(all.node.startup_timeout, Some(minutes(6)));
        assert_eq!(all.node.image.as_deref(), Some("registry.k8s.io/etcd:3.6.5-0"));
        assert_eq!((all.node.server_sans, all.node.peer_sans), (vec!["etcd.example.org".into()], vec!["10.0.0.100".into()]));
        assert_eq!(all.node.etcd_env, BTreeMap::from([("A".to_owned(), "b".to_owned())]));
    }

    #[test]
    fn what_a_document_does_not_say_is_as_it_was() {
        let nothing = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nimageRepository: r.example\n";
        assert_eq!(layered(&Defaults::built_in(), &documents(nothing)), Defaults::built_in());
    }

    #[test]
    fn where_the_metrics_are_is_runner_s_own_to_know() {
        let arguments = |value: &str| {
            let text = format!(
                "apiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration\netcd: {{local: {{extraArgs: {{listen-metrics-urls: '{value}'}}}}}}\n"
            );
            let all = layered(&Defaults::built_in(), &documents(&text));
            (all.metrics_url, all.node.etcd_args)
        };
        assert_eq!(arguments("http://0.0.0.0:2381"), ("http://0.0.0.0:2381".to_owned(), vec![]));
        let both = "http://127.0.0.1:2381,http://10.0.0.1:2381";
        assert_eq!(arguments(both), (Defaults::built_in().metrics_url, vec![format!("--listen-metrics-urls={both}")]));
    }

    #[test]
    fn an_argument_of_the_command_line_is_in_the_place_of_the_document_s() {
        let node = layered(&Defaults::built_in(), &documents(FILE)).node;
        let given = ["--quota-backend-bytes=2".to_owned()];
        assert_eq!(node.etcd_args(&given), ["--log-level=debug", "--quota-backend-bytes=2"]);
        assert_eq!(node.etcd_args(&[]), ["--quota-backend-bytes=1", "--log-level=debug"]);
    }

    #[test]
    fn a_patch_for_etcd_is_found_among_others() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(patch_of_etcd(folder.path()), None);
        let make = |name: &str| std::fs::write(folder.path().join(name), "").unwrap();
        make("kube-apiserver.yaml");
        make("etcd.txt");
        assert_eq!(patch_of_etcd(folder.path()), None);
        make("etcd0+merge.yaml");
        assert_eq!(patch_of_etcd(folder.path()), Some(folder.path().join("etcd0+merge.yaml")));
        assert_eq!(patch_of_etcd(&folder.path().join("gone")), None);
    }

    #[test]
    fn a_document_for_another_command_is_refused() {
        let said =
            |text: &str, kind| fits(&documents(text).node.unwrap(), kind, Path::new("k.yaml")).unwrap_err().problem.message;
        insta::assert_snapshot!(said(FILE, NodeKind::Init), @"k.yaml:1:1: a JoinConfiguration joins a cluster, and this node begins one");
        let init = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n";
        insta::assert_snapshot!(said(init, NodeKind::Join), @"k.yaml:1:1: an InitConfiguration begins a cluster, and this node joins one");
        let worker = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: JoinConfiguration\n";
        insta::assert_snapshot!(said(worker, NodeKind::Join), @"k.yaml:1:1: this JoinConfiguration has no section `controlPlane`, so it is a worker's, and a worker has no etcd member");
    }
}
