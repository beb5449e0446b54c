//! The launcher: writes the manifest, watches what the kubelet makes of it, takes it away.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tokio::time::Instant;

use super::folder::{Folder, Found};
use super::image;
use super::kubelet::Kubelet;
use super::letting_go::{KUBELET, Pods};
use super::manifest::{self, manifest, mounts};
use super::pod_log::Starts;
use super::probes::Probes;
use crate::Problem;
use crate::launch::data_dir::Claim;
use crate::launch::procs::{self, Process};
use crate::launch::{EtcdVersion, MemberConfig, StaticPodConfig, blocking, data_dir, log, mark, preflight, refuse};
use crate::pipeline::{DataDir, Discard, Guarded, Identity, Launcher, MemberSpec, Running, Started};

/// How many of the member's last words are told.
const LAST_WORDS: usize = 20;

/// So many restarts are a crash loop. One may come of an address that was not there yet.
const LOOP: u64 = 2;

/// An etcd that was started and has been away for so long waits for the kubelet's back-off, which begins at 10 s.
const AWAY: Duration = Duration::from_secs(15);

/// How often is looked.
pub(super) const EVERY: Duration = Duration::from_millis(100);

/// Runs the member as a static pod: the kubelet starts it, restarts it and starts it again when the node boots.
///
/// What it cannot see is why a kubelet does *not* start it (an image that is missing, a kubelet that is down): it tells where
/// to look. It never touches a manifest that runner did not write.
pub struct StaticPodLauncher {
    config: StaticPodConfig,
    made: SystemTime,
    /// Since when an etcd that was started is away.
    away: Mutex<Option<Instant>>,
    one_at_a_time: tokio::sync::Mutex<()>,
}

impl StaticPodLauncher {
    /// Looks at nothing yet. Paths are made absolute, from the current folder on.
    pub fn new(mut config: StaticPodConfig) -> Self {
        config.member.make_absolute();
        config.kubelet_config = data_dir::normal(&config.kubelet_config);
        config.manifests_dir = config.manifests_dir.map(|dir| data_dir::normal(&dir));
        Self { config, made: SystemTime::now(), away: Mutex::default(), one_at_a_time: tokio::sync::Mutex::default() }
    }

    /// What it was made from, with absolute paths: for the journal.
    pub fn config(&self) -> &StaticPodConfig {
        &self.config
    }

    fn etcd(&self) -> Result<EtcdVersion, Problem> {
        image::version(&self.config.image, self.config.etcd_version.as_deref())
    }

    fn kubelet(&self) -> Result<Kubelet, Problem> {
        Kubelet::read(&self.config.kubelet_config)
    }

    fn folder(&self) -> Result<Folder, Problem> {
        Folder::open(&self.kubelet()?.manifests_dir(&self.config)?)
    }

    fn pods(&self) -> Result<Pods, Problem> {
        let kubelet = self.kubelet()?;
        Ok(Pods::of(kubelet.pod_logs(), &kubelet.manifests_dir(&self.config)?))
    }

    /// The etcds that use our data directory. A container's processes are the node's, too.
    async fn processes(&self) -> Vec<rustix::process::Pid> {
        let dir = self.config.member.data_dir.clone();
        blocking(move || procs::find(&dir, Path::new("etcd"))).await
    }

    pub(super) async fn runs(&self) -> bool {
        !self.processes().await.is_empty()
    }

    /// Whether there is a manifest for an etcd, whoever wrote it.
    ///
    /// # Errors
    ///
    /// The folder cannot be read.
    pub fn has_manifest(&self) -> Result<bool, Problem> {
        Ok(self.found()?.is_some_and(|(_, found)| found != Found::Nothing))
    }

    /// The folder and what is in it; none where there is no folder. `kubeadm reset` leaves it, a thorough person does not.
    fn found(&self) -> Result<Option<(Folder, Found)>, Problem> {
        let path = self.kubelet()?.manifests_dir(&self.config)?;
        if path.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
            return Ok(None);
        }
        let folder = Folder::open(&path)?;
        let found = folder.found()?;
        Ok(Some((folder, found)))
    }

    /// The member as it will listen: a pod listens on loopback, too.
    fn listening(&self, spec: &MemberSpec) -> MemberConfig {
        let mut member = self.config.member.clone();
        member.listen_client_urls.get_or_insert_with(|| manifest::listen_client_urls(&spec.client_urls));
        member
    }

    /// Everything but the ports.
    fn check(&self) -> Result<(), Problem> {
        Probes::of(&self.config.member, &self.etcd()?, self.config.startup_timeout)?;
        mounts(&self.config.member)?;
        preflight::member(&self.config.member, Vec::new())?;
        self.folder()?.writable()
    }

    fn refuse_foreign(&self, folder: &Folder, what: &str) -> Problem {
        let path = folder.manifest();
        let hints = [
            "the kubelet runs one etcd here already, or will: see `crictl ps -a --name etcd`".to_owned(),
            format!("where it is left over from an earlier member, move it out of the folder: {}", path.display()),
        ];
        refuse(format!("{} is {what}", path.display()), &hints.each_ref().map(String::as_str))
    }

    /// Whose the manifest or the data is, where it is not this member's. A manifest that runner did not write is somebody else's even
    /// while nothing runs: the kubelet will start it.
    async fn others(&self, whose: &Identity) -> Result<Option<String>, Problem> {
        match self.found()? {
            Some((folder, Found::Foreign { what })) => {
                return Ok(Some(format!("{} is {what}", folder.manifest().display())));
            }
            Some((folder, Found::Ours { text, .. })) => {
                if let Some(theirs) = mark::identity(&text).filter(|theirs| theirs != whose) {
                    let path = folder.manifest();
                    return Ok(Some(format!("{} was written for member {}", path.display(), theirs.member_id)));
                }
            }
            Some((_, Found::Nothing)) | None => {}
        }
        Ok(match data_dir::claimed(&self.config.member.data_dir, whose).await? {
            Claim::Others(what) => Some(what),
            Claim::Its | Claim::Nobodys => None,
        })
    }

    async fn holds_a_member(&self) -> Result<bool, Problem> {
        Ok(matches!(data_dir::inspected(&self.config.member.data_dir).await?, DataDir::Member { .. }))
    }

    async fn has_data_of(&self, spec: &MemberSpec) -> Result<bool, Problem> {
        let Some(whose) = &spec.identity else { return Ok(false) };
        Ok(data_dir::claimed(&self.config.member.data_dir, whose).await? == Claim::Its)
    }

    /// Ends the member's processes.
    pub(super) async fn end(&self, whose: &Identity) -> Result<(), Problem> {
        for pid in self.processes().await {
            // A minute has passed: whose it is now is read again.
            if data_dir::claimed(&self.config.member.data_dir, whose).await? != Claim::Its {
                return Err(refuse(
                    format!("an etcd uses {}, and it cannot be told whose it is", self.config.member.data_dir.display()),
                    &["see `crictl ps --name etcd` and the processes of this node"],
                ));
            }
            if let Some(process) = Process::hold(pid, &self.config.member.data_dir, Path::new("etcd"))? {
                process.end().await.map_err(|mut error| {
                    error.hints.push("stop the container: crictl ps --name etcd, then crictl stop".to_owned());
                    error
                })?;
            }
        }
        Ok(())
    }

    /// Tells whether an etcd that was started is away for too long to come back.
    fn stays_away(&self, away: bool) -> bool {
        let mut since = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        if !away {
            *since = None;
            return false;
        }
        since.get_or_insert_with(Instant::now).elapsed() >= AWAY
    }
}

#[async_trait]
impl Launcher for StaticPodLauncher {
    async fn preflight(&self) -> Result<(), Problem> {
        let runs = self.runs().await;
        self.check()?;
        let folder = self.folder()?;
        match folder.found()? {
            // Whoever manages it now (kubeadm's upgrade writes it anew): it runs a member, or is about to. Whose, the check looks.
            Found::Foreign { .. } if runs || self.holds_a_member().await? => return Ok(()),
            Found::Foreign { what } => return Err(self.refuse_foreign(&folder, what)),
            Found::Nothing | Found::Ours { .. } => {}
        }
        let member = self.config.member.clone();
        blocking(move || preflight::given_addresses(&member, !runs)).await
    }

    fn version(&self) -> Option<String> {
        self.etcd().ok().map(|version| version.to_string())
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
        self.check()?;
        let text = manifest(spec, &self.config, &self.etcd()?)?;
        let folder = self.folder()?;
        let on_its_data = spec.started && self.has_data_of(spec).await?;
        match folder.found()? {
            // Whoever manages it now (kubeadm's upgrade writes it anew): the kubelet starts our member by it.
            Found::Foreign { .. } if on_its_data => return Ok(Started::Already),
            Found::Foreign { what } => return Err(self.refuse_foreign(&folder, what)),
            // The kubelet has it, and a second writing would make it look again for nothing.
            Found::Ours { text: there, .. }
                if there == text || (on_its_data && manifest::same_but_for_others(&there, &text)) =>
            {
                return Ok(Started::Already);
            }
            Found::Nothing | Found::Ours { .. } => {}
        }
        let (member, advertised) = (self.listening(spec), spec.clone());
        blocking(move || preflight::its_addresses(&member, &advertised)).await?;
        // A pod that the kubelet holds on to would be in the new one's way for good. What has its data may be a voter: its manifest is
        // replaced, never taken away.
        if let Some(whose) = spec.identity.filter(|_| !on_its_data) {
            folder.remove()?;
            let pods = self.pods()?;
            if pods.held() {
                self.let_go(&whose, &pods).await?;
            }
        }
        let dir = &self.config.member.data_dir;
        // Made here, mode 0700, since the kubelet would make it readable to everybody.
        let made = data_dir::ensure(dir)?;
        let written = folder.write(&text).inspect_err(|_| {
            if made {
                let _ = std::fs::remove_dir(dir);
            }
        });
        written.map(|()| Started::Now)
    }

    async fn running(&self) -> Running {
        let runs = self.runs().await;
        let (Ok(kubelet), Ok(folder)) = (self.kubelet(), self.folder()) else { return Running::Unknown };
        let since = match folder.found() {
            Ok(Found::Ours { since, .. }) => since,
            Ok(_) if runs => return Running::Yes,
            // Somebody else's manifest by now: the kubelet may be about to start it.
            Ok(Found::Foreign { .. }) => return Running::Unknown,
            Ok(_) => return Running::No { log: vec![format!("its manifest {} is gone", folder.manifest().display())] },
            Err(_) => return Running::Unknown,
        };
        let starts = Starts::since(&kubelet.pod_logs(), since);
        // One that ran before the kubelet did may have ended with its node: a kubelet that has just come up is not waiting for anything.
        let kubelet_began = procs::started(KUBELET).into_iter().max().unwrap_or(self.made);
        let away = self.stays_away(!runs && starts.written_since(kubelet_began));
        if runs && starts.restarts < LOOP {
            return Running::Yes;
        }
        let Some(newest) = &starts.newest else { return Running::Unknown };
        let mut words = starts.last_words(LAST_WORDS);
        let log = newest.display();
        match log::meaning(&words) {
            Some(meaning) => words.push(format!("{meaning} (its log: {log})")),
            None if starts.restarts >= LOOP => {
                words.push(format!("the kubelet has started it again {} times (its log: {log})", starts.restarts));
            }
            None if away => {
                words.push(format!("it has ended, and the kubelet waits before the next start (its log: {log})"))
            }
            // Between two starts.
            None => return Running::Unknown,
        }
        Running::No { log: words }
    }

    async fn where_to_look(&self) -> Vec<String> {
        let Ok(folder) = self.folder() else { return Vec::new() };
        let path = folder.manifest();
        let (Ok(kubelet), Ok(Found::Ours { since, .. })) = (self.kubelet(), folder.found()) else { return Vec::new() };
        let mut hints = Vec::new();
        match Starts::since(&kubelet.pod_logs(), since).newest {
            Some(log) => hints.push(format!("its log: {}", log.display())),
            None => {
                hints.push(format!(
                    "the kubelet has started nothing from {} yet: see `journalctl -u kubelet`",
                    path.display()
                ));
                hints.push(format!("is the image there? `crictl images`, `crictl pull {}`", self.config.image));
            }
        }
        hints.push("the containers: `crictl ps -a --name etcd`".to_owned());
        hints
    }

    async fn stop(&self, whose: &Identity) -> Result<Guarded, Problem> {
        let _no_start_meanwhile = self.one_at_a_time.lock().await;
        if let Some(theirs) = self.others(whose).await? {
            return Ok(Guarded::NotOurs(theirs));
        }
        let pods = self.pods()?;
        let removed = match self.found()? {
            Some((folder, _)) => folder.remove()?,
            None => false,
        };
        if removed || pods.held() || self.runs().await {
            self.let_go(whose, &pods).await?;
        }
        self.stays_away(false);
        Ok(Guarded::Done(()))
    }

    /// A manifest that runner did not write, on this member's data or on none yet: `kubeadm reset` and `kubeadm join` for example, which goes
    /// on with the learner that it finds.
    async fn taken_over(&self, whose: &Identity) -> Result<Option<String>, Problem> {
        let Some((folder, Found::Foreign { what })) = self.found()? else { return Ok(None) };
        Ok(match data_dir::claimed(&self.config.member.data_dir, whose).await? {
            Claim::Its | Claim::Nobodys => Some(format!("{} is {what}", folder.manifest().display())),
            Claim::Others(_) => None,
        })
    }

    /// Always moves the data aside: kubeadm's tools and the kubelet work on the same directory.
    async fn discard_data(&self, whose: &Identity, how: Discard) -> Result<Guarded<Option<PathBuf>>, Problem> {
        let _no_start_meanwhile = self.one_at_a_time.lock().await;
        let path = self.config.member.data_dir.clone();
        if let Some(theirs) = self.others(whose).await? {
            return Ok(Guarded::NotOurs(theirs));
        }
        if self.runs().await {
            return Err(refuse(format!("the member's etcd runs: {} is in use", path.display()), &["stop it first"]));
        }
        if self.has_manifest()? {
            return Err(refuse("the kubelet still has the member's manifest", &["stop the member first"]));
        }
        let (whose, how) = (*whose, Discard { keep: true, ..how });
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
