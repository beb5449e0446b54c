//! What a launcher needs to know about the member's process. Goes into the journal, so that `resume` builds the same one.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{data_dir, flags};
use crate::pipeline::DEFAULT_ELECTION_TIMEOUT;

/// What every launcher that starts the member itself needs to know about it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MemberConfig {
    /// The data directory. Made with mode 0700 where it is missing.
    pub data_dir: PathBuf,
    /// Where it listens for other members; none for its advertised peer URLs. Only what is given here can be checked to be free
    /// before the cluster is changed; else that is checked right before the start.
    pub listen_peer_urls: Option<Vec<String>>,
    /// Where it listens for clients; none for its advertised client URLs. See `listen_peer_urls`.
    pub listen_client_urls: Option<Vec<String>>,
    /// Where it shows its metrics from early on, `http://127.0.0.1:2381` for example; none for no such listener.
    pub metrics_url: Option<String>,
    /// Its certificates; none for plain `http`.
    pub tls: Option<MemberTls>,
    /// `--initial-cluster-token` of a new cluster, so that two clusters made alike do not get the same id. Not used in a join.
    pub cluster_token: Option<String>,
    /// Further flags for etcd, as they are. Those that runner sets itself are refused.
    pub extra_args: Vec<String>,
    /// Further environment for etcd. Every `ETCD_…` variable of runner's own environment is kept away from it.
    pub env: BTreeMap<String, String>,
}

/// How to run etcd as a process of this node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProcessConfig {
    /// The etcd program: a path, or a bare name that is looked up in `PATH`.
    pub etcd: PathBuf,
    /// Where its output goes; appended to, mode 0600. Not inside the data directory.
    pub log_file: PathBuf,
    /// The member.
    #[serde(flatten)]
    pub member: MemberConfig,
}

/// How to have the kubelet run etcd as a static pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StaticPodConfig {
    /// The image, `registry.k8s.io/etcd:3.6.5-0` for example.
    pub image: String,
    /// The etcd version in the image, where its tag does not say it.
    pub etcd_version: Option<String>,
    /// Where the kubelet looks for manifests; none for where the kubelet's configuration says, else [`MANIFESTS_DIR`].
    pub manifests_dir: Option<PathBuf>,
    /// The kubelet's configuration, where it can be read: `staticPodPath` and `podLogsDir` are looked at.
    pub kubelet_config: PathBuf,
    /// How long etcd may take to come up before the kubelet restarts it: sizes the startup probe, as kubeadm's
    /// `timeouts.controlPlaneComponentHealthCheck` does.
    #[serde(with = "seconds")]
    pub startup_timeout: Duration,
    /// The member.
    #[serde(flatten)]
    pub member: MemberConfig,
}

/// Where kubeadm has the kubelet look for manifests.
pub const MANIFESTS_DIR: &str = "/etc/kubernetes/manifests";

/// Where kubeadm puts the kubelet's configuration.
pub const KUBELET_CONFIG: &str = "/var/lib/kubelet/config.yaml";

impl Default for StaticPodConfig {
    /// kubeadm's paths and times, and no image.
    fn default() -> Self {
        Self {
            image: String::new(),
            etcd_version: None,
            manifests_dir: None,
            kubelet_config: PathBuf::from(KUBELET_CONFIG),
            startup_timeout: Duration::from_secs(4 * 60),
            member: MemberConfig::default(),
        }
    }
}

/// How to run etcd as a unit of this node's systemd.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SystemdConfig {
    /// The etcd program: a path, or a bare name that is looked up in `PATH`.
    pub etcd: PathBuf,
    /// The unit's name, without `.service`.
    pub unit: String,
    /// Where the unit and its environment file are written.
    pub unit_dir: PathBuf,
    /// The member.
    #[serde(flatten)]
    pub member: MemberConfig,
}

/// Where an administrator's units are.
pub const UNIT_DIR: &str = "/etc/systemd/system";

impl Default for SystemdConfig {
    /// `etcd.service` in [`UNIT_DIR`], and no program.
    fn default() -> Self {
        Self {
            etcd: PathBuf::new(),
            unit: "etcd".to_owned(),
            unit_dir: PathBuf::from(UNIT_DIR),
            member: MemberConfig::default(),
        }
    }
}

/// A person, or a tool of their own, runs etcd: what runner needs to know to tell them how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExternalConfig {
    /// The etcd version that they will run, where it is known: some flags are spelt differently.
    pub version: Option<String>,
    /// The data directory, as the member will see it.
    pub data_dir: PathBuf,
    /// Whether `data_dir` is on this node, so that runner can look into it.
    pub local: bool,
    /// Where it listens for other members; none for its advertised peer URLs.
    pub listen_peer_urls: Option<Vec<String>>,
    /// Where it listens for clients; none for its advertised client URLs.
    pub listen_client_urls: Option<Vec<String>>,
    /// Where it shows its metrics and runner can read them.
    pub metrics_url: Option<String>,
    /// Its certificates, as the member will see them; none for plain `http`.
    pub tls: Option<MemberTls>,
}

/// A member's certificates and keys, PEM files each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberTls {
    /// The CA that clients' and other members' certificates must come from.
    pub ca: PathBuf,
    /// The CA that other members' certificates must come from; none where it is `ca`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_ca: Option<PathBuf>,
    /// Shown to other members, as server and as client.
    pub peer_cert: PathBuf,
    /// Its key.
    pub peer_key: PathBuf,
    /// Shown to clients.
    pub server_cert: PathBuf,
    /// Its key.
    pub server_key: PathBuf,
}

impl MemberConfig {
    /// Paths from the current folder on become absolute: the runner that goes on with the run may be called elsewhere.
    pub(super) fn make_absolute(&mut self) {
        self.data_dir = data_dir::normal(&self.data_dir);
        if let Some(tls) = &mut self.tls {
            let files = [&mut tls.ca, &mut tls.peer_cert, &mut tls.peer_key, &mut tls.server_cert, &mut tls.server_key];
            files.into_iter().chain(&mut tls.peer_ca).for_each(|file| *file = data_dir::normal(file));
        }
    }
}

/// `--quota-backend-bytes`, as etcd takes it: zero or nothing is the default, a negative number no quota at all (`NewBackendQuota`,
/// server/storage/quota.go).
const QUOTA: &str = "quota-backend-bytes";

/// `DefaultQuotaBytes`, the same from 3.4 to 3.7.
const DEFAULT_QUOTA: u64 = 2 << 30;

impl MemberConfig {
    /// The database size at which the member raises NOSPACE; none where it never does. A value that etcd cannot read is for etcd to refuse.
    pub(super) fn quota(&self) -> Option<u64> {
        let variable = self.env.get("ETCD_QUOTA_BACKEND_BYTES").map(String::as_str);
        let said = flags::last(&self.extra_args, QUOTA).or(variable).and_then(|value| value.parse::<i64>().ok());
        match said.unwrap_or(0) {
            0 => Some(DEFAULT_QUOTA),
            bytes => u64::try_from(bytes).ok(),
        }
    }
}

impl MemberConfig {
    /// `--election-timeout`, in milliseconds.
    pub(super) fn election_timeout(&self) -> Duration {
        let variable = self.env.get("ETCD_ELECTION_TIMEOUT").map(String::as_str);
        let said = flags::last(&self.extra_args, "election-timeout").or(variable).and_then(|value| value.parse().ok());
        said.map_or(DEFAULT_ELECTION_TIMEOUT, Duration::from_millis)
    }
}

impl MemberTls {
    /// All the files.
    pub fn files(&self) -> Vec<&PathBuf> {
        [&self.ca, &self.peer_cert, &self.peer_key, &self.server_cert, &self.server_key]
            .into_iter()
            .chain(&self.peer_ca)
            .collect()
    }
}

/// A time as whole seconds.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        time.as_secs().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_of_the_time_before_there_were_other_launchers_still_loads() {
        let old = r#"{"etcd":"/bin/etcd","dataDir":"/d","logFile":"/l","listenPeerUrls":["http://a:1"],"tls":null,"env":{"A":"b"}}"#;
        let read: ProcessConfig = serde_json::from_str(old).unwrap();
        assert_eq!(read.member.data_dir, PathBuf::from("/d"));
        assert_eq!(read.member.listen_peer_urls, Some(vec!["http://a:1".to_owned()]));
        assert_eq!(read.member.env, BTreeMap::from([("A".to_owned(), "b".to_owned())]));
        let written = serde_json::to_string(&read).unwrap();
        assert_eq!(serde_json::from_str::<ProcessConfig>(&written).unwrap(), read);
    }

    #[test]
    fn the_quota_is_what_etcd_will_take_for_it() {
        let quota = |args: &[&str], env: Option<&str>| {
            let extra_args = args.iter().map(|a| (*a).to_owned()).collect();
            let env = env.map(|value| ("ETCD_QUOTA_BACKEND_BYTES".to_owned(), value.to_owned())).into_iter().collect();
            MemberConfig { extra_args, env, ..MemberConfig::default() }.quota()
        };
        assert_eq!(quota(&[], None), Some(2 << 30));
        assert_eq!(quota(&["--quota-backend-bytes=0"], None), Some(2 << 30));
        assert_eq!(quota(&["--quota-backend-bytes=8589934592"], None), Some(8 << 30));
        assert_eq!(quota(&["-quota-backend-bytes", "100", "--name=x"], None), Some(100));
        assert_eq!(quota(&["--quota-backend-bytes=1", "--quota-backend-bytes=2"], None), Some(2));
        assert_eq!(quota(&["--quota-backend-bytes=-1"], None), None);
        assert_eq!(quota(&[], Some("100")), Some(100));
    }

    #[test]
    fn the_election_timeout_is_the_one_that_etcd_is_told() {
        let extra_args = vec!["--election-timeout=12500".to_owned()];
        let member = MemberConfig { extra_args, ..MemberConfig::default() };
        assert_eq!(member.election_timeout(), Duration::from_millis(12_500));
        assert_eq!(MemberConfig::default().election_timeout(), DEFAULT_ELECTION_TIMEOUT);
    }

    #[test]
    fn what_a_journal_does_not_say_is_the_default() {
        let read: StaticPodConfig = serde_json::from_str(r#"{"image":"etcd:3.6.5-0","startupTimeout":60}"#).unwrap();
        assert_eq!(read.startup_timeout, Duration::from_secs(60));
        assert_eq!(read.kubelet_config, PathBuf::from(KUBELET_CONFIG));
        assert_eq!(serde_json::from_str::<SystemdConfig>("{}").unwrap(), SystemdConfig::default());
    }
}
