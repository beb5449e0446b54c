//! Somebody else starts the member: runner says exactly how, and looks on.

use std::path::PathBuf;

use async_trait::async_trait;

use super::flags::{self, Flag, Wiring};
use super::{EtcdVersion, ExternalConfig, data_dir};
use crate::pipeline::{DataDir, LaunchError, Launcher, MemberSpec, Running};

/// Tells a person something that they must do; several lines.
pub type Announce = Box<dyn Fn(String) + Send + Sync>;

/// Starts nothing and stops nothing: says what a person (or their tool) must do.
pub struct ExternalLauncher {
    config: ExternalConfig,
    announce: Announce,
}

impl ExternalLauncher {
    /// What must be done is told through `announce`.
    pub fn new(mut config: ExternalConfig, announce: Announce) -> Self {
        if config.local {
            config.data_dir = data_dir::normal(&config.data_dir);
        }
        Self { config, announce }
    }

    /// What it was made from: for the journal.
    pub fn config(&self) -> &ExternalConfig {
        &self.config
    }

    fn flags(&self, spec: &MemberSpec) -> Result<Vec<Flag>, LaunchError> {
        let config = &self.config;
        let version = config.version.as_deref().map(str::parse::<EtcdVersion>).transpose()?;
        let wiring = Wiring {
            minor: version.map(|version| version.minor),
            data_dir: &config.data_dir,
            listen_peer_urls: config.listen_peer_urls.as_deref(),
            listen_client_urls: config.listen_client_urls.as_deref(),
            metrics_url: config.metrics_url.as_deref(),
            tls: config.tls.as_ref(),
            cluster_token: None,
        };
        let mut flags = flags::flags(spec, &wiring);
        // Where its log goes is for whoever runs it to say.
        flags.retain(|(name, _)| *name != "log-outputs");
        Ok(flags)
    }
}

#[async_trait]
impl Launcher for ExternalLauncher {
    /// Only that the version is one whose flags are known: nothing else can be seen from here.
    async fn preflight(&self) -> Result<(), LaunchError> {
        self.config.version.as_deref().map_or(Ok(()), |version| version.parse::<EtcdVersion>().map(drop))
    }

    fn version(&self) -> Option<String> {
        self.config.version.clone()
    }

    async fn data_dir(&self) -> Result<DataDir, LaunchError> {
        if !self.config.local {
            return Ok(DataDir::Unknown);
        }
        data_dir::inspected(&self.config.data_dir).await
    }

    fn data_dir_path(&self) -> PathBuf {
        self.config.data_dir.clone()
    }

    /// Says how to start the member. It may be started already; then there is nothing to do.
    async fn start(&self, spec: &MemberSpec) -> Result<(), LaunchError> {
        let flags = self.flags(spec)?;
        (self.announce)(instructions(spec, &flags));
        Ok(())
    }

    async fn running(&self) -> Running {
        Running::Unknown
    }

    /// Says that the member must be stopped. Whether it was cannot be known here.
    async fn stop(&self) -> Result<(), LaunchError> {
        (self.announce)("stop the member's etcd now: the join is undone, and runner did not start it".to_owned());
        Ok(())
    }

    /// Says that the data must be removed; removes nothing, since it cannot know that nobody uses it.
    async fn discard_data(&self, folder: bool) -> Result<Option<PathBuf>, LaunchError> {
        let path = self.config.data_dir.display();
        let what = if folder { format!("{path}") } else { format!("what is in {path}") };
        (self.announce)(format!("once the member's etcd is stopped, remove {what}: it can never be used again"));
        Ok(None)
    }

    async fn data_size(&self) -> u64 {
        if !self.config.local {
            return 0;
        }
        data_dir::sized(&self.config.data_dir).await
    }

    fn metrics_url(&self) -> Option<String> {
        self.config.metrics_url.clone()
    }
}

fn instructions(spec: &MemberSpec, flags: &[Flag]) -> String {
    let mut lines =
        vec![format!("start the member {} now, with an empty data directory and exactly these flags:", spec.name)];
    let arguments: Vec<_> =
        flags.iter().map(|(name, value)| format!("  {}", quoted(&format!("--{name}={value}")))).collect();
    lines.push(String::new());
    lines.push(format!("  etcd \\\n  {}", arguments.join(" \\\n  ")));
    lines.push(String::new());
    lines.push("or with these variables in its environment:".to_owned());
    lines.push(String::new());
    lines.extend(flags::variables(flags).map(|(name, value)| format!("  {name}={}", quoted(value))));
    lines.join("\n")
}

/// Safe to paste into a shell, and bare where it can be.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,@+[]".contains(c);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    fn launcher(config: ExternalConfig) -> (ExternalLauncher, Arc<Mutex<String>>) {
        let said = Arc::new(Mutex::new(String::new()));
        let ear = Arc::clone(&said);
        (ExternalLauncher::new(config, Box::new(move |text| *ear.lock().unwrap() = text)), said)
    }

    #[tokio::test]
    async fn the_person_is_told_exactly_what_to_do() {
        let config =
            ExternalConfig { version: Some("3.6.16".into()), data_dir: "/var/lib/my etcd".into(), ..Default::default() };
        let (launcher, said) = launcher(config);
        let spec = MemberSpec {
            name: "n2".into(),
            peer_urls: vec!["http://10.0.0.2:2380".into()],
            client_urls: vec!["http://10.0.0.2:2379".into()],
            initial_cluster: vec![
                ("n1".into(), "http://10.0.0.1:2380".into()),
                ("n2".into(), "http://10.0.0.2:2380".into()),
            ],
            existing: true,
        };
        launcher.start(&spec).await.unwrap();
        insta::assert_snapshot!(said.lock().unwrap().clone(), @r"
        start the member n2 now, with an empty data directory and exactly these flags:

          etcd \
            --name=n2 \
            '--data-dir=/var/lib/my etcd' \
            --listen-peer-urls=http://10.0.0.2:2380 \
            --initial-advertise-peer-urls=http://10.0.0.2:2380 \
            --listen-client-urls=http://10.0.0.2:2379 \
            --advertise-client-urls=http://10.0.0.2:2379 \
            --initial-cluster=n1=http://10.0.0.1:2380,n2=http://10.0.0.2:2380 \
            --initial-cluster-state=existing \
            --feature-gates=InitialCorruptCheck=true

        or with these variables in its environment:

          ETCD_NAME=n2
          ETCD_DATA_DIR='/var/lib/my etcd'
          ETCD_LISTEN_PEER_URLS=http://10.0.0.2:2380
          ETCD_INITIAL_ADVERTISE_PEER_URLS=http://10.0.0.2:2380
          ETCD_LISTEN_CLIENT_URLS=http://10.0.0.2:2379
          ETCD_ADVERTISE_CLIENT_URLS=http://10.0.0.2:2379
          ETCD_INITIAL_CLUSTER=n1=http://10.0.0.1:2380,n2=http://10.0.0.2:2380
          ETCD_INITIAL_CLUSTER_STATE=existing
          ETCD_FEATURE_GATES=InitialCorruptCheck=true
        ");
        assert_eq!(launcher.running().await, Running::Unknown);
        assert_eq!(launcher.data_dir().await, Ok(DataDir::Unknown));
        launcher.stop().await.unwrap();
        assert!(said.lock().unwrap().starts_with("stop the member's etcd now"));
        launcher.discard_data(true).await.unwrap();
        assert!(said.lock().unwrap().contains("remove /var/lib/my etcd:"));
    }

    #[tokio::test]
    async fn an_unknown_version_is_refused_and_a_local_directory_looked_into() {
        let folder = tempfile::tempdir().unwrap();
        let config = ExternalConfig { data_dir: folder.path().to_owned(), local: true, ..Default::default() };
        assert_eq!(launcher(config.clone()).0.data_dir().await, Ok(DataDir::Empty));
        let config = ExternalConfig { version: Some("3.9.0".into()), ..config };
        assert!(launcher(config).0.preflight().await.is_err());
    }
}
