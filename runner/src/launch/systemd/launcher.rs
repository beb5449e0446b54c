//! The launcher: writes the unit, has systemd run it, takes both away.

use std::path::PathBuf;
use std::time::SystemTime;

use async_trait::async_trait;

use super::files::Paths;
use super::{systemctl, unit};
use crate::Problem;
use crate::launch::data_dir::Claim;
use crate::launch::procs;
use crate::launch::program::EtcdProgram;
use crate::launch::{SystemdConfig, blocking, data_dir, flags, log, preflight, refuse};
use crate::pipeline::{DataDir, Discard, Guarded, Identity, Launcher, MemberSpec, Running, Started};

/// How many of the member's last words are told.
const LAST_WORDS: usize = 20;

/// So many restarts are a crash loop.
const LOOP: u64 = 2;

/// Runs the member as a unit of systemd, which starts it again when it fails and when the node boots.
///
/// The unit runs as root, as kubeadm's pod does. Files of the unit's name that runner did not write are never touched.
pub struct SystemdLauncher {
    config: SystemdConfig,
    program: EtcdProgram,
    one_at_a_time: tokio::sync::Mutex<()>,
}

impl SystemdLauncher {
    /// Looks at nothing yet. Paths are made absolute, from the current folder on.
    pub fn new(mut config: SystemdConfig) -> Self {
        let program = EtcdProgram::new(&config.etcd);
        config.etcd = program.path().to_owned();
        config.unit = config.unit.strip_suffix(".service").unwrap_or(&config.unit).to_owned();
        config.unit_dir = data_dir::normal(&config.unit_dir);
        config.member.make_absolute();
        Self { config, program, one_at_a_time: tokio::sync::Mutex::default() }
    }

    /// What it was made from, with absolute paths: for the journal.
    pub fn config(&self) -> &SystemdConfig {
        &self.config
    }

    fn unit(&self) -> String {
        format!("{}.service", self.config.unit)
    }

    fn paths(&self) -> Result<Paths, Problem> {
        Paths::of(&self.config.unit_dir, &self.config.unit)
    }

    async fn runs(&self) -> bool {
        let (dir, program) = (self.config.member.data_dir.clone(), self.config.etcd.clone());
        !blocking(move || procs::find(&dir, &program)).await.is_empty()
    }

    /// Everything but the ports.
    async fn check(&self) -> Result<(), Problem> {
        self.program.version().await?;
        let paths = self.paths()?;
        paths.check()?;
        let (member, log) = (self.config.member.clone(), paths.environment.clone());
        blocking(move || preflight::member(&member, flags::outputs())).await?;
        if log.starts_with(&self.config.member.data_dir) {
            let text = format!("the unit {} would lie in the data directory", paths.unit.display());
            return Err(refuse(text, &["put it elsewhere: the data directory is removed when a join is rolled back"]));
        }
        let known = systemctl::show(&self.unit()).await?;
        let elsewhere = !known.file.is_empty() && data_dir::normal(known.file.as_ref()) != paths.unit;
        if elsewhere {
            let text = format!("systemd has a unit {} already, in {}", self.unit(), known.file);
            return Err(refuse(text, &["give ours another name with --unit-name, or remove the package that brought it"]));
        }
        Ok(())
    }

    /// Whose the unit or the data is, where it is not this member's.
    async fn others(&self, whose: &Identity) -> Result<Option<String>, Problem> {
        let paths = self.paths()?;
        if let Some(theirs) = paths.identity().filter(|theirs| theirs != whose) {
            return Ok(Some(format!("{} was written for member {}", paths.unit.display(), theirs.member_id)));
        }
        Ok(match data_dir::claimed(&self.config.member.data_dir, whose).await? {
            Claim::Others(what) => Some(what),
            Claim::Its | Claim::Nobodys => None,
        })
    }

    /// The last words since the unit was written; at the end what they mean.
    async fn last_words(&self, since: SystemTime) -> (Vec<String>, bool) {
        let mut words = log::last(&systemctl::log(&self.unit(), since).await, LAST_WORDS);
        let meaning = log::meaning(&words);
        if let Some(meaning) = meaning {
            words.push(format!("{meaning} (its log: journalctl -u {})", self.unit()));
        }
        (words, meaning.is_some())
    }
}

#[async_trait]
impl Launcher for SystemdLauncher {
    async fn preflight(&self) -> Result<(), Problem> {
        self.check().await?;
        let (member, runs) = (self.config.member.clone(), self.runs().await);
        blocking(move || preflight::given_addresses(&member, !runs)).await
    }

    fn version(&self) -> Option<String> {
        self.program.version_now()
    }

    async fn data_dir(&self) -> Result<DataDir, Problem> {
        data_dir::inspected(&self.config.member.data_dir).await
    }

    fn data_dir_path(&self) -> PathBuf {
        self.config.member.data_dir.clone()
    }

    async fn start(&self, spec: &MemberSpec) -> Result<Started, Problem> {
        let _one_at_a_time = self.one_at_a_time.lock().await;
        if self.runs().await {
            return Ok(Started::Already);
        }
        self.check().await?;
        let paths = self.paths()?;
        let files = unit::files(spec, &self.config, &self.program.version().await?, &paths.environment)?;
        let (member, advertised) = (self.config.member.clone(), spec.clone());
        blocking(move || {
            preflight::its_addresses(&member, &advertised)?;
            data_dir::ensure(&member.data_dir).map(drop)
        })
        .await?;
        paths.write(&files)?;
        systemctl::reload().await?;
        systemctl::start(&self.unit()).await.map(|()| Started::Now)
    }

    /// The unit stays as it is written.
    async fn restart(&self, spec: &MemberSpec) -> Result<bool, Problem> {
        let _one_at_a_time = self.one_at_a_time.lock().await;
        let Some(whose) = &spec.identity else { return Ok(false) };
        if self.paths()?.since().is_none() || self.others(whose).await?.is_some() {
            return Ok(false);
        }
        systemctl::stop(&self.unit()).await?;
        systemctl::start(&self.unit()).await?;
        Ok(true)
    }

    async fn running(&self) -> Running {
        let runs = self.runs().await;
        let Ok(known) = systemctl::show(&self.unit()).await else {
            return if runs { Running::Yes } else { Running::Unknown };
        };
        let looping = known.restarts >= LOOP;
        if runs && !looping {
            return Running::Yes;
        }
        let since = self.paths().ok().and_then(|paths| paths.since()).unwrap_or(SystemTime::UNIX_EPOCH);
        let (mut words, understood) = self.last_words(since).await;
        let ended = match known.active.as_str() {
            "failed" | "inactive" => true,
            // Between an end and the next start; an end that is understood will not go otherwise the next time.
            _ => looping || (known.sub == "auto-restart" && understood),
        };
        if !ended {
            return Running::Unknown;
        }
        if !understood {
            let times = if looping { format!(" and was started again {} times", known.restarts) } else { String::new() };
            words.push(format!("{} is {}{times} (its log: journalctl -u {})", self.unit(), known.active, self.unit()));
        }
        Running::No { log: words }
    }

    async fn where_to_look(&self) -> Vec<String> {
        vec![format!("see `systemctl status {unit}` and `journalctl -u {unit}`", unit = self.unit())]
    }

    async fn stop(&self, whose: &Identity) -> Result<Guarded, Problem> {
        let _no_start_meanwhile = self.one_at_a_time.lock().await;
        if let Some(theirs) = self.others(whose).await? {
            return Ok(Guarded::NotOurs(theirs));
        }
        let paths = self.paths()?;
        // Only what is ours is stopped: another unit of that name is none of our business.
        if paths.since().is_none() {
            if self.runs().await {
                let (path, unit) = (self.config.member.data_dir.display(), paths.unit.display());
                return Ok(Guarded::NotOurs(format!("an etcd uses {path}, and not by {unit} of runner's")));
            }
            return match paths.remove() {
                Ok(()) => Ok(Guarded::Done(())),
                // Nobody's business but its owner's, also while it does not run.
                Err(foreign) => Ok(Guarded::NotOurs(foreign.message)),
            };
        }
        systemctl::stop(&self.unit()).await?;
        paths.remove()?;
        systemctl::reload().await?;
        systemctl::forget(&self.unit()).await;
        match self.runs().await {
            false => Ok(Guarded::Done(())),
            true => Ok(Guarded::NotOurs(format!(
                "{} is stopped, and an etcd that somebody else started uses {}",
                self.unit(),
                self.config.member.data_dir.display()
            ))),
        }
    }

    async fn discard_data(&self, whose: &Identity, how: Discard) -> Result<Guarded<Option<PathBuf>>, Problem> {
        let _no_start_meanwhile = self.one_at_a_time.lock().await;
        let path = self.config.member.data_dir.clone();
        if self.runs().await {
            return Err(refuse(format!("the member's etcd runs: {} is in use", path.display()), &["stop it first"]));
        }
        let whose = *whose;
        blocking(move || data_dir::discard_its(&path, &whose, how)).await
    }

    async fn data_size(&self) -> u64 {
        data_dir::sized(&self.config.member.data_dir).await
    }

    fn metrics_url(&self) -> Option<String> {
        self.config.member.metrics_url.clone()
    }

    fn quota(&self) -> Option<u64> {
        self.config.member.quota()
    }

    fn election_timeout(&self) -> std::time::Duration {
        self.config.member.election_timeout()
    }
}
