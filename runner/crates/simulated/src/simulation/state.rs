//! The world's state and how it moves: lazily, from the time that has passed, whenever somebody looks.
//!
//! Nothing runs in the background. Whoever looks first lets the time flow ([`State::sync`]): scheduled events happen in order,
//! and between two of them writes, log replay and snapshots advance by their rates.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tokio::time::Instant;

use super::builder::Settings;
use super::faults::{Incident, Op, When};
use super::lock::Place;
use super::members::{Entry, Outcome, Proposal};
use super::node::{Data, Node};
use super::{Call, Mutation};
use runner_core::cluster::{Alarm, MemberId, MemberList};
use runner_core::pipeline::Identity;

/// The world's clock starts here, so that "connected since long ago" is a time too.
pub(super) const ORIGIN: Duration = Duration::from_secs(3600);

/// Something that is going to happen.
#[derive(Debug)]
pub(super) enum Pending {
    /// A node's etcd has read its flags and looks at the cluster.
    Boot { node: usize, generation: u64 },
    /// A node's etcd proposes its name.
    Publish { node: usize, generation: u64 },
    /// A removed member's etcd learns of it.
    Exit { node: usize, generation: u64 },
    /// The voters notice that the leader is gone.
    LeaderTimeout { timer: u64 },
    /// The voters elect.
    Election { timer: u64 },
    /// Nodes that are cut off forget the leader.
    Forget,
    /// A request that was delayed beyond its caller's deadline arrives.
    Late { node: String, proposal: Proposal },
    /// A late call to a launcher.
    LateLaunch { node: usize, deed: Deed },
    /// Something of the plan.
    Incident(Incident),
}

/// What a launcher does.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    Start(Box<runner_core::pipeline::MemberSpec>),
    Stop(Identity),
    Discard { whose: Identity, folder: bool },
}

/// What a launcher's deed came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Done {
    /// It was done.
    It,
    /// There was nothing to do.
    Nothing,
    /// What is there is another member's; says whose.
    NotOurs(String),
}

pub(super) struct State {
    pub(super) settings: Settings,
    epoch: Instant,
    pub(super) now: Duration,
    pub(super) rng: SmallRng,
    queue: BTreeMap<(Duration, u64), Pending>,
    sequence: u64,
    pub(super) cluster_id: u64,
    pub(super) entries: Vec<Entry>,
    pub(super) removed: Vec<MemberId>,
    pub(super) nodes: Vec<Node>,
    pub(super) alarms: Vec<Alarm>,
    /// The leader's last index; writes between two looks leave fractions.
    pub(super) index: f64,
    pub(super) write_rate: f64,
    pub(super) term: u64,
    pub(super) leader: Option<MemberId>,
    /// The leader runs and reaches a quorum.
    pub(super) healthy: bool,
    /// Some voter runs and reaches a quorum.
    pub(super) quorum: bool,
    /// Counts leader timers; those of an older count are void.
    pub(super) timer: u64,
    pub(super) timer_runs: bool,
    /// Proposals in the log of a leader that has no quorum.
    pub(super) uncommitted: Vec<(u64, MemberId, Proposal)>,
    pub(super) committed: BTreeMap<u64, Outcome>,
    pub(super) tickets: u64,
    pub(super) places: Vec<Place>,
    pub(super) refused: Vec<(Op, runner_core::cluster::Reason)>,
    pub(super) calls: u64,
    pub(super) counts: BTreeMap<Op, usize>,
    pub(super) trace: Vec<Call>,
    pub(super) happened: Vec<(Duration, String)>,
    pub(super) mutations: Vec<Mutation>,
    pub(super) voters: Vec<(Duration, Vec<MemberId>)>,
    pub(super) quorum_lost: Duration,
    pub(super) leaderless: Duration,
    pub(super) baseline: MemberList,
    pub(super) newcomer: Option<usize>,
    /// Runs whose lease in the join lock has ended under them.
    pub(super) lost: Vec<String>,
    /// Members that others put on a machine of ours: the machine's name and the member's id.
    pub(super) rejoined: Vec<(String, MemberId)>,
}

impl State {
    pub(super) fn new(settings: Settings) -> Self {
        let mut rng = SmallRng::seed_from_u64(settings.seed);
        let cluster_id = rng.random();
        let index = settings.log_index as f64;
        let mut state = Self {
            epoch: Instant::now(),
            now: ORIGIN,
            rng,
            queue: BTreeMap::new(),
            sequence: 0,
            cluster_id,
            entries: Vec::new(),
            removed: Vec::new(),
            nodes: Vec::new(),
            alarms: Vec::new(),
            index,
            write_rate: settings.write_rate,
            term: 2,
            leader: None,
            healthy: false,
            quorum: false,
            timer: 0,
            timer_runs: false,
            uncommitted: Vec::new(),
            committed: BTreeMap::new(),
            tickets: 0,
            places: Vec::new(),
            refused: Vec::new(),
            calls: 0,
            counts: BTreeMap::new(),
            trace: Vec::new(),
            happened: Vec::new(),
            mutations: Vec::new(),
            voters: Vec::new(),
            quorum_lost: Duration::ZERO,
            leaderless: Duration::ZERO,
            baseline: MemberList::default(),
            newcomer: None,
            lost: Vec::new(),
            rejoined: Vec::new(),
            settings,
        };
        state.found();
        state
    }

    /// Founds the cluster: its voters have run for long.
    fn found(&mut self) {
        for number in 0..self.settings.voters {
            let name = format!("node-{}", number + 1);
            let version = self.settings.version_of(number).to_owned();
            let id = self.fresh_id();
            let mut node = Node::new(&name, &version, &self.settings);
            node.data = Data::Member { cluster_id: self.cluster_id, id };
            node.matched = self.index;
            node.applied = self.index;
            node.size = self.settings.db_size as f64;
            node.up_since = Some(Duration::ZERO);
            node.booted = true;
            node.client_open = true;
            self.entries.push(Entry::voter(id, &node, self.index));
            self.nodes.push(node);
        }
        self.leader = self.entries.first().map(|e| e.member.id);
        self.voters.push((Duration::ZERO, self.entries.iter().map(|e| e.member.id).collect()));
        self.baseline = self.list();
        self.reconsider();
        for (when, incident) in std::mem::take(&mut self.settings.faults.incidents) {
            self.plan(when, incident);
        }
    }

    /// Schedules an incident of the plan.
    pub(super) fn plan(&mut self, when: When, incident: Incident) {
        match when {
            When::After(time) => self.schedule_at(ORIGIN + time, Pending::Incident(incident)),
            _ => self.settings.faults.incidents.push((when, incident)),
        }
    }

    /// An id that no member has or ever had.
    pub(super) fn fresh_id(&mut self) -> MemberId {
        loop {
            let id = MemberId(self.rng.random_range(1 << 48..u64::MAX));
            if !self.removed.contains(&id) && self.entries.iter().all(|e| e.member.id != id) {
                return id;
            }
        }
    }

    /// The member list as the log has it.
    pub(super) fn list(&self) -> MemberList {
        MemberList { cluster_id: self.cluster_id, members: self.entries.iter().map(|e| e.member.clone()).collect() }
    }

    pub(super) fn schedule(&mut self, after: Duration, pending: Pending) {
        self.schedule_at(self.now + after, pending);
    }

    fn schedule_at(&mut self, at: Duration, pending: Pending) {
        self.sequence += 1;
        self.queue.insert((at.max(self.now), self.sequence), pending);
    }

    /// When something is going to happen next, from now.
    pub(super) fn next_event(&self) -> Option<Duration> {
        self.queue.keys().next().map(|(at, _)| at.saturating_sub(self.now))
    }

    /// Virtual time since the simulation was built.
    pub(super) fn elapsed(&self) -> Duration {
        self.now.saturating_sub(ORIGIN)
    }

    /// Remembers what happened, for people who read a failed test.
    pub(super) fn note(&mut self, what: impl FnOnce() -> String) {
        let at = self.elapsed();
        self.happened.push((at, what()));
    }

    /// Lets the time flow until now.
    pub(super) fn sync(&mut self) {
        let until = ORIGIN + Instant::now().saturating_duration_since(self.epoch);
        while let Some(next) = self.queue.first_entry().filter(|next| next.key().0 <= until) {
            let ((at, _), pending) = next.remove_entry();
            self.flow(at);
            self.happen(pending);
        }
        self.flow(until);
    }

    /// Moves everything that has a rate.
    fn flow(&mut self, until: Duration) {
        let passed = until.saturating_sub(self.now);
        if !passed.is_zero() {
            let seconds = passed.as_secs_f64();
            if self.healthy {
                self.index += self.write_rate * seconds;
            } else if self.quorum {
                self.leaderless += passed;
            } else {
                self.quorum_lost += passed;
            }
            self.now = until;
            self.replicate(seconds);
        }
    }

    fn happen(&mut self, pending: Pending) {
        match pending {
            Pending::Boot { node, generation } => self.boot(node, generation),
            Pending::Publish { node, generation } => self.publish(node, generation),
            Pending::Exit { node, generation } => self.exit(node, generation),
            Pending::LeaderTimeout { timer } => self.leader_timeout(timer),
            Pending::Election { timer } => self.elect(timer),
            Pending::Forget => self.forget(),
            Pending::Late { node, proposal } => {
                let done = self.node_named(&node).map(|at| self.arrive(at, &proposal));
                self.note(|| format!("late {proposal:?}: {done:?}"));
            }
            Pending::LateLaunch { node, deed } => {
                let done = self.launch(node, deed);
                self.note(|| format!("late launch: {done:?}"));
            }
            Pending::Incident(incident) => self.befall(incident),
        }
    }
}
