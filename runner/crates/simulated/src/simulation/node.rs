//! One machine: its data directory, its etcd process, and what that receives.

use std::time::Duration;

use super::builder::Settings;
use super::rules::CatchUp;
use super::state::{Deed, Done, Pending, State};
use runner_core::cluster::Version;
use runner_core::cluster::{MemberId, MemberMetrics};
use runner_core::pipeline::{Identity, MemberSpec};

/// What the data directory holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Data {
    Absent,
    Empty,
    Member { cluster_id: u64, id: MemberId },
    Foreign(String),
}

/// A snapshot on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Snapshot {
    done: f64,
    total: f64,
    index: f64,
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) version: Version,
    pub(super) version_text: String,
    pub(super) peer_urls: Vec<String>,
    pub(super) client_urls: Vec<String>,
    pub(super) metrics_url: String,
    pub(super) data: Data,
    /// Bytes in the data directory.
    pub(super) size: f64,
    /// Since when the process has run.
    pub(super) up_since: Option<Duration>,
    /// Counts starts and stops; events of an older count are void.
    pub(super) generation: u64,
    /// The process is past its bootstrap: raft runs and the metrics port is open.
    pub(super) booted: bool,
    pub(super) client_open: bool,
    /// The index at which its own name was proposed for the last time.
    pub(super) published: Option<f64>,
    pub(super) spec: Option<MemberSpec>,
    pub(super) log: Vec<String>,
    /// The last index in its log.
    pub(super) matched: f64,
    pub(super) applied: f64,
    pub(super) snapshot: Option<Snapshot>,
    /// Bytes received from its peers since the process started.
    received: f64,
    /// The side of the network that it is on; nodes of different sides cannot reach each other.
    pub(super) side: u8,
    pub(super) side_since: Duration,
    /// Runner cannot reach it.
    pub(super) hidden: bool,
    /// Its disk hangs.
    pub(super) frozen: bool,
    /// Whom it takes for the leader.
    pub(super) belief: Option<MemberId>,
    /// It takes itself for a learner although it is none.
    pub(super) mistaken: bool,
}

impl Node {
    pub(super) fn new(name: &str, version: &str, settings: &Settings) -> Self {
        Self {
            name: name.to_owned(),
            version: Version::parse(version).unwrap_or_default(),
            version_text: version.to_owned(),
            peer_urls: vec![settings.peer_url(name)],
            client_urls: vec![settings.client_url(name)],
            metrics_url: format!("http://{name}:2381"),
            data: Data::Absent,
            size: 0.0,
            up_since: None,
            generation: 0,
            booted: false,
            client_open: false,
            published: None,
            spec: None,
            log: Vec::new(),
            matched: 0.0,
            applied: 0.0,
            snapshot: None,
            received: 0.0,
            side: 0,
            side_since: Duration::ZERO,
            hidden: false,
            frozen: false,
            belief: None,
            mistaken: false,
        }
    }

    pub(super) fn id(&self) -> Option<MemberId> {
        match self.data {
            Data::Member { id, .. } => Some(id),
            _ => None,
        }
    }

    /// Whose the data is, where it is another member's.
    fn others(&self, whose: &Identity) -> Option<String> {
        match &self.data {
            Data::Absent | Data::Empty => None,
            Data::Member { cluster_id, id } if (*cluster_id, *id) == (whose.cluster_id, whose.member_id) => None,
            Data::Member { id, .. } => Some(format!("it holds the data of member {id}")),
            Data::Foreign(what) => Some(format!("it holds {what}")),
        }
    }

    /// Takes part in raft.
    pub(super) fn raft(&self) -> bool {
        self.up_since.is_some() && self.booted && !self.frozen
    }

    pub(super) fn metrics(&self) -> MemberMetrics {
        MemberMetrics {
            applied_index: Some(self.applied as u64),
            received_bytes: Some(self.received as u64),
            snapshot_in_flight: Some(self.snapshot.is_some()),
        }
    }

    /// The process ends.
    fn end(&mut self, line: Option<String>) {
        self.generation += 1;
        self.up_since = None;
        self.booted = false;
        self.client_open = false;
        self.published = None;
        self.snapshot = None;
        self.belief = None;
        self.log.extend(line);
    }

    /// Lets the member receive for some time. `first` is the first index that its leader still has.
    fn receive(&mut self, seconds: f64, index: f64, first: f64, total: f64, settings: &Settings) {
        let mut seconds = seconds;
        let missing = match settings.catch_up {
            CatchUp::Log => false,
            CatchUp::Snapshot => self.matched < 1.0,
            CatchUp::Auto => self.matched < first,
        };
        if missing && self.snapshot.is_none() && settings.replay_rate > 0.0 {
            self.snapshot = Some(Snapshot { done: 0.0, total, index });
        }
        if let Some(snapshot) = &mut self.snapshot {
            let used =
                ((snapshot.total - snapshot.done) / settings.snapshot_rate.max(f64::MIN_POSITIVE)).clamp(0.0, seconds);
            snapshot.done = (snapshot.done + used * settings.snapshot_rate).min(snapshot.total);
            self.received += used * settings.snapshot_rate;
            self.size = self.size.max(snapshot.done);
            seconds -= used;
            // Nothing of it counts before it is whole and installed: match and applied index jump from 0 to almost the end.
            if snapshot.done < snapshot.total {
                return;
            }
            self.matched = snapshot.index;
            self.applied = snapshot.index;
            self.snapshot = None;
        }
        let matched = (self.matched + settings.replay_rate * seconds).min(index).max(self.matched);
        let bytes = (matched - self.matched) * settings.entry_bytes;
        self.received += bytes;
        self.size += bytes;
        self.matched = matched;
        self.applied = (self.applied + settings.apply_rate * seconds).min(matched);
    }
}

impl State {
    pub(super) fn node_named(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|n| n.name == name)
    }

    /// The node whose data is this member's.
    pub(super) fn node_of(&self, id: MemberId) -> Option<usize> {
        self.nodes.iter().position(|n| n.id() == Some(id))
    }

    /// The node that runner finds at this client URL.
    pub(super) fn node_at(&self, endpoint: &str) -> Option<usize> {
        self.nodes.iter().position(|n| n.client_urls.iter().any(|u| u == endpoint))
    }

    /// The database's size, which grows with the writes.
    pub(super) fn db_size(&self) -> f64 {
        let written = (self.index - self.settings.log_index as f64).max(0.0);
        self.settings.db_size as f64 + written * self.settings.entry_bytes
    }

    /// What a launcher does. Starting what runs, stopping what does not, discarding nothing: each is success.
    pub(super) fn launch(&mut self, node: usize, deed: Deed) -> Result<Done, String> {
        match deed {
            Deed::Start(spec) if self.nodes[node].up_since.is_none() => {
                if !spec.existing {
                    return Err("the simulated world only knows members that join an existing cluster".to_owned());
                }
                self.nodes[node].peer_urls.clone_from(&spec.peer_urls);
                self.nodes[node].client_urls.clone_from(&spec.client_urls);
                self.nodes[node].spec = Some(*spec);
                self.newcomer = Some(node);
                self.power_on(node);
            }
            Deed::Start(_) => return Ok(Done::Nothing),
            Deed::Stop(_) if self.nodes[node].up_since.is_none() => return Ok(Done::Nothing),
            Deed::Stop(whose) => {
                if let Some(theirs) = self.nodes[node].others(&whose) {
                    return Ok(Done::NotOurs(theirs));
                }
                self.power_off(node, None);
            }
            Deed::Discard { whose, folder } => {
                if let Some(theirs) = self.nodes[node].others(&whose) {
                    return Ok(Done::NotOurs(theirs));
                }
                let target = &mut self.nodes[node];
                if target.up_since.is_some() {
                    return Err(format!("the data of {} cannot be removed while its etcd runs", target.name));
                }
                match target.data {
                    Data::Absent => {}
                    _ => target.data = if folder { Data::Absent } else { Data::Empty },
                }
                (target.size, target.matched, target.applied) = (0.0, 0.0, 0.0);
                self.reconsider();
            }
        }
        Ok(Done::It)
    }

    /// Starts the node's etcd.
    pub(super) fn power_on(&mut self, node: usize) {
        let boot = self.settings.boot_delay;
        let (now, target) = (self.now, &mut self.nodes[node]);
        target.generation += 1;
        target.up_since = Some(now);
        target.received = 0.0;
        target.log.clear();
        let generation = target.generation;
        self.schedule(boot, Pending::Boot { node, generation });
    }

    /// Ends the node's etcd, whatever it is doing.
    pub(super) fn power_off(&mut self, node: usize, line: Option<String>) {
        if self.nodes[node].up_since.is_some() {
            let name = self.nodes[node].name.clone();
            self.note(|| format!("{name} ends: {}", line.as_deref().unwrap_or("stopped")));
            self.nodes[node].end(line);
            self.reconsider();
        }
    }

    /// Sends every member that the leader reaches what it lacks, and opens the client ports of those who have applied
    /// their own name.
    pub(super) fn replicate(&mut self, seconds: f64) {
        let Some(leader) = self.leader.filter(|_| self.healthy).and_then(|id| self.node_of(id)) else { return };
        let (index, first, total) = (self.index, self.first_kept(), self.db_size());
        for entry in &mut self.entries {
            let Some(at) = self.nodes.iter().position(|n| n.id() == Some(entry.member.id)) else { continue };
            if !self.nodes[at].raft() || self.nodes[at].side != self.nodes[leader].side {
                continue;
            }
            let node = &mut self.nodes[at];
            // The leader itself, and voters that were never away: they keep up whatever the rates of the catch-up are.
            let keeps_up = entry.steady && node.matched + self.write_rate * seconds + 16.0 >= index;
            if at == leader || keeps_up {
                (node.matched, node.applied, node.size) = (index, index, total);
            } else {
                node.receive(seconds, index, first, total, &self.settings);
            }
            entry.match_index = node.matched;
            entry.steady |= !entry.member.learner && node.applied >= index;
            if !node.client_open && node.published.is_some_and(|at| node.applied >= at.floor()) {
                node.client_open = true;
            }
        }
    }
}
