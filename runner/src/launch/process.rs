//! etcd as a process of this node.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use process_wrap::std::{ChildWrapper, CommandWrap, ProcessSession};
use tokio::time::Instant;

use super::data_dir::Claim;
use super::flags::{self, Wiring};
use super::procs::{self, Process};
use super::program::EtcdProgram;
use super::version::EtcdVersion;
use super::{ProcessConfig, blocking, data_dir, log, preflight, refuse};
use crate::Problem;
use crate::pipeline::{DataDir, Discard, Guarded, Identity, Launcher, MemberSpec, Running, Started};

/// How many of the member's last words are told.
const LAST_WORDS: usize = 20;

/// How long a child of ours may be neither running nor ended: it has nothing to do but to be made, or torn down.
const IN_BETWEEN: Duration = Duration::from_secs(10);

/// Runs the member as a process that outlives the runner.
///
/// It does not restart a member that ends, and does not start one when the node boots: that is a service manager's work.
pub struct ProcessLauncher {
    config: ProcessConfig,
    program: EtcdProgram,
    child: Mutex<OurChild>,
    starting: tokio::sync::Mutex<()>,
}

/// The process that this very runner started, to be waited for so that no zombie stays.
#[derive(Default)]
struct OurChild {
    process: Option<Box<dyn ChildWrapper>>,
    ended: Option<ExitStatus>,
}

impl ProcessLauncher {
    /// Looks at nothing yet. Paths are made absolute, from the current folder on.
    pub fn new(mut config: ProcessConfig) -> Self {
        let program = EtcdProgram::new(&config.etcd);
        config.etcd = program.path().to_owned();
        config.log_file = data_dir::normal(&config.log_file);
        config.member.make_absolute();
        Self { config, program, child: Mutex::default(), starting: tokio::sync::Mutex::default() }
    }

    /// Begins to ask the program for its version, beside whatever the caller does next: that takes some 30 ms, and every join needs
    /// the answer. What goes wrong is said when it is needed. Must be called in a tokio runtime.
    pub fn ask_version_early(self: &Arc<Self>) {
        let launcher = Arc::clone(self);
        tokio::spawn(async move { launcher.program.version().await.map(drop) });
    }

    /// What it was made from, with absolute paths: for the journal.
    pub fn config(&self) -> &ProcessConfig {
        &self.config
    }

    /// The member's process, whoever started it; none where it does not run.
    pub(super) async fn process(&self) -> Result<Option<Process>, Problem> {
        loop {
            let found = self.find().await;
            for pid in &found {
                if let Some(process) = Process::hold(*pid, &self.config.member.data_dir, &self.config.etcd)? {
                    return Ok(Some(process));
                }
            }
            if found.is_empty() {
                return Ok(None);
            }
            // They ended between the look and the grasp.
        }
    }

    /// Whether this very runner started it.
    fn is_child(&self, process: &Process) -> bool {
        let child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        child.process.as_ref().is_some_and(|child| child.id() == process.pid().as_raw_nonzero().get().unsigned_abs())
    }

    /// How our own child ended, once it has.
    pub(super) fn reap(&self) -> Option<ExitStatus> {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Ok(Some(status))) = child.process.as_mut().map(|process| process.try_wait()) {
            child.process = None;
            child.ended = Some(status);
        }
        child.ended
    }

    /// The member's processes.
    ///
    /// A child of ours that is not among them is either about to be what we started (for a moment after the `exec` its command line
    /// is not there yet) or about to be gone: a killed process is seen as a zombie while its other threads are still on their way out,
    /// with its ports and files, and only after them does the kernel tell how it ended. So both are waited for.
    async fn find(&self) -> Vec<rustix::process::Pid> {
        let deadline = Instant::now() + IN_BETWEEN;
        loop {
            self.reap();
            let (dir, program) = (self.config.member.data_dir.clone(), self.config.etcd.clone());
            let found = blocking(move || procs::find(&dir, &program)).await;
            let ours = self.child.lock().unwrap_or_else(PoisonError::into_inner).process.is_some();
            if !found.is_empty() || !ours || Instant::now() >= deadline {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn command(&self, spec: &MemberSpec, version: &EtcdVersion) -> Result<Command, Problem> {
        let config = &self.config;
        let wiring = Wiring::of(&config.member, version.minor);
        let mut command = Command::new(&config.etcd);
        command.args(flags::arguments(flags::flags(spec, &wiring), &config.member.extra_args)?);
        super::keep_environment_away(&mut command);
        // Not in the folder that the runner was called in: it would keep that one's file system busy for good.
        command.envs(&config.member.env).envs(spec.identity.map(|whose| (procs::MARK, procs::mark(&whose))));
        command.current_dir("/").stdin(Stdio::null());
        Ok(command)
    }

    fn spawn(&self, spec: &MemberSpec, version: &EtcdVersion) -> Result<(), Problem> {
        let mut command = self.command(spec, version)?;
        let log = log::open(&self.config.log_file, &version.to_string(), &spec.name)?;
        let cannot = |e: std::io::Error| refuse(format!("cannot start {}: {e}", self.config.etcd.display()), &[]);
        command.stderr(log.try_clone().map_err(cannot)?).stdout(log);
        let made = data_dir::ensure(&self.config.member.data_dir)?;
        match CommandWrap::from(command).wrap(ProcessSession).spawn() {
            Ok(process) => {
                *self.child.lock().unwrap_or_else(PoisonError::into_inner) =
                    OurChild { process: Some(process), ended: None };
                Ok(())
            }
            Err(error) => {
                if made {
                    data_dir::discard(&self.config.member.data_dir, true)?;
                }
                Err(cannot(error))
            }
        }
    }

    /// The last words since the last start; at the end what they mean, or the signal that ended it, where that is known.
    fn last_words(&self) -> Vec<String> {
        let mut words = log::tail(&self.config.log_file, LAST_WORDS);
        if let Some(meaning) = log::meaning(&words) {
            words.push(format!("{meaning} (its log: {})", self.config.log_file.display()));
        } else if let Some(signal) = self.reap().and_then(|status| status.signal()) {
            let why = if signal == 9 { "; the kernel does that when memory runs out" } else { "" };
            words.push(format!("it was ended by signal {signal}{why}"));
        }
        words
    }
}

#[async_trait]
impl Launcher for ProcessLauncher {
    async fn preflight(&self) -> Result<(), Problem> {
        self.program.version().await?;
        let running = !self.find().await.is_empty();
        let config = self.config.clone();
        blocking(move || {
            preflight::process(&config)?;
            preflight::given_addresses(&config.member, !running)
        })
        .await
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
        let _one_at_a_time = self.starting.lock().await;
        if !self.find().await.is_empty() {
            return Ok(Started::Already);
        }
        let version = self.program.version().await?;
        let (config, advertised) = (self.config.clone(), spec.clone());
        blocking(move || {
            preflight::process(&config)?;
            preflight::its_addresses(&config.member, &advertised)
        })
        .await?;
        self.spawn(spec, &version).map(|()| Started::Now)
    }

    async fn restart(&self, spec: &MemberSpec) -> Result<bool, Problem> {
        let Some(whose) = &spec.identity else { return Ok(false) };
        if let Guarded::NotOurs(_) = self.stop(whose).await? {
            return Ok(false);
        }
        self.start(spec).await?;
        Ok(true)
    }

    async fn running(&self) -> Running {
        if self.find().await.is_empty() { Running::No { log: self.last_words() } } else { Running::Yes }
    }

    async fn where_to_look(&self) -> Vec<String> {
        vec![format!("its log: {}", self.config.log_file.display())]
    }

    async fn stop(&self, whose: &Identity) -> Result<Guarded, Problem> {
        let _no_start_meanwhile = self.starting.lock().await;
        while let Some(process) = self.process().await? {
            match data_dir::claimed(&self.config.member.data_dir, whose).await? {
                Claim::Its => {}
                Claim::Nobodys if self.is_child(&process) || process.marked(whose) => {}
                Claim::Nobodys => {
                    let (pid, path) = (process.pid(), self.config.member.data_dir.display());
                    return Ok(Guarded::NotOurs(format!("process {pid} uses {path}, and runner did not start it")));
                }
                Claim::Others(what) => return Ok(Guarded::NotOurs(what)),
            }
            process.end().await?;
        }
        self.reap();
        Ok(Guarded::Done(()))
    }

    async fn discard_data(&self, whose: &Identity, how: Discard) -> Result<Guarded<Option<PathBuf>>, Problem> {
        let _no_start_meanwhile = self.starting.lock().await;
        if !self.find().await.is_empty() {
            let path = self.config.member.data_dir.display();
            return Err(refuse(format!("the member's etcd runs: {path} is in use"), &["stop it first"]));
        }
        let (path, whose) = (self.config.member.data_dir.clone(), *whose);
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
