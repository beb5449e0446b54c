//! The launcher of a simulated machine.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::sleep;

use super::Shared;
use super::calls::{Begun, Caller};
use super::faults::{Fault, Op};
use super::node::{Data, Node};
use super::state::{Deed, Done, Pending, State};
use runner_core::Problem;
use runner_core::cluster::Reason;
use runner_core::pipeline::{DataDir, Discard, Guarded, Identity, Launcher, MemberSpec, Running, Started};

/// Starts and stops etcd on one simulated machine. The machine outlives it: what it started runs on when it is dropped.
///
/// Observations take no time and starting or stopping takes a millisecond. Everything about the data directory is checked by the
/// simulated process itself when it starts, as etcd does: [`Launcher::preflight`] only fails where a fault says so.
#[derive(Debug)]
pub struct SimulatedLauncher {
    caller: Caller,
    at: usize,
    name: String,
    version: String,
    metrics_url: String,
}

impl SimulatedLauncher {
    pub(super) fn new(shared: Arc<Shared>, at: usize, name: &str) -> Self {
        let (version, metrics_url) = shared.with(|s| (s.nodes[at].version_text.clone(), s.nodes[at].metrics_url.clone()));
        Self { caller: Caller { shared }, at, name: name.to_owned(), version, metrics_url }
    }

    /// One call that observes: a fault may fail it or make it late.
    async fn look<T>(&self, op: Op, see: impl FnOnce(&mut State) -> T) -> Result<T, Problem> {
        let begun = self.caller.begin(op).await;
        if let Some(Fault::Delay(delay) | Fault::DelayAnswer(delay)) = begun.fault {
            sleep(delay).await;
        }
        let seen = self.caller.shared.with(see);
        let result = match begun.fault {
            None | Some(Fault::Delay(_) | Fault::DelayAnswer(_)) => Ok(seen),
            Some(Fault::Fail(reason)) => Err(self.failed(op, reason)),
            Some(_) => Err(self.lost(op)),
        };
        self.end(&begun, op, &result).await;
        result
    }

    /// One call that does something.
    async fn act(&self, op: Op, deed: Deed) -> Result<Done, Problem> {
        let begun = self.caller.begin(op).await;
        sleep(Duration::from_millis(1)).await;
        if let Some(Fault::Delay(delay)) = begun.fault {
            sleep(delay).await;
        }
        let done = |deed| self.caller.shared.with(|s| s.launch(self.at, deed)).map_err(|text| self.error(text));
        let result = match begun.fault {
            Some(Fault::Fail(reason)) => Err(self.failed(op, reason)),
            Some(Fault::AppliedLate(delay)) => {
                self.caller.shared.with(|s| s.schedule(delay, Pending::LateLaunch { node: self.at, deed }));
                Err(self.lost(op))
            }
            Some(Fault::AnswerLost | Fault::ConnectionLost) => done(deed).and_then(|_| Err(self.lost(op))),
            Some(Fault::DelayAnswer(delay)) => {
                let result = done(deed);
                sleep(delay).await;
                result
            }
            Some(Fault::Delay(_)) | None => done(deed),
        };
        self.end(&begun, op, &result).await;
        result
    }

    async fn end<T>(&self, begun: &Begun, op: Op, result: &Result<T, Problem>) {
        self.caller.end(begun, op, &self.name, result.as_ref().err().map(|_| Reason::Other)).await;
    }

    fn failed(&self, op: Op, reason: Reason) -> Problem {
        self.error(format!("the simulated machine {} refuses {op:?} ({reason:?})", self.name))
    }

    fn lost(&self, op: Op) -> Problem {
        self.error(format!("the simulated machine {} did not answer {op:?}: it may have been done", self.name))
    }

    fn error(&self, message: String) -> Problem {
        Problem::new(message)
    }
}

#[async_trait]
impl Launcher for SimulatedLauncher {
    async fn preflight(&self) -> Result<(), Problem> {
        self.look(Op::Preflight, |_| ()).await
    }

    fn version(&self) -> Option<String> {
        Some(self.version.clone())
    }

    async fn data_dir(&self) -> Result<DataDir, Problem> {
        self.look(Op::DataDir, |s| s.nodes[self.at].data_dir()).await
    }

    fn data_dir_path(&self) -> PathBuf {
        PathBuf::from(format!("/simulated/{}/etcd", self.name))
    }

    async fn start(&self, spec: &MemberSpec) -> Result<Started, Problem> {
        match self.act(Op::Start, Deed::Start(Box::new(spec.clone()))).await? {
            Done::Nothing => Ok(Started::Already),
            Done::It | Done::NotOurs(_) => Ok(Started::Now),
        }
    }

    async fn restart(&self, spec: &MemberSpec) -> Result<bool, Problem> {
        let Some(whose) = &spec.identity else { return Ok(false) };
        self.stop(whose).await?;
        self.start(spec).await?;
        Ok(true)
    }

    /// A fault makes it [`Running::Unknown`].
    async fn running(&self) -> Running {
        let seen = self.look(Op::Running, |s| {
            let node = &s.nodes[self.at];
            if node.up_since.is_some() { Running::Yes } else { Running::No { log: node.log.clone() } }
        });
        seen.await.unwrap_or(Running::Unknown)
    }

    async fn stop(&self, whose: &Identity) -> Result<Guarded, Problem> {
        match self.act(Op::Stop, Deed::Stop(*whose)).await? {
            Done::NotOurs(theirs) => Ok(Guarded::NotOurs(theirs)),
            Done::It | Done::Nothing => Ok(Guarded::Done(())),
        }
    }

    async fn discard_data(&self, whose: &Identity, how: Discard) -> Result<Guarded<Option<PathBuf>>, Problem> {
        match self.act(Op::DiscardData, Deed::Discard { whose: *whose, folder: how.folder }).await? {
            Done::NotOurs(theirs) => Ok(Guarded::NotOurs(theirs)),
            Done::It | Done::Nothing => Ok(Guarded::Done(None)),
        }
    }

    /// A fault makes it zero.
    async fn data_size(&self) -> u64 {
        self.look(Op::DataSize, |s| s.nodes[self.at].size as u64).await.unwrap_or(0)
    }

    fn metrics_url(&self) -> Option<String> {
        Some(self.metrics_url.clone())
    }
}

impl State {
    /// The machine of this name, made if there is none.
    pub(super) fn machine(&mut self, name: &str) -> usize {
        self.node_named(name).unwrap_or_else(|| {
            let last = self.settings.version_of(self.settings.voters.saturating_sub(1));
            let version = self.settings.newcomer_version.as_deref().unwrap_or(last).to_owned();
            self.nodes.push(Node::new(name, &version, &self.settings));
            self.nodes.len() - 1
        })
    }
}

impl Node {
    pub(super) fn data_dir(&self) -> DataDir {
        match &self.data {
            Data::Absent => DataDir::Absent,
            Data::Empty => DataDir::Empty,
            Data::Member { cluster_id, id } => DataDir::Member { cluster_id: *cluster_id, member_id: *id },
            Data::Foreign(what) => DataDir::Foreign { what: what.clone() },
        }
    }

    pub(super) fn set_data_dir(&mut self, data: DataDir) {
        (self.size, self.matched, self.applied) = (0.0, 0.0, 0.0);
        self.data = match data {
            DataDir::Absent => Data::Absent,
            DataDir::Empty => Data::Empty,
            DataDir::Member { cluster_id, member_id } => Data::Member { cluster_id, id: member_id },
            DataDir::Foreign { what } => Data::Foreign(what),
            // A launcher's lack of sight, which this one does not have: there is something, and it is nobody's.
            DataDir::Unknown => Data::Foreign("data of an unknown kind".to_owned()),
        };
    }
}
