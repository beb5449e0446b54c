//! The facts that a plugin is given.
//!
//! In a component they are handles into the host, and each method is one call across the boundary: cheap, but not free, so
//! keep what you need twice. On any other target they are what a test made up with [`fake`](crate::fake).

#[cfg(not(target_family = "wasm"))]
use crate::fake::source;
#[cfg(target_family = "wasm")]
use crate::guest::source;

/// The cluster that is being joined, as it was observed before the call.
#[derive(Debug)]
pub struct Cluster(pub(crate) source::Cluster);

/// One member of the cluster, as the member list and its own status describe it.
#[derive(Debug)]
pub struct Member(pub(crate) source::Member);

/// The member that wants to join, as it is planned. It is not in the member list before it has been added.
#[derive(Debug)]
pub struct Newcomer(pub(crate) source::Newcomer);

/// A window of samples of the candidate's progress, oldest first.
#[derive(Debug)]
pub struct Samples(pub(crate) source::Samples);

/// One sample of the window.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    window: &'a Samples,
    index: u32,
}

/// Whether a member votes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// It votes.
    Voter,
    /// It receives the log and has no vote.
    Learner,
    /// A role of a later release, by its name.
    Other(String),
}

impl Cluster {
    /// The cluster id in lower-case hex.
    pub fn id(&self) -> String {
        self.0.id()
    }

    /// Every member, voters and learners, in the order of the member list.
    pub fn members(&self) -> Vec<Member> {
        self.0.members().into_iter().map(Member).collect()
    }

    /// The leader; none while there is none.
    pub fn leader(&self) -> Option<Member> {
        self.0.leader().map(Member)
    }

    /// How many voters must agree: more than half of them.
    pub fn quorum(&self) -> u32 {
        self.0.quorum()
    }

    /// How many more voters may be lost before the cluster stops, counting those that did not answer as lost already.
    pub fn fault_tolerance(&self) -> u32 {
        self.0.fault_tolerance()
    }

    /// When this was observed, in milliseconds since 1970 (UTC).
    pub fn observed_at_ms(&self) -> u64 {
        self.0.observed_at_ms()
    }

    /// A further fact by name; none where runner has none of that name.
    pub fn label(&self, key: &str) -> Option<String> {
        self.0.label(key)
    }
}

impl Member {
    /// etcd's member id in lower-case hex, for example `8e9e05c52164694d`.
    pub fn id(&self) -> String {
        self.0.id()
    }

    /// The member's name; empty while it was added but has not started. See [`display_name`](Self::display_name).
    pub fn name(&self) -> String {
        self.0.name()
    }

    /// What to call it in a message: its name, or its id where it has none.
    pub fn display_name(&self) -> String {
        let name = self.name();
        if name.is_empty() { self.id() } else { name }
    }

    /// Whether it votes.
    pub fn role(&self) -> Role {
        match self.0.role().as_str() {
            "voter" => Role::Voter,
            "learner" => Role::Learner,
            other => Role::Other(other.to_owned()),
        }
    }

    /// Whether it has published its name and client URLs: it has been started at least once.
    pub fn is_started(&self) -> bool {
        self.0.started()
    }

    /// Whether it is the leader.
    pub fn is_leader(&self) -> bool {
        self.0.leader()
    }

    /// Whether it answered its status request in this observation.
    pub fn is_reachable(&self) -> bool {
        self.0.reachable()
    }

    /// Where the other members reach it.
    pub fn peer_urls(&self) -> Vec<String> {
        self.0.peer_urls()
    }

    /// Where clients reach it; empty while it has not started.
    pub fn client_urls(&self) -> Vec<String> {
        self.0.client_urls()
    }

    /// The etcd version it reports, for example `3.5.16`; none where it did not answer.
    pub fn version(&self) -> Option<String> {
        self.0.version()
    }

    /// Size of its database file in bytes; none where it did not answer.
    pub fn db_size(&self) -> Option<u64> {
        self.0.db_size()
    }

    /// Bytes of that file that hold data; the rest is what defragmentation would give back.
    pub fn db_size_in_use(&self) -> Option<u64> {
        self.0.db_size_in_use()
    }

    /// Index of the last raft entry it knows to be committed; none where it did not answer.
    pub fn raft_index(&self) -> Option<u64> {
        self.0.raft_index()
    }

    /// Index of the last raft entry it has applied to its database; none where it did not answer.
    pub fn raft_applied_index(&self) -> Option<u64> {
        self.0.raft_applied_index()
    }

    /// The raft term it is in; a new term means a new election. None where it did not answer.
    pub fn raft_term(&self) -> Option<u64> {
        self.0.raft_term()
    }

    /// How long its status request took, in microseconds, from the node where runner runs.
    pub fn round_trip_us(&self) -> Option<u32> {
        self.0.round_trip_us()
    }

    /// Errors it reports about itself (for example `NOSPACE`), and alarms raised for it.
    pub fn problems(&self) -> Vec<String> {
        self.0.problems()
    }

    /// A further fact by name; none where runner has none of that name.
    pub fn label(&self, key: &str) -> Option<String> {
        self.0.label(key)
    }
}

impl Newcomer {
    /// The name it will have.
    pub fn name(&self) -> String {
        self.0.name()
    }

    /// Where the other members will reach it.
    pub fn peer_urls(&self) -> Vec<String> {
        self.0.peer_urls()
    }

    /// Where clients will reach it.
    pub fn client_urls(&self) -> Vec<String> {
        self.0.client_urls()
    }

    /// The etcd version it will run; none where runner does not start it and nobody has said.
    pub fn version(&self) -> Option<String> {
        self.0.version()
    }

    /// A further fact by name; none where runner has none of that name.
    pub fn label(&self, key: &str) -> Option<String> {
        self.0.label(key)
    }
}

impl Samples {
    /// How many there are.
    pub fn len(&self) -> u32 {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The sample at `index`, the oldest being 0; none past the end.
    pub fn get(&self, index: u32) -> Option<Sample<'_>> {
        (index < self.len()).then_some(Sample { window: self, index })
    }

    /// The newest.
    pub fn last(&self) -> Option<Sample<'_>> {
        self.iter().next_back()
    }

    /// All of them, oldest first; `.rev()` starts with the newest.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Sample<'_>> + ExactSizeIterator {
        (0..self.len()).map(|index| Sample { window: self, index })
    }
}

impl Sample<'_> {
    /// Its place in the window; the oldest is 0.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// When it was taken, in milliseconds since 1970 (UTC).
    pub fn at_ms(&self) -> u64 {
        self.window.0.at_ms(self.index)
    }

    /// The leader's committed raft index.
    pub fn leader_index(&self) -> u64 {
        self.window.0.leader_index(self.index)
    }

    /// The candidate's applied raft index.
    pub fn applied_index(&self) -> u64 {
        self.window.0.applied_index(self.index)
    }

    /// How many entries the candidate was behind, never below zero.
    pub fn lag(&self) -> u64 {
        self.window.0.lag(self.index)
    }

    /// The leader's member id; none where there was none.
    pub fn leader(&self) -> Option<String> {
        self.window.0.leader(self.index)
    }

    /// The raft term.
    pub fn term(&self) -> u64 {
        self.window.0.term(self.index)
    }

    /// Whether the candidate answered its own status request.
    pub fn is_reachable(&self) -> bool {
        self.window.0.reachable(self.index)
    }
}
