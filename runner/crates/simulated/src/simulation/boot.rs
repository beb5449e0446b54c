//! How a started process becomes a member that serves: bootstrap, publishing its name, or its end.

use std::time::Duration;

use super::answers;
use super::node::Data;
use super::rules::{self, CatchUp};
use super::state::{Pending, State};
use runner_core::cluster::MemberId;

impl State {
    /// The process looks at its data and at the cluster, and runs or exits (`server/etcdserver/bootstrap.go`).
    pub(super) fn boot(&mut self, node: usize, generation: u64) {
        if self.nodes[node].generation != generation {
            return;
        }
        match self.bootstrap(node) {
            Ok(id) => {
                if self.leader == Some(id) {
                    // It comes back as a follower, even before the others have missed it.
                    self.leader = None;
                    self.timer_runs = false;
                }
                let now = self.now;
                let target = &mut self.nodes[node];
                target.data = Data::Member { cluster_id: self.cluster_id, id };
                target.booted = true;
                target.up_since = Some(now);
                let name = target.name.clone();
                self.note(|| format!("{name} runs as {id}"));
                self.reconsider();
                let delay = self.settings.publish_delay;
                self.schedule(delay, Pending::Publish { node, generation });
            }
            Err(line) => self.power_off(node, Some(line)),
        }
    }

    fn bootstrap(&self, node: usize) -> Result<MemberId, String> {
        let me = &self.nodes[node];
        let seen = self.nodes.iter().any(|n| n.raft() && n.name != me.name && n.side == me.side);
        if let Data::Member { cluster_id, id } = me.data {
            return match () {
                () if cluster_id != self.cluster_id => Err("request cluster ID mismatch".to_owned()),
                () if seen && self.removed.contains(&id) => Err(answers::LOG_REMOVED.to_owned()),
                () => Ok(id),
            };
        }
        let Some(spec) = &me.spec else { return Err("no flags".to_owned()) };
        if !seen {
            return Err(answers::LOG_NO_CLUSTER.to_owned());
        }
        let invalid = |why: String| format!("error validating peerURLs {:x}: {why}", self.cluster_id);
        let mut names: Vec<_> = spec.initial_cluster.iter().map(|(name, _)| name).collect();
        names.sort();
        names.dedup();
        if names.len() != self.entries.len() {
            return Err(invalid(answers::LOG_COUNT_UNEQUAL.to_owned()));
        }
        for entry in &self.entries {
            let listed = names.iter().any(|name| {
                let urls: Vec<_> = spec.initial_cluster.iter().filter(|(n, _)| n == *name).map(|(_, u)| u.clone()).collect();
                entry.member.has_peer_urls(&urls)
            });
            if !listed {
                let (id, urls) = (entry.member.id, &entry.member.peer_urls);
                let text =
                    format!("PeerURLs: no match found for existing member ({id}, {urls:?}), last resolver error (<nil>)");
                return Err(invalid(text));
            }
        }
        let Some(entry) = self.entries.iter().find(|e| e.member.has_peer_urls(&spec.peer_urls)) else {
            return Err(format!("couldn't find local name \"{}\" in the initial cluster configuration", spec.name));
        };
        if self.elapsed() < self.settings.undecided {
            return Err(answers::LOG_UNDECIDED.to_owned());
        }
        let cluster_version = self.nodes.iter().filter(|n| n.raft()).map(|n| n.version.line()).min();
        if cluster_version.is_some_and(|cluster| me.version.line() < cluster) {
            return Err(answers::LOG_INCOMPATIBLE.to_owned());
        }
        let learners = self.entries.iter().filter(|e| e.member.learner).count();
        if rules::counts_learners_at_bootstrap(me.version) && learners > self.settings.newcomer_max_learners {
            return Err(answers::LOG_TOO_MANY_LEARNERS.to_owned());
        }
        // A started member whose log is gone: the leader's heartbeat commits what it no longer has (etcd#21178, #20269).
        if entry.match_index > 0.0 {
            let commit = entry.match_index as u64;
            return Err(format!(
                "panic: tocommit({commit}) is out of range [lastIndex(0)]. Was the raft log corrupted, truncated, or lost?"
            ));
        }
        Ok(entry.member.id)
    }

    /// The process proposes its name, and again after its request timeout where the proposal went into a snapshot.
    pub(super) fn publish(&mut self, node: usize, generation: u64) {
        if self.nodes[node].generation != generation {
            return;
        }
        let Some(id) = self.nodes[node].id() else { return };
        if !self.serves(node) {
            return self.schedule(Duration::from_millis(500), Pending::Publish { node, generation });
        }
        self.index += 1.0;
        let (name, urls) = {
            let target = &self.nodes[node];
            (target.spec.as_ref().map_or(&target.name, |s| &s.name).clone(), target.client_urls.clone())
        };
        if let Some(entry) = self.entries.iter_mut().find(|e| e.member.id == id) {
            entry.member.name = name;
            entry.member.client_urls = urls;
        }
        if self.settings.publish_stall && self.behind_log(node) {
            let timeout = self.settings.request_timeout();
            return self.schedule(timeout, Pending::Publish { node, generation });
        }
        self.nodes[node].published = Some(self.index);
    }

    /// Whether the leader has to send, or is sending, a snapshot.
    fn behind_log(&self, node: usize) -> bool {
        let target = &self.nodes[node];
        let first = match self.settings.catch_up {
            CatchUp::Log => 0.0,
            CatchUp::Snapshot => 1.0,
            CatchUp::Auto => self.first_kept(),
        };
        target.snapshot.is_some() || target.matched < first
    }

    pub(super) fn first_kept(&self) -> f64 {
        let version = self.leader.and_then(|id| self.node_of(id)).map(|n| self.nodes[n].version);
        version.map_or(0.0, |v| rules::first_kept(v, self.index as u64) as f64)
    }

    /// A removed member's process ends once it has learnt of it.
    pub(super) fn exit(&mut self, node: usize, generation: u64) {
        if self.nodes[node].generation == generation {
            self.power_off(node, Some(answers::LOG_REMOVED.to_owned()));
        }
    }
}
