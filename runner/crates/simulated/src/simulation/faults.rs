//! What goes wrong, and when: faults placed on single calls, and incidents in the world.

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use runner_core::cluster::{AlarmKind, Reason};

/// A call that runner makes to the simulated world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Op {
    /// `Cluster::member_list`.
    MemberList,
    /// `Cluster::status`.
    Status,
    /// `Cluster::propose`.
    Propose,
    /// `Cluster::add_learner`.
    AddLearner,
    /// `Cluster::promote`.
    Promote,
    /// `Cluster::remove`.
    Remove,
    /// `Cluster::linearizable_read`.
    Read,
    /// `Cluster::peer_members`.
    PeerMembers,
    /// `Cluster::metrics`.
    Metrics,
    /// `Launcher::preflight`.
    Preflight,
    /// `Launcher::data_dir`.
    DataDir,
    /// `Launcher::start`.
    Start,
    /// `Launcher::running`.
    Running,
    /// `Launcher::stop`.
    Stop,
    /// `Launcher::discard_data`.
    DiscardData,
    /// `Launcher::data_size`.
    DataSize,
    /// `JoinLock::try_acquire`.
    Acquire,
    /// `JoinLock::held`.
    Held,
    /// `JoinLock::waited_for`.
    WaitedFor,
    /// `JoinLock::release`.
    Release,
}

/// What goes wrong with one call.
///
/// A launcher's call has no etcd reason: [`Fault::Fail`] becomes a `Problem`, and every lost answer one that says so.
/// `running` and `data_size` cannot fail: a fault other than a delay makes them unknown and zero. A lock's call that would be
/// [`Fault::AppliedLate`] is lost altogether.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails before anything is done, with this reason in etcd's own words.
    Fail(Reason),
    /// It is done, and the caller sees nothing until its deadline passes.
    AnswerLost,
    /// It is done, and the connection breaks.
    ConnectionLost,
    /// The caller sees nothing until its deadline passes; it is done only this long after the call.
    AppliedLate(Duration),
    /// It reaches the other side this much later. Beyond the deadline this is [`Fault::AppliedLate`].
    Delay(Duration),
    /// It is done at once, and its answer comes this much later.
    DelayAnswer(Duration),
}

/// Something that happens in the world, whoever calls what.
///
/// Nodes are named as in [`Simulation::voter`](super::Simulation::voter); a name that does not exist is ignored.
#[derive(Clone, Debug, PartialEq)]
pub enum Incident {
    /// The node's etcd dies; its data stays.
    Crash(String),
    /// The node's etcd starts again, if it has data.
    Restart(String),
    /// The leader's etcd dies.
    CrashLeader,
    /// Another voter becomes leader at once: the named one, or the next.
    MoveLeader(Option<String>),
    /// Runner cannot reach the nodes' client ports: packets vanish.
    Hide(Vec<String>),
    /// Runner reaches all again.
    Show,
    /// These nodes and all others cannot reach each other.
    Split(Vec<String>),
    /// All nodes reach each other again.
    Heal,
    /// An alarm is raised for a node's member.
    Alarm(String, AlarmKind),
    /// All alarms are cleared.
    Disarm,
    /// Every member that is catching up does so at this many log entries (and a thousand times as many snapshot bytes) a
    /// second; zero stalls it.
    CatchUpRate(u64),
    /// The node's disk hangs: its etcd answers, and neither writes nor applies anything more.
    Freeze(String),
    /// Every disk works again.
    Thaw,
    /// The last started newcomer's etcd dies.
    CrashNewcomer,
    /// The last started newcomer's etcd starts again.
    RestartNewcomer,
    /// Somebody else adds a learner that never starts.
    RivalAdds,
    /// Somebody else removes the last member that runner added, if it is still a learner: a controller that sweeps
    /// learners (cluster-api#14197). A voter is left alone, dead or not.
    RivalRemoves,
    /// Somebody else promotes the last member that runner added, if etcd lets them.
    RivalPromotes,
    /// Somebody else wipes this machine and joins it by other means: what runner added is removed, and a voter of another id with the
    /// same peer URL runs there.
    RejoinedByOthers(String),
    /// Somebody else adds a learner with the peer URL of this machine, and does not start it.
    TakesUrlOf(String),
    /// Somebody else kills this machine's etcd and removes its data.
    Wipe(String),
    /// The holder's lease in the join lock ends.
    LockLost,
    /// The member's own status takes it for a learner although it is a voter (etcd#18347), or no longer does.
    MistakesItself(String, bool),
    /// The member of a node counts as never started: its name and client URLs are gone from the list.
    Unname(String),
    /// Clients write this many entries a second.
    WriteRate(u64),
    /// Every later call of this kind fails with this reason before anything is done.
    Refuse(Op, Reason),
    /// No kind of call is refused any more.
    Accept,
}

/// When an incident happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// This long after the simulation was built, in virtual time.
    After(Duration),
    /// Just before the n-th call of this kind, counted from one.
    Call(Op, usize),
    /// Just before the n-th call of any kind, counted from one.
    AnyCall(usize),
}

/// A plan of faults and incidents.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    pub(super) placed: Vec<(Op, usize, Fault)>,
    pub(super) incidents: Vec<(When, Incident)>,
}

impl Op {
    /// The calls to the cluster.
    pub const CLUSTER: &[Self] = &[
        Self::MemberList,
        Self::Status,
        Self::Propose,
        Self::AddLearner,
        Self::Promote,
        Self::Remove,
        Self::Read,
        Self::PeerMembers,
        Self::Metrics,
    ];
    /// The calls to the launcher.
    pub const LAUNCHER: &[Self] =
        &[Self::Preflight, Self::DataDir, Self::Start, Self::Running, Self::Stop, Self::DiscardData, Self::DataSize];
    /// The calls to the join lock.
    pub const LOCK: &[Self] = &[Self::Acquire, Self::Held, Self::WaitedFor, Self::Release];
    /// The calls that change something.
    pub const MUTATIONS: &[Self] = &[
        Self::AddLearner,
        Self::Promote,
        Self::Remove,
        Self::Start,
        Self::Stop,
        Self::DiscardData,
        Self::Acquire,
        Self::Release,
    ];
}

impl Faults {
    /// Nothing goes wrong.
    pub fn none() -> Self {
        Self::default()
    }

    /// Places a fault on the n-th call of this kind, counted from one over the whole life of the simulation.
    pub fn at(mut self, op: Op, nth: usize, fault: Fault) -> Self {
        self.placed.push((op, nth, fault));
        self
    }

    /// Lets something happen at some time.
    pub fn when(mut self, when: When, incident: Incident) -> Self {
        self.incidents.push((when, incident));
        self
    }

    /// The kinds of all that is planned, by their names here; for statistics.
    pub fn kinds(&self) -> Vec<String> {
        let placed = self.placed.iter().map(|(op, _, fault)| format!("{op:?}: {}", kind(fault)));
        placed.chain(self.incidents.iter().map(|(_, incident)| kind(incident))).collect()
    }

    /// A plan of up to three faults and two incidents; the same seed gives the same plan. `voters` are the names of the
    /// cluster's voters.
    ///
    /// Only what a join must survive is drawn: voters that are hurt come back, no alarms, nothing is refused for good. A late
    /// request arrives within 15 s, so up to 5 s after the default deadline of its caller: less than the 7 s for which etcd itself
    /// may hold a proposal.
    pub fn random(seed: u64, voters: &[String]) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut plan = Self::none();
        for _ in 0..rng.random_range(0..=3) {
            let ops = *[Op::MUTATIONS, Op::MUTATIONS, Op::CLUSTER].choose(&mut rng).unwrap_or(&Op::CLUSTER);
            let op = *ops.choose(&mut rng).unwrap_or(&Op::AddLearner);
            let nth = rng.random_range(1..=3);
            let fault = random_fault(&mut rng);
            plan = plan.at(op, nth, fault);
        }
        for _ in 0..rng.random_range(0..=2) {
            let at = Duration::from_millis(rng.random_range(0..2_000));
            let back = at + Duration::from_millis(rng.random_range(500..20_000));
            let voter = voters.choose(&mut rng).cloned().unwrap_or_default();
            plan = match rng.random_range(0..9) {
                0 => plan
                    .when(When::After(at), Incident::Crash(voter.clone()))
                    .when(When::After(back), Incident::Restart(voter)),
                1 => plan.when(When::After(at), Incident::MoveLeader(None)),
                2 => plan.when(When::After(at), Incident::Hide(vec![voter])).when(When::After(back), Incident::Show),
                3 => plan.when(When::After(at), Incident::Split(vec![voter])).when(When::After(back), Incident::Heal),
                4 => plan
                    .when(When::After(at), Incident::CatchUpRate(0))
                    .when(When::After(back), Incident::CatchUpRate(50_000)),
                5 => plan.when(When::After(at), Incident::CrashNewcomer),
                6 => plan.when(When::After(at), Incident::RivalAdds),
                7 => plan.when(When::After(at), Incident::RivalRemoves),
                _ => plan.when(When::After(at), Incident::LockLost),
            };
        }
        plan
    }
}

/// The name of a variant.
fn kind(of: &impl std::fmt::Debug) -> String {
    format!("{of:?}").split(['(', ' ']).next().unwrap_or_default().to_owned()
}

fn random_fault(rng: &mut SmallRng) -> Fault {
    // Below the time that a run gives an unanswered add to show up: what comes later cannot be told from what is lost.
    let span = Duration::from_millis(rng.random_range(1..9_000));
    let reasons = [
        Reason::UnhealthyCluster,
        Reason::Unreachable,
        Reason::LeaderChanged,
        Reason::TooManyRequests,
        Reason::RequestTimedOut,
    ];
    match rng.random_range(0..6) {
        0 => Fault::Fail(*reasons.choose(rng).unwrap_or(&Reason::Unreachable)),
        1 => Fault::AnswerLost,
        2 => Fault::ConnectionLost,
        3 => Fault::AppliedLate(span),
        4 => Fault::Delay(span),
        _ => Fault::DelayAnswer(span),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_plan() {
        let voters = ["node-1".to_owned(), "node-2".to_owned()];
        let plans: Vec<_> = (0..200).map(|seed| Faults::random(seed, &voters)).collect();
        assert!(plans.iter().enumerate().all(|(seed, plan)| *plan == Faults::random(seed as u64, &voters)));
        assert!(plans.iter().any(|p| p.placed.is_empty()) && plans.iter().any(|p| p.placed.len() == 3));
    }
}
