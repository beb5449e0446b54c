//! Somebody else starts the member: runner says exactly how, and looks on.

use std::path::PathBuf;

use async_trait::async_trait;

use super::data_dir::Claim;
use super::flags::{self, Flag, Wiring};
use super::{EtcdVersion, ExternalConfig, data_dir};
use crate::Problem;
use crate::pipeline::{DataDir, Discard, Guarded, Identity, Launcher, MemberSpec, Running, Started};

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

    fn flags(&self, spec: &MemberSpec) -> Result<Vec<Flag>, Problem> {
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

impl ExternalLauncher {
    /// Whose the data is, where it can be seen here and is another member's.
    async fn others(&self, whose: &Identity) -> Result<Option<String>, Problem> {
        if !self.config.local {
            return Ok(None);
        }
        Ok(match data_dir::claimed(&self.config.data_dir, whose).await? {
            Claim::Others(what) => Some(what),
            Claim::Its | Claim::Nobodys => None,
        })
    }

    /// What a person must look at first, where runner cannot.
    fn only_if(&self, whose: &Identity) -> String {
        if self.config.local {
            return String::new();
        }
        format!(
            "; only if its log says `local-member-id\":\"{}`, since another member on that machine is not this join's",
            whose.member_id
        )
    }
}

#[async_trait]
impl Launcher for ExternalLauncher {
    /// Only that the version is one whose flags are known: nothing else can be seen from here.
    async fn preflight(&self) -> Result<(), Problem> {
        self.config.version.as_deref().map_or(Ok(()), |version| version.parse::<EtcdVersion>().map(drop))
    }

    fn version(&self) -> Option<String> {
        self.config.version.clone()
    }

    async fn data_dir(&self) -> Result<DataDir, Problem> {
        if !self.config.local {
            return Ok(DataDir::Unknown);
        }
        data_dir::inspected(&self.config.data_dir).await
    }

    fn data_dir_path(&self) -> PathBuf {
        self.config.data_dir.clone()
    }

    /// Says how to start the member. It may be started already; then there is nothing to do.
    async fn start(&self, spec: &MemberSpec) -> Result<Started, Problem> {
        let flags = self.flags(spec)?;
        (self.announce)(instructions(spec, &flags));
        Ok(Started::Now)
    }

    async fn running(&self) -> Running {
        Running::Unknown
    }

    /// Says that the member must be stopped. Whether it was cannot be known here.
    async fn stop(&self, whose: &Identity) -> Result<Guarded, Problem> {
        if let Some(theirs) = self.others(whose).await? {
            return Ok(Guarded::NotOurs(theirs));
        }
        (self.announce)(format!(
            "stop the etcd of member {} now: its join is undone, and runner did not start it{}",
            whose.member_id,
            self.only_if(whose)
        ));
        Ok(Guarded::Done(()))
    }

    /// Says that the data must be moved away; touches nothing, since it cannot know that nobody uses it.
    async fn discard_data(&self, whose: &Identity, how: Discard) -> Result<Guarded<Option<PathBuf>>, Problem> {
        if let Some(theirs) = self.others(whose).await? {
            return Ok(Guarded::NotOurs(theirs));
        }
        let path = self.config.data_dir.display();
        let what = if how.folder { format!("{path}") } else { format!("what is in {path}") };
        (self.announce)(format!(
            "once it is stopped, move {what} aside: member {} can never start from it again{}",
            whose.member_id,
            self.only_if(whose)
        ));
        Ok(Guarded::Done(None))
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
    let what = match spec.started {
        true => format!("make sure that the member {} runs, with the data that it has and these flags:", spec.name),
        false => format!("start the member {} now, with an empty data directory and exactly these flags:", spec.name),
    };
    let mut lines = vec![what];
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
    use crate::cluster::MemberId;

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
        let whose = Identity { cluster_id: 7, member_id: MemberId(0xbeef) };
        let spec = MemberSpec {
            identity: Some(whose),
            started: false,
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
        launcher.stop(&whose).await.unwrap();
        let only_if =
            r#"; only if its log says `local-member-id":"beef`, since another member on that machine is not this join's"#;
        let told = said.lock().unwrap().clone();
        assert_eq!(
            told,
            format!("stop the etcd of member beef now: its join is undone, and runner did not start it{only_if}")
        );
        launcher.discard_data(&whose, Discard { folder: true, keep: false }).await.unwrap();
        let told = said.lock().unwrap().clone();
        let what = "once it is stopped, move /var/lib/my etcd aside: member beef can never start from it again";
        assert_eq!(told, format!("{what}{only_if}"));
        // What has run must keep its data, whoever is told to start it.
        launcher.start(&MemberSpec { started: true, ..spec }).await.unwrap();
        let told = said.lock().unwrap().clone();
        assert!(told.starts_with("make sure that the member n2 runs, with the data that it has and these flags:"), "{told}");
        assert!(!told.contains("empty"), "{told}");
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
