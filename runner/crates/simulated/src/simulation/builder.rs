//! What kind of cluster is simulated.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::faults::Faults;
use super::rules::CatchUp;
use super::state::State;
use super::{Shared, Simulation};

/// Everything that stays as it was built, apart from the rates that incidents change.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) versions: Vec<String>,
    pub(super) newcomer_version: Option<String>,
    pub(super) voters: usize,
    pub(super) tls: bool,
    pub(super) log_index: u64,
    pub(super) write_rate: f64,
    pub(super) entry_bytes: f64,
    pub(super) db_size: u64,
    pub(super) election_timeout: Duration,
    pub(super) max_learners: usize,
    pub(super) newcomer_max_learners: usize,
    pub(super) call_deadline: Duration,
    pub(super) latency: Duration,
    pub(super) boot_delay: Duration,
    pub(super) publish_delay: Duration,
    pub(super) publish_stall: bool,
    pub(super) undecided: Duration,
    pub(super) catch_up: CatchUp,
    pub(super) replay_rate: f64,
    pub(super) snapshot_rate: f64,
    pub(super) apply_rate: f64,
    pub(super) lock_ttl: Duration,
    pub(super) faults: Faults,
    pub(super) seed: u64,
}

/// Describes a simulated cluster. Made by [`Simulation::builder`]; every setting has a default.
#[derive(Clone, Debug)]
pub struct Builder(Settings);

impl Settings {
    pub(super) fn peer_url(&self, name: &str) -> String {
        format!("{}://{name}:2380", if self.tls { "https" } else { "http" })
    }

    pub(super) fn client_url(&self, name: &str) -> String {
        format!("{}://{name}:2379", if self.tls { "https" } else { "http" })
    }

    /// The version of the n-th voter; the last given one stands for all that follow.
    pub(super) fn version_of(&self, number: usize) -> &str {
        self.versions.get(number).or(self.versions.last()).map_or("3.5.16", String::as_str)
    }

    /// etcd's `ReqTimeout`: 5 s plus two election timeouts.
    pub(super) fn request_timeout(&self) -> Duration {
        Duration::from_secs(5) + 2 * self.election_timeout
    }
}

impl Default for Builder {
    fn default() -> Self {
        Self(Settings {
            versions: vec!["3.5.16".to_owned()],
            newcomer_version: None,
            voters: 3,
            tls: true,
            log_index: 10_000,
            write_rate: 100.0,
            entry_bytes: 256.0,
            db_size: 20_000_000,
            election_timeout: Duration::from_secs(1),
            max_learners: 1,
            newcomer_max_learners: 1,
            call_deadline: Duration::from_secs(10),
            latency: Duration::from_millis(1),
            boot_delay: Duration::from_millis(50),
            publish_delay: Duration::from_millis(30),
            publish_stall: false,
            undecided: Duration::ZERO,
            catch_up: CatchUp::Auto,
            replay_rate: 50_000.0,
            snapshot_rate: 100_000_000.0,
            apply_rate: f64::INFINITY,
            lock_ttl: Duration::from_secs(30),
            faults: Faults::none(),
            seed: 0,
        })
    }
}

impl Builder {
    /// The version of every member, for example `3.5.16`. Default: `3.5.16`.
    pub fn version(self, version: &str) -> Self {
        self.versions([version])
    }

    /// The versions of the voters in order; the last stands for all that follow. The first voter leads at first.
    pub fn versions<'a>(mut self, versions: impl IntoIterator<Item = &'a str>) -> Self {
        self.0.versions = versions.into_iter().map(str::to_owned).collect();
        self
    }

    /// The version that newcomers run. Default: the last voter's.
    pub fn newcomer_version(mut self, version: &str) -> Self {
        self.0.newcomer_version = Some(version.to_owned());
        self
    }

    /// How many voters there are at first, at least one. Default: 3.
    pub fn voters(mut self, voters: usize) -> Self {
        self.0.voters = voters.max(1);
        self
    }

    /// Whether URLs are `https` (the default) or `http`. Nothing else depends on it.
    pub fn tls(mut self, tls: bool) -> Self {
        self.0.tls = tls;
        self
    }

    /// The leader's raft index at first. Default: 10,000.
    pub fn log_index(mut self, index: u64) -> Self {
        self.0.log_index = index;
        self
    }

    /// Entries that clients write a second while there is a leader with a quorum. Default: 100.
    pub fn write_rate(mut self, entries: u64) -> Self {
        self.0.write_rate = entries as f64;
        self
    }

    /// Bytes that one entry adds to the database. Default: 256.
    pub fn entry_bytes(mut self, bytes: u64) -> Self {
        self.0.entry_bytes = bytes as f64;
        self
    }

    /// The database's size at first, in bytes. Default: 20 MB.
    pub fn db_size(mut self, bytes: u64) -> Self {
        self.0.db_size = bytes;
        self
    }

    /// etcd's `--election-timeout`. Default: 1 s, as etcd's.
    pub fn election_timeout(mut self, timeout: Duration) -> Self {
        self.0.election_timeout = timeout;
        self
    }

    /// The cluster's `--max-learners`. Default: 1, as etcd's.
    pub fn max_learners(mut self, most: usize) -> Self {
        self.0.max_learners = most;
        self
    }

    /// The newcomers' own `--max-learners`, counted at their bootstrap since 3.6. Default: 1.
    pub fn newcomer_max_learners(mut self, most: usize) -> Self {
        self.0.newcomer_max_learners = most;
        self
    }

    /// The caller's deadline for one call. Default: 10 s, so that etcd's own `request timed out` (after 7 s with the default
    /// election timeout) is seen; a shorter one gives [`Reason::DeadlineExceeded`](runner_core::cluster::Reason) instead.
    pub fn call_deadline(mut self, deadline: Duration) -> Self {
        self.0.call_deadline = deadline;
        self
    }

    /// What one undisturbed call to the cluster takes. Default: 1 ms, which is also tokio's finest.
    pub fn latency(mut self, latency: Duration) -> Self {
        self.0.latency = latency;
        self
    }

    /// From a process's start to the end of its bootstrap, and from there to the proposal of its name. Default: 50 and 30 ms.
    pub fn start_delays(mut self, boot: Duration, publish: Duration) -> Self {
        self.0.boot_delay = boot;
        self.0.publish_delay = publish;
        self
    }

    /// Whether a member that joins by snapshot loses its first proposal of its name in that snapshot and so opens its client
    /// port only after its request timeout (7 s). Measured: mostly so on 3.6 and 3.7. Default: not.
    pub fn publish_stall(mut self, stall: bool) -> Self {
        self.0.publish_stall = stall;
        self
    }

    /// How long the cluster, which has just begun, has not agreed on its version: a newcomer's process ends until then. Default: not
    /// at all.
    pub fn undecided(mut self, at_first: Duration) -> Self {
        self.0.undecided = at_first;
        self
    }

    /// How members that are behind are caught up. Default: as the leader's version does.
    pub fn catch_up(mut self, way: CatchUp) -> Self {
        self.0.catch_up = way;
        self
    }

    /// Log entries and snapshot bytes a second that a member which is behind receives. Default: 50,000 and 100 MB.
    pub fn catch_up_rates(mut self, entries: u64, snapshot_bytes: u64) -> Self {
        self.0.replay_rate = entries as f64;
        self.0.snapshot_rate = snapshot_bytes as f64;
        self
    }

    /// Entries a second that such a member applies of what it received. Default: no limit.
    pub fn apply_rate(mut self, entries: u64) -> Self {
        self.0.apply_rate = entries as f64;
        self
    }

    /// How long a place in the join lock outlives its runner. Default: 30 s.
    pub fn lock_ttl(mut self, ttl: Duration) -> Self {
        self.0.lock_ttl = ttl;
        self
    }

    /// What goes wrong.
    pub fn faults(mut self, faults: Faults) -> Self {
        self.0.faults = faults;
        self
    }

    /// What ids, elections and everything else that is drawn come from. Default: 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.0.seed = seed;
        self
    }

    /// Builds it. Its time starts now, by the clock of the tokio runtime that it is built in.
    pub fn build(self) -> Simulation {
        Simulation { shared: Arc::new(Shared { state: Mutex::new(State::new(self.0)), crashes: Mutex::new(Vec::new()) }) }
    }
}
