//! The member list and its changes, with etcd's own refusals in etcd's own order.
//!
//! What is refused, and with what, is the oracle's to say: the same code that tells a real cluster's answers beforehand.

use std::time::Duration;

use super::answers::{TIMED_OUT_LEADER, words};
use super::node::Node;
use super::state::{Pending, State};
use super::{By, Mutation, MutationKind};
use runner_core::cluster::oracle::{Answer, Change, Link, Peer, Situation, judge};
use runner_core::cluster::{Member, MemberId, Reason};

/// A member of the list, with what the leader knows of it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) member: Member,
    /// The last index that the leader knows it to hold (raft's `Progress.Match`). It outlives the member's process.
    pub(super) match_index: f64,
    /// The index of its promotion: before it has applied that, it takes itself for a learner.
    pub(super) voter_at: f64,
    /// A voter that keeps up.
    pub(super) steady: bool,
}

/// A change and who wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proposal {
    pub(super) change: Change,
    pub(super) by: By,
}

/// What came of a change: the member it is about, or etcd's refusal.
pub(super) type Outcome = Result<MemberId, &'static str>;

/// How far a request has come at the member that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Done(Outcome),
    /// It is in the log of a leader without quorum; the number finds its outcome.
    Logged(u64),
    /// There is no leader to propose to.
    Blocked,
    /// The leader's refusal is hidden by the follower that forwards (it retries without end until its timeout).
    Hidden,
}

impl Entry {
    pub(super) fn voter(id: MemberId, node: &Node, index: f64) -> Self {
        let member = Member {
            id,
            name: node.name.clone(),
            peer_urls: node.peer_urls.clone(),
            client_urls: node.client_urls.clone(),
            learner: false,
        };
        Self { member, match_index: index, voter_at: 0.0, steady: true }
    }
}

impl State {
    pub(super) fn entry(&self, id: MemberId) -> Option<&Entry> {
        self.entries.iter().find(|e| e.member.id == id)
    }

    /// Whether the node's member takes itself for a learner.
    pub(super) fn sees_itself_learner(&self, node: usize) -> bool {
        let target = &self.nodes[node];
        let by_log = |e: &Entry| e.member.learner || target.applied < e.voter_at;
        target.mistaken || target.id().and_then(|id| self.entry(id)).is_some_and(by_log)
    }

    /// A request for a change arrives at a node whose etcd serves clients.
    pub(super) fn arrive(&mut self, node: usize, proposal: &Proposal) -> Progress {
        match self.judge(node, &proposal.change) {
            Ok(()) => {}
            Err(refusal) => return refusal,
        }
        if self.serves(node) {
            return Progress::Done(self.commit(proposal));
        }
        match self.leader.filter(|id| self.reaches(node, *id)) {
            Some(leader) => {
                self.tickets += 1;
                self.uncommitted.push((self.tickets, leader, proposal.clone()));
                Progress::Logged(self.tickets)
            }
            None => Progress::Blocked,
        }
    }

    /// What the asked member refuses before anything goes into the log.
    fn judge(&self, node: usize, change: &Change) -> Result<(), Progress> {
        judge::asked(&self.situation(Some(node)), change).map_err(|answer| match answer {
            Answer::Accepted => Progress::Blocked,
            Answer::Refused(reason) => Progress::Done(Err(words(reason))),
            // Only the leader knows the learner's progress, and its refusal is hidden by the follower that forwards.
            Answer::Unanswered(Reason::NoLeader) => Progress::Blocked,
            Answer::Unanswered(_) => Progress::Hidden,
        })
    }

    /// What a node's member sees; without a node, what the log says alone.
    fn situation(&self, node: Option<usize>) -> Situation {
        let settled: Vec<usize> = node.map(|n| self.connected_nodes(n).collect()).unwrap_or_default();
        let peer = |e: &Entry| {
            let at = self.node_of(e.member.id);
            Peer {
                member: e.member.clone(),
                version: at.map(|n| self.nodes[n].version),
                link: match node {
                    Some(_) if at.is_some_and(|n| settled.contains(&n)) => Link::Settled,
                    Some(node) if self.reaches(node, e.member.id) => Link::Fresh,
                    _ => Link::Down,
                },
                // etcd's whole readiness rule, on absolute raft indexes: Match(learner) / Match(leader) >= 0.9.
                caught_up: e.match_index.floor() >= self.index.floor() * 0.9,
            }
        };
        Situation {
            members: self.entries.iter().map(peer).collect(),
            asked: node.and_then(|n| self.nodes[n].id()),
            leader: self.leader.filter(|l| node.is_some_and(|n| self.reaches(n, *l))),
            max_learners: self.settings.max_learners,
        }
    }

    /// The change is applied, or refused by what the log says.
    pub(super) fn commit(&mut self, proposal: &Proposal) -> Outcome {
        self.index += 1.0;
        let refused = judge::log(&self.situation(None), &proposal.change).map_err(words);
        let outcome = refused.map(|()| self.apply(&proposal.change));
        if let Ok(id) = outcome {
            let kind = match proposal.change {
                Change::AddLearner(_) | Change::AddVoter(_) => MutationKind::Added,
                Change::Promote(_) => MutationKind::Promoted,
                Change::Remove(_) => MutationKind::Removed,
            };
            let (at, by) = (self.elapsed(), proposal.by);
            self.note(|| format!("{by:?}: {kind:?} {id}"));
            self.mutations.push(Mutation { at, kind, id, by });
            let voters: Vec<_> = self.entries.iter().filter(|e| !e.member.learner).map(|e| e.member.id).collect();
            if self.voters.last().is_some_and(|(_, last)| *last != voters) {
                self.voters.push((at, voters));
            }
            self.reconsider();
        }
        outcome
    }

    /// Changes the list; the log has no objection.
    fn apply(&mut self, change: &Change) -> MemberId {
        match change {
            Change::AddLearner(urls) | Change::AddVoter(urls) => {
                let id = self.fresh_id();
                let learner = matches!(change, Change::AddLearner(_));
                let member = Member { id, name: String::new(), peer_urls: urls.clone(), client_urls: Vec::new(), learner };
                self.entries.push(Entry { member, match_index: 0.0, voter_at: 0.0, steady: false });
                id
            }
            Change::Promote(id) => {
                let index = self.index.floor();
                for entry in self.entries.iter_mut().filter(|e| e.member.id == *id) {
                    entry.member.learner = false;
                    entry.voter_at = index;
                }
                *id
            }
            Change::Remove(id) => {
                self.entries.retain(|e| e.member.id != *id);
                self.removed.push(*id);
                self.alarms.retain(|a| a.member != *id);
                if let Some(node) = self.node_of(*id).filter(|n| self.nodes[*n].up_since.is_some()) {
                    let generation = self.nodes[node].generation;
                    self.schedule(Duration::from_millis(10), Pending::Exit { node, generation });
                }
                *id
            }
        }
    }

    /// A quorum is back: what the same leader holds is committed, what another leader held is gone.
    pub(super) fn commit_waiting(&mut self) {
        for (ticket, holder, proposal) in std::mem::take(&mut self.uncommitted) {
            let outcome = if self.leader == Some(holder) { self.commit(&proposal) } else { Err(TIMED_OUT_LEADER) };
            self.committed.insert(ticket, outcome);
        }
    }
}
