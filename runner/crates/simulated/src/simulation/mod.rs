//! A simulated etcd cluster, its machines, its join lock, and what can go wrong with them.
//!
//! The pipeline runs unchanged over it, under tokio's clock: nothing runs in the background, no thread, no file, no socket. With
//! the clock paused a join takes microseconds, and the same seed gives the same calls, answers and times. What etcd answers (its
//! words, its order of checks, what differs from 3.4 to 3.7) is kept in `answers.rs`, `members.rs` and `rules.rs`.
//!
//! It knows membership, leadership, log positions and the life of a starting member. It does not know keys and values, TLS,
//! authentication, leases, compaction, or what a client library does on top.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! use runner_simulated::{Fault, Faults, Op, Simulation};
//! use runner_core::cluster::{Cluster, Reason};
//!
//! let faults = Faults::none().at(Op::AddLearner, 1, Fault::ConnectionLost);
//! let simulation = Simulation::builder().version("3.5.16").voters(3).faults(faults).build();
//! let cluster = simulation.cluster();
//! let endpoint = &simulation.endpoints()[0];
//!
//! // The answer is lost, and the member is there.
//! let urls = [simulation.peer_url("node-4")];
//! let error = cluster.add_learner(endpoint, &urls).await.unwrap_err();
//! assert_eq!(error.reason, Reason::ConnectionLost);
//! assert!(simulation.members().by_peer_urls(&urls).is_some());
//! # }
//! ```

use std::future::{Future, pending};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

pub use builder::Builder;
pub use cluster::SimulatedCluster;
pub use faults::{Fault, Faults, Incident, Op, When};
pub use launcher::SimulatedLauncher;
pub use lock::SimulatedLock;
pub use rules::CatchUp;

use runner_core::cluster::{MemberId, MemberList, Reason};
use runner_core::pipeline::DataDir;
use state::State;

mod answers;
mod boot;
mod builder;
mod calls;
mod cluster;
mod faults;
mod incidents;
mod launcher;
mod lock;

mod members;
mod node;
mod raft;
mod rules;
mod state;
#[cfg(test)]
mod tests;

/// A simulated world: one cluster and the machines around it. Clones are the same world.
#[derive(Clone)]
pub struct Simulation {
    shared: Arc<Shared>,
}

/// What every handle shares.
struct Shared {
    state: Mutex<State>,
    crashes: Mutex<Vec<(u64, Moment, Arc<Notify>)>>,
}

/// Before a call does anything, or after it has, and before its caller sees the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Moment {
    /// Before.
    Before,
    /// After.
    After,
}

/// A call that never returns: the runner dies in it. Made by [`Simulation::crash_at`], and disarmed when it is dropped.
#[must_use = "it is disarmed when it is dropped"]
pub struct CrashPoint {
    shared: Arc<Shared>,
    reached: Arc<Notify>,
}

/// One call, as it was made and answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its number among all calls, from one.
    pub number: u64,
    /// When it ended, since the simulation was built.
    pub at: Duration,
    /// Which call.
    pub op: Op,
    /// Whom it asked: a URL, or a machine's name for the launcher's calls.
    pub endpoint: String,
    /// How it failed; none where it did not.
    pub error: Option<Reason>,
}

/// One change of the member list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mutation {
    /// When, since the simulation was built.
    pub at: Duration,
    /// What.
    pub kind: MutationKind,
    /// Which member.
    pub id: MemberId,
    /// By whom.
    pub by: By,
}

/// What a change of the member list did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MutationKind {
    /// A learner was added.
    Added,
    /// A learner became a voter.
    Promoted,
    /// A member was removed.
    Removed,
}

/// Who changed the member list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// A call through [`SimulatedCluster`].
    Runner,
    /// An incident.
    Rival,
}

impl Simulation {
    /// Starts to describe a world.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The cluster, to be called.
    pub fn cluster(&self) -> Arc<SimulatedCluster> {
        Arc::new(SimulatedCluster::new(self.shared.clone()))
    }

    /// The launcher of the machine of this name, which is made if there is none. A second launcher of the same name finds
    /// the machine as the first left it.
    pub fn launcher(&self, node: &str) -> Arc<SimulatedLauncher> {
        let at = self.shared.with(|state| state.machine(node));
        Arc::new(SimulatedLauncher::new(self.shared.clone(), at, node))
    }

    /// The join lock, for this run on this node.
    pub fn lock(&self, run: &str, node: &str) -> Arc<SimulatedLock> {
        Arc::new(SimulatedLock::new(self.shared.clone(), run, node))
    }

    /// The client URLs of the voters that the world began with, in order.
    pub fn endpoints(&self) -> Vec<String> {
        self.shared.with(|s| (0..s.settings.voters).map(|n| s.settings.client_url(&format!("node-{}", n + 1))).collect())
    }

    /// The name of the n-th voter that the world began with, from one: `node-1`.
    pub fn voter(&self, number: usize) -> String {
        format!("node-{number}")
    }

    /// The peer URL that the machine of this name has.
    pub fn peer_url(&self, node: &str) -> String {
        self.shared.with(|s| s.settings.peer_url(node))
    }

    /// The client URL that the machine of this name has.
    pub fn client_url(&self, node: &str) -> String {
        self.shared.with(|s| s.settings.client_url(node))
    }

    /// Lets something happen now.
    pub fn incident(&self, incident: Incident) {
        self.shared.with(|s| s.befall(incident));
    }

    /// Lets something happen later. Times that have passed mean now.
    pub fn schedule(&self, when: When, incident: Incident) {
        self.shared.with(|s| s.plan(when, incident));
    }

    /// Lets the k-th call of all (from one) never return, while the point lives. Its future is to be dropped once the point is
    /// reached; that is the runner's death. Machines and everything else live on.
    pub fn crash_at(&self, k: u64, moment: Moment) -> CrashPoint {
        let reached = Arc::new(Notify::new());
        self.shared.points().push((k, moment, reached.clone()));
        CrashPoint { shared: self.shared.clone(), reached }
    }

    /// Runs `run` until it ends, or dies in the k-th call; none for the latter.
    pub async fn run_until_crash<T>(&self, k: u64, moment: Moment, run: impl Future<Output = T>) -> Option<T> {
        self.crash_at(k, moment).run(run).await
    }

    /// The member list as it really is.
    pub fn members(&self) -> MemberList {
        self.shared.with(|s| s.list())
    }

    /// The member list that the world began with.
    pub fn baseline(&self) -> MemberList {
        self.shared.with(|s| s.baseline.clone())
    }

    /// Whether the member list is what the world began with, in ids, names, URLs and roles.
    pub fn at_baseline(&self) -> bool {
        self.shared.with(|s| s.list() == s.baseline)
    }

    /// Every change of the member list, in order.
    pub fn mutations(&self) -> Vec<Mutation> {
        self.shared.with(|s| s.mutations.clone())
    }

    /// The ids that runner's calls added, in order.
    pub fn added(&self) -> Vec<MemberId> {
        let ours = |m: &Mutation| m.by == By::Runner && m.kind == MutationKind::Added;
        self.mutations().into_iter().filter(ours).map(|m| m.id).collect()
    }

    /// The ids that have ever been removed, in order.
    pub fn removed(&self) -> Vec<MemberId> {
        self.shared.with(|s| s.removed.clone())
    }

    /// Who was put on a machine by other hands, [`Incident::RejoinedByOthers`]: the machine's name and the member's id.
    pub fn rejoined(&self) -> Vec<(String, MemberId)> {
        self.shared.with(|s| s.rejoined.clone())
    }

    /// The voters over time: each entry holds from its time until the next one's.
    pub fn voters_over_time(&self) -> Vec<(Duration, Vec<MemberId>)> {
        self.shared.with(|s| s.voters.clone())
    }

    /// For how long no voter has reached a quorum, in all.
    pub fn quorum_lost(&self) -> Duration {
        self.shared.with(|s| s.quorum_lost)
    }

    /// For how long there was a quorum but no leader, in all: elections.
    pub fn leaderless(&self) -> Duration {
        self.shared.with(|s| s.leaderless)
    }

    /// The leader, where it reaches a quorum.
    pub fn leader(&self) -> Option<MemberId> {
        self.shared.with(|s| s.leader.filter(|_| s.healthy))
    }

    /// What the machine's data directory holds.
    pub fn data_dir(&self, node: &str) -> DataDir {
        self.shared.with(|s| {
            let at = s.machine(node);
            s.nodes[at].data_dir()
        })
    }

    /// Puts something into the machine's data directory. Not for a machine whose etcd runs.
    pub fn set_data_dir(&self, node: &str, data: DataDir) {
        self.shared.with(|s| {
            let at = s.machine(node);
            s.nodes[at].set_data_dir(data);
        });
    }

    /// Whether the machine's etcd runs.
    pub fn runs(&self, node: &str) -> bool {
        self.shared.with(|s| s.node_named(node).is_some_and(|n| s.nodes[n].up_since.is_some()))
    }

    /// The run that holds the join lock.
    pub fn lock_holder(&self) -> Option<String> {
        self.shared.with(|s| s.holder().cloned())
    }

    /// How many calls have been begun.
    pub fn calls(&self) -> u64 {
        self.shared.with(|s| s.calls)
    }

    /// How many calls of this kind have been begun.
    pub fn count(&self, op: Op) -> usize {
        self.shared.with(|s| s.counts.get(&op).copied().unwrap_or(0))
    }

    /// Every call that has ended, in order.
    pub fn trace(&self) -> Vec<Call> {
        self.shared.with(|s| s.trace.clone())
    }

    /// What happened in the world, in words, for people who read a failed test.
    pub fn history(&self) -> Vec<(Duration, String)> {
        self.shared.with(|s| s.happened.clone())
    }

    /// Virtual time since the world was built.
    pub fn elapsed(&self) -> Duration {
        self.shared.with(|s| s.elapsed())
    }
}

impl CrashPoint {
    /// Returns once the point is reached.
    pub async fn reached(&self) {
        self.reached.notified().await;
    }

    /// Runs `run` until it ends, or this point is reached; none for the latter, with `run` dropped.
    pub async fn run<T>(&self, run: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.reached() => None,
            result = run => Some(result),
        }
    }
}

impl Drop for CrashPoint {
    fn drop(&mut self) {
        self.shared.points().retain(|(_, _, reached)| !Arc::ptr_eq(reached, &self.reached));
    }
}

impl Shared {
    /// The state, as of now.
    fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.sync();
        state
    }

    /// Does something with the state as of now.
    fn with<T>(&self, deed: impl FnOnce(&mut State) -> T) -> T {
        deed(&mut self.lock())
    }

    fn points(&self) -> MutexGuard<'_, Vec<(u64, Moment, Arc<Notify>)>> {
        self.crashes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Never returns where this call is a crash point.
    async fn crash(&self, number: u64, moment: Moment) {
        let point =
            self.points().iter().find(|(k, m, _)| *k == number && *m == moment).map(|(_, _, reached)| reached.clone());
        if let Some(reached) = point {
            reached.notify_one();
            pending::<()>().await;
        }
    }
}
