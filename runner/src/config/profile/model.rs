//! What a profile says, as types.

use serde::Deserialize;

use super::values::{AbsolutePath, FlagName, KeyPrefix, KubeName, PkiName, Program, UnitName};
use crate::config::policy::{ApiVersion, Gate, Plugin, PluginName, Reason, Source, Span, Spelled, Timeouts};
use crate::terms::{LauncherKind, OnApprovalTimeout, SilentLearner, StaleLearner};

/// A distribution's profile. Whatever it does not say is as built in.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Profile {
    /// `runner.dev/v1alpha1`.
    pub api_version: ApiVersion,
    /// The distribution's name, for messages and reports.
    pub name: PluginName,
    /// The profile's version, for messages and reports.
    #[serde(default)]
    pub version: Option<String>,
    /// A folder that every path is in, those that are built in too: a node's file system that is mounted there, or an image that is
    /// being built. Sources of plugins are not: they count from the profile's own folder.
    #[serde(default)]
    pub root: Option<AbsolutePath>,
    /// Where things are.
    #[serde(default)]
    pub paths: Paths,
    /// The member's ports.
    #[serde(default)]
    pub ports: Ports,
    /// Who starts the member.
    #[serde(default)]
    pub launcher: Launcher,
    /// What the files below `paths.pki` are called.
    #[serde(default)]
    pub pki: PkiNames,
    /// The built-in gate's numbers, where nobody says others.
    #[serde(default)]
    pub gate: Gate,
    /// The waits' lengths, where nobody says others.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// What to do about a learner that is not ours, where nobody says otherwise.
    #[serde(default)]
    pub stale_learner: Option<Spelled<StaleLearner>>,
    /// What to do about a learner that has all the data and does not serve, where nobody says otherwise.
    #[serde(default)]
    pub silent_learner: Option<Spelled<SilentLearner>>,
    /// What becomes of a learner that is not approved in time, where nobody says otherwise.
    #[serde(default)]
    pub on_approval_timeout: Option<Spelled<OnApprovalTimeout>>,
    /// The gate that nobody may loosen.
    #[serde(default)]
    pub floors: Floors,
    /// What things are called.
    #[serde(default)]
    pub names: Names,
    /// The mandatory plugins: always asked.
    #[serde(default)]
    pub plugins: Vec<Plugin>,
    /// Mandatory plugins whose settings a policy and the command line may say.
    #[serde(default)]
    pub adjustable: Vec<PluginName>,
    /// Flags that are refused.
    #[serde(default)]
    pub banned: Vec<Banned>,
}

/// Where things are.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Paths {
    /// The folder with the certificates.
    pub pki: Option<AbsolutePath>,
    /// The member's data directory.
    pub data: Option<AbsolutePath>,
    /// Where runs keep their journal.
    pub state: Option<AbsolutePath>,
    /// Where compiled plugins are kept.
    pub cache: Option<AbsolutePath>,
    /// Where accepted plugins are kept.
    pub plugins: Option<AbsolutePath>,
    /// Where the kubelet looks for static pods.
    pub manifests: Option<AbsolutePath>,
    /// The kubeconfig of an administrator on this node.
    pub kubeconfig: Option<AbsolutePath>,
    /// The etcd program.
    pub etcd: Option<Program>,
}

/// The member's ports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Ports {
    /// For other members.
    pub peer: Option<u16>,
    /// For clients.
    pub client: Option<u16>,
    /// For metrics, over plain HTTP on loopback.
    pub metrics: Option<u16>,
}

/// Who starts the member, and with what.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Launcher {
    /// Who starts it.
    pub kind: Option<LauncherKind>,
    /// The image of a static pod.
    pub image: Option<String>,
    /// The systemd unit, without `.service`.
    pub unit_name: Option<UnitName>,
    /// Where systemd units are written.
    pub unit_dir: Option<AbsolutePath>,
}

/// What the certificates are called: paths below the pki folder, to which `.crt` and `.key` are added.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PkiNames {
    /// The CA.
    pub ca: Option<PkiName>,
    /// The CA of the members' certificates for each other, where that is another one.
    pub peer_ca: Option<PkiName>,
    /// What the member shows to clients.
    pub server: Option<PkiName>,
    /// What the member shows to other members.
    pub peer: Option<PkiName>,
    /// What runner itself shows to the cluster.
    pub client: Option<PkiName>,
    /// What the API server shows to the cluster; `""` for none of its own.
    pub apiserver: Option<PkiName>,
}

/// The loosest gate that anybody may ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Floors {
    /// The most entries that `maxLag` may allow.
    pub max_lag: Option<u64>,
    /// The shortest that `stability` may be.
    pub stability: Option<Span>,
}

/// What things are called.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Names {
    /// The namespace of the Lease and of the record of runs.
    pub namespace: Option<KubeName>,
    /// The Lease.
    pub lease: Option<KubeName>,
    /// The ConfigMap that says which runs are under way.
    pub progress: Option<KubeName>,
    /// What the lock's keys in etcd begin with. Two joiners exclude each other only where they agree on it.
    pub lock: Option<KeyPrefix>,
}

/// A flag that is refused.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Banned {
    /// The flag, as `--insecure`.
    pub flag: FlagName,
    /// Why, for whoever gives it.
    pub reason: Reason,
}

impl Profile {
    /// Its name and version, for messages.
    pub fn title(&self) -> String {
        match &self.version {
            Some(version) => format!("{} {version}", self.name.0),
            None => self.name.0.clone(),
        }
    }

    /// The name of a mandatory plugin: its own, else its source's.
    pub fn plugin_name(plugin: &Plugin) -> String {
        plugin.name.as_ref().map_or_else(|| name_of(&plugin.source), |name| name.0.clone())
    }
}

/// What begins the source of a plugin that is built into the program.
pub(crate) const EMBEDDED: &str = "embedded:";

/// The name that a source gives to its plugin: what it is called among the embedded ones, or the file without `.wasm`.
fn name_of(source: &Source) -> String {
    let last = source.0.strip_prefix(EMBEDDED).unwrap_or(&source.0);
    let last = last.rsplit('/').next().unwrap_or(last);
    last.strip_suffix(".wasm").unwrap_or(last).to_owned()
}
