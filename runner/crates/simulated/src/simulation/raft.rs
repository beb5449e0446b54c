//! Who reaches whom, who leads, and what happens when the leader is lost.

use std::time::Duration;

use rand::Rng;

use super::state::{Pending, State};
use runner_core::cluster::{MemberId, quorum};

impl State {
    /// Whether two nodes' members talk to each other.
    fn linked(&self, a: usize, b: usize) -> bool {
        let (a, b) = (&self.nodes[a], &self.nodes[b]);
        a.raft() && b.raft() && a.side == b.side
    }

    /// Since when two nodes' members have talked to each other.
    fn linked_since(&self, a: usize, b: usize) -> Option<Duration> {
        let since = |n: usize| self.nodes[n].up_since.map(|up| up.max(self.nodes[n].side_since));
        if self.linked(a, b) { since(a).max(since(b)) } else { None }
    }

    /// The voters' nodes; none for a voter whose machine does not run or has no data.
    fn voter_nodes(&self) -> impl Iterator<Item = Option<usize>> {
        self.entries.iter().filter(|e| !e.member.learner).map(|e| self.node_of(e.member.id))
    }

    pub(super) fn voter_count(&self) -> usize {
        self.entries.iter().filter(|e| !e.member.learner).count()
    }

    /// Voters that have been connected to this node for `HealthInterval`, itself included (`numConnectedSince`).
    pub(super) fn connected_nodes(&self, node: usize) -> impl Iterator<Item = usize> {
        const HEALTH_INTERVAL: Duration = Duration::from_secs(5);
        let fresh = move |since: Duration| self.now.saturating_sub(since) >= HEALTH_INTERVAL;
        self.voter_nodes().flatten().filter(move |v| *v == node || self.linked_since(node, *v).is_some_and(fresh))
    }

    /// Whether this node reaches the member at all.
    pub(super) fn reaches(&self, node: usize, id: MemberId) -> bool {
        self.node_of(id).is_some_and(|other| other == node || self.linked(node, other))
    }

    /// Whether the voters that this node reaches, itself included, are a quorum.
    fn has_quorum(&self, node: usize) -> bool {
        let support = self.voter_nodes().flatten().filter(|v| self.linked(node, *v)).count();
        support >= quorum(self.voter_count())
    }

    /// Whether this node's member can get something through consensus now.
    pub(super) fn serves(&self, node: usize) -> bool {
        self.healthy && self.leader.is_some_and(|id| self.reaches(node, id))
    }

    /// Looks again who leads and whether there is a quorum. Called after every change.
    pub(super) fn reconsider(&mut self) {
        let leader = self.leader.and_then(|id| self.node_of(id));
        let votes = |id: MemberId| self.entries.iter().any(|e| e.member.id == id && !e.member.learner);
        self.healthy = leader.is_some_and(|n| self.nodes[n].raft() && self.has_quorum(n)) && self.leader.is_some_and(votes);
        let voters: Vec<_> = self.voter_nodes().flatten().collect();
        self.quorum = self.healthy || voters.iter().any(|v| self.nodes[*v].raft() && self.has_quorum(*v));
        if self.healthy {
            self.timer += 1;
            self.timer_runs = false;
            self.spread();
            self.commit_waiting();
        } else if !self.timer_runs && (self.leader.is_some() || self.quorum) {
            self.timer += 1;
            self.timer_runs = true;
            let timer = self.timer;
            let timeout = self.settings.election_timeout;
            if self.leader.is_some() {
                self.schedule(timeout, Pending::LeaderTimeout { timer });
            } else {
                let jitter = self.jitter();
                self.schedule(timeout + jitter, Pending::Election { timer });
            }
        }
    }

    /// Everybody whom the leader reaches knows it.
    fn spread(&mut self) {
        let Some((id, side)) = self.leader.and_then(|id| self.node_of(id).map(|n| (id, self.nodes[n].side))) else { return };
        for node in self.nodes.iter_mut().filter(|n| n.side == side && n.raft()) {
            node.belief = Some(id);
        }
    }

    /// Whom a node takes for the leader.
    pub(super) fn belief(&self, node: usize) -> Option<MemberId> {
        self.nodes[node].belief
    }

    /// An election timeout without the leader has passed: it steps down, and the others elect if they are enough.
    pub(super) fn leader_timeout(&mut self, timer: u64) {
        if timer != self.timer || self.healthy {
            return;
        }
        self.note(|| "the leader is lost".to_owned());
        self.leader = None;
        self.nodes.iter_mut().for_each(|n| n.belief = None);
        self.timer_runs = false;
        if self.quorum {
            self.timer += 1;
            self.timer_runs = true;
            let (jitter, timer) = (self.jitter(), self.timer);
            self.schedule(jitter, Pending::Election { timer });
        }
    }

    /// The voter with the longest log that reaches a quorum wins.
    pub(super) fn elect(&mut self, timer: u64) {
        if timer != self.timer || self.healthy {
            return;
        }
        self.timer_runs = false;
        let able: Vec<usize> =
            self.voter_nodes().flatten().filter(|v| self.nodes[*v].raft() && self.has_quorum(*v)).collect();
        let longest = able.iter().map(|v| self.nodes[*v].matched).fold(0.0, f64::max);
        let best: Vec<usize> = able.into_iter().filter(|v| self.nodes[*v].matched >= longest).collect();
        if !best.is_empty() {
            let winner = best[self.rng.random_range(0..best.len())];
            self.lead(winner);
        }
    }

    /// This node's member leads from now on.
    pub(super) fn lead(&mut self, node: usize) {
        let Some(id) = self.nodes[node].id() else { return };
        self.note(|| format!("{id} leads"));
        self.leader = Some(id);
        self.term += 1;
        self.index += 1.0;
        // A new leader knows nobody's progress until it hears of them: who is silent counts as having nothing.
        let heard: Vec<bool> = self.entries.iter().map(|e| self.reaches(node, e.member.id)).collect();
        self.entries.iter_mut().zip(heard).filter(|(_, heard)| !heard).for_each(|(e, _)| e.match_index = 0.0);
        self.reconsider();
    }

    /// Nodes that are cut off from the leader for an election timeout no longer name one.
    pub(super) fn forget(&mut self) {
        for node in 0..self.nodes.len() {
            if !self.serves(node) && self.healthy {
                self.nodes[node].belief = None;
            }
        }
    }

    fn jitter(&mut self) -> Duration {
        let most = self.settings.election_timeout.as_millis() as u64;
        Duration::from_millis(self.rng.random_range(0..=most))
    }
}
