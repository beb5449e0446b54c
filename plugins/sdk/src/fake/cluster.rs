//! Made-up members, clusters and newcomers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::START_MS;

/// A made-up member: what is not said is what an idle, healthy member would answer.
///
/// Its fields are the facts of the contract; the methods set the usual ones.
#[derive(Clone, Debug)]
pub struct Member {
    /// The member's id, unique in this process unless set.
    pub id: String,
    /// Its name; empty means that it has not started.
    pub name: String,
    /// `voter` or `learner`.
    pub role: String,
    /// Whether it is the leader.
    pub leader: bool,
    /// Whether it answers. If not, all that it would answer is none.
    pub reachable: bool,
    /// Where the other members reach it.
    pub peer_urls: Vec<String>,
    /// The etcd version.
    pub version: Option<String>,
    /// Bytes of its database file.
    pub db_size: u64,
    /// Bytes of that file that hold data.
    pub db_size_in_use: u64,
    /// Its committed raft index.
    pub raft_index: u64,
    /// Its applied raft index.
    pub raft_applied_index: u64,
    /// Its raft term.
    pub raft_term: u64,
    /// Its status request's time in microseconds.
    pub round_trip_us: u32,
    /// Its own errors and alarms.
    pub problems: Vec<String>,
    /// Further facts.
    pub labels: Vec<(String, String)>,
}

/// A made-up cluster.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// The cluster's id.
    pub id: String,
    /// The members in the order of the member list.
    pub members: Vec<Member>,
    /// When it was observed, in milliseconds since 1970.
    pub observed_at_ms: u64,
    /// Further facts.
    pub labels: Vec<(String, String)>,
}

/// A made-up newcomer.
#[derive(Clone, Debug)]
pub struct Newcomer {
    /// The name it will have.
    pub name: String,
    /// Where the other members will reach it.
    pub peer_urls: Vec<String>,
    /// Where clients will reach it.
    pub client_urls: Vec<String>,
    /// The etcd version it will run, where that is known.
    pub version: Option<String>,
    /// Further facts.
    pub labels: Vec<(String, String)>,
}

impl Member {
    /// A healthy voter of this name; an empty name is a member that was added and has not started.
    pub fn voter(name: &str) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0x8e9e_05c5_2164_694d);
        Self {
            id: format!("{:x}", NEXT.fetch_add(1, Ordering::Relaxed)),
            name: name.to_owned(),
            role: "voter".to_owned(),
            leader: false,
            reachable: !name.is_empty(),
            peer_urls: vec![format!("https://{name}:2380")],
            version: Some("3.5.16".to_owned()),
            db_size: 20 << 20,
            db_size_in_use: 16 << 20,
            raft_index: 1000,
            raft_applied_index: 1000,
            raft_term: 2,
            round_trip_us: 300,
            problems: Vec::new(),
            labels: Vec::new(),
        }
    }

    /// A healthy learner of this name.
    pub fn learner(name: &str) -> Self {
        Self { role: "learner".to_owned(), ..Self::voter(name) }
    }

    /// The same, as the leader.
    #[must_use]
    pub fn leader(mut self) -> Self {
        self.leader = true;
        self
    }

    /// The same, not answering.
    #[must_use]
    pub fn unreachable(mut self) -> Self {
        self.reachable = false;
        self
    }

    /// The same, of this version.
    #[must_use]
    pub fn version(mut self, version: &str) -> Self {
        self.version = Some(version.to_owned());
        self
    }

    /// The fact as a plugin gets it.
    pub fn build(self) -> crate::Member {
        crate::Member(source::Member(Arc::new(self)))
    }
}

impl Cluster {
    /// A cluster without members, observed at [`START_MS`].
    pub fn new() -> Self {
        Self { id: "cdf818194e3a8c32".to_owned(), members: Vec::new(), observed_at_ms: START_MS, labels: Vec::new() }
    }

    /// The same, with one more member at the end of the list.
    #[must_use]
    pub fn member(mut self, member: Member) -> Self {
        self.members.push(member);
        self
    }

    /// The fact as a plugin gets it. Quorum and fault tolerance follow from the members.
    pub fn build(self) -> crate::Cluster {
        let members = self.members.iter().cloned().map(Arc::new).collect();
        crate::Cluster(source::Cluster { data: Arc::new(self), members })
    }
}

impl Default for Cluster {
    fn default() -> Self {
        Self::new()
    }
}

impl Newcomer {
    /// A newcomer of this name that will run 3.5.16.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            peer_urls: vec![format!("https://{name}:2380")],
            client_urls: vec![format!("https://{name}:2379")],
            version: Some("3.5.16".to_owned()),
            labels: Vec::new(),
        }
    }

    /// The same, of this version.
    #[must_use]
    pub fn version(mut self, version: &str) -> Self {
        self.version = Some(version.to_owned());
        self
    }

    /// The same, of a version that nobody knows.
    #[must_use]
    pub fn version_unknown(mut self) -> Self {
        self.version = None;
        self
    }

    /// The fact as a plugin gets it.
    pub fn build(self) -> crate::Newcomer {
        crate::Newcomer(source::Newcomer(Arc::new(self)))
    }
}

/// The same methods as the bindings of the contract's resources have.
pub(crate) mod source {
    use std::sync::Arc;

    #[derive(Debug)]
    pub(crate) struct Member(pub(crate) Arc<super::Member>);

    #[derive(Debug)]
    pub(crate) struct Cluster {
        pub(crate) data: Arc<super::Cluster>,
        pub(crate) members: Vec<Arc<super::Member>>,
    }

    #[derive(Debug)]
    pub(crate) struct Newcomer(pub(crate) Arc<super::Newcomer>);

    fn find(labels: &[(String, String)], key: &str) -> Option<String> {
        labels.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone())
    }

    impl Member {
        /// A value that only a member that answers gives.
        fn told<T>(&self, value: T) -> Option<T> {
            self.0.reachable.then_some(value)
        }

        pub(crate) fn id(&self) -> String {
            self.0.id.clone()
        }

        pub(crate) fn name(&self) -> String {
            self.0.name.clone()
        }

        pub(crate) fn role(&self) -> String {
            self.0.role.clone()
        }

        pub(crate) fn started(&self) -> bool {
            !self.0.name.is_empty()
        }

        pub(crate) fn leader(&self) -> bool {
            self.0.leader
        }

        pub(crate) fn reachable(&self) -> bool {
            self.0.reachable
        }

        pub(crate) fn peer_urls(&self) -> Vec<String> {
            self.0.peer_urls.clone()
        }

        pub(crate) fn client_urls(&self) -> Vec<String> {
            if self.started() { vec![format!("https://{}:2379", self.0.name)] } else { Vec::new() }
        }

        pub(crate) fn version(&self) -> Option<String> {
            self.told(self.0.version.clone()).flatten()
        }

        pub(crate) fn db_size(&self) -> Option<u64> {
            self.told(self.0.db_size)
        }

        pub(crate) fn db_size_in_use(&self) -> Option<u64> {
            self.told(self.0.db_size_in_use)
        }

        pub(crate) fn raft_index(&self) -> Option<u64> {
            self.told(self.0.raft_index)
        }

        pub(crate) fn raft_applied_index(&self) -> Option<u64> {
            self.told(self.0.raft_applied_index)
        }

        pub(crate) fn raft_term(&self) -> Option<u64> {
            self.told(self.0.raft_term)
        }

        pub(crate) fn round_trip_us(&self) -> Option<u32> {
            self.told(self.0.round_trip_us)
        }

        pub(crate) fn problems(&self) -> Vec<String> {
            self.0.problems.clone()
        }

        pub(crate) fn label(&self, key: &str) -> Option<String> {
            find(&self.0.labels, key)
        }
    }

    impl Cluster {
        fn voters(&self) -> impl Iterator<Item = &Arc<super::Member>> {
            self.members.iter().filter(|m| m.role == "voter")
        }

        pub(crate) fn id(&self) -> String {
            self.data.id.clone()
        }

        pub(crate) fn members(&self) -> Vec<Member> {
            self.members.iter().cloned().map(Member).collect()
        }

        pub(crate) fn leader(&self) -> Option<Member> {
            self.members.iter().find(|m| m.leader).cloned().map(Member)
        }

        pub(crate) fn quorum(&self) -> u32 {
            self.voters().count() as u32 / 2 + 1
        }

        pub(crate) fn fault_tolerance(&self) -> u32 {
            let healthy = self.voters().filter(|m| m.reachable).count() as u32;
            healthy.saturating_sub(self.quorum())
        }

        pub(crate) fn observed_at_ms(&self) -> u64 {
            self.data.observed_at_ms
        }

        pub(crate) fn label(&self, key: &str) -> Option<String> {
            find(&self.data.labels, key)
        }
    }

    impl Newcomer {
        pub(crate) fn name(&self) -> String {
            self.0.name.clone()
        }

        pub(crate) fn peer_urls(&self) -> Vec<String> {
            self.0.peer_urls.clone()
        }

        pub(crate) fn client_urls(&self) -> Vec<String> {
            self.0.client_urls.clone()
        }

        pub(crate) fn version(&self) -> Option<String> {
            self.0.version.clone()
        }

        pub(crate) fn label(&self, key: &str) -> Option<String> {
            find(&self.0.labels, key)
        }
    }
}
