//! The member list and its changes, with etcd's own refusals in etcd's own order.
//!
//! Two judges, as in etcd: the member that is asked (`AddMember`, `promoteMember`, `mayRemoveMember` in
//! `server/etcdserver/server.go`), then the log's order (`ValidateConfigurationChange` in `api/membership/cluster.go`).

use std::time::Duration;

use super::answers::*;
use super::node::Node;
use super::state::{Pending, State};
use super::{By, Mutation, MutationKind};
use crate::cluster::{Member, MemberId};

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

/// A change that goes through the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Add(Vec<String>),
    Promote(MemberId),
    Remove(MemberId),
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
        let refuse = |text| Err(Progress::Done(Err(text)));
        let voters = self.voter_count();
        let started = |without: Option<MemberId>| {
            let others = self.entries.iter().filter(|e| !e.member.learner && Some(e.member.id) != without);
            others.filter(|e| e.member.started()).count()
        };
        match change {
            Change::Add(urls) if urls.is_empty() || !urls.iter().all(|u| valid_peer_url(u)) => refuse(BAD_URLS),
            Change::Add(_) => {
                let version = self.nodes[node].version;
                if version.may_add(voters, self.connected_voters(node)) { Ok(()) } else { refuse(UNHEALTHY) }
            }
            Change::Promote(id) => {
                // Only the leader knows the learner's progress; a follower asks it over the peer port.
                let Some(leader) = self.leader.filter(|l| self.reaches(node, *l)) else { return Err(Progress::Blocked) };
                let at_leader = self.nodes[node].id() == Some(leader);
                let Some(entry) = self.entry(*id) else { return refuse(NOT_FOUND) };
                // etcd's whole readiness rule, on absolute raft indexes: Match(learner) / Match(leader) >= 0.9.
                if entry.match_index.floor() < self.index.floor() * 0.9 {
                    return refuse(LEARNER_NOT_READY);
                }
                let version = self.node_of(leader).map_or(self.nodes[node].version, |n| self.nodes[n].version);
                match version.may_promote(voters, started(None)) {
                    true => Ok(()),
                    false if at_leader => refuse(NOT_ENOUGH_STARTED),
                    false => Err(Progress::Hidden),
                }
            }
            Change::Remove(id) => {
                let me = self.nodes[node].id();
                if self.entry(*id).is_some_and(|e| e.member.learner) {
                    return Ok(());
                }
                let others = voters - usize::from(self.entry(*id).is_some());
                if started(Some(*id)) < others / 2 + 1 {
                    return refuse(NOT_ENOUGH_STARTED);
                }
                // A voter that is down is no part of the active quorum: it may go.
                if me != Some(*id) && !self.reaches(node, *id) {
                    return Ok(());
                }
                if self.connected_voters(node).saturating_sub(1) < 1 + (voters.saturating_sub(1)) / 2 {
                    return refuse(UNHEALTHY);
                }
                Ok(())
            }
        }
    }

    /// The change is applied, or refused by what the log says.
    pub(super) fn commit(&mut self, proposal: &Proposal) -> Outcome {
        self.index += 1.0;
        let outcome = match &proposal.change {
            Change::Add(urls) => self.apply_add(urls),
            Change::Promote(id) => self.apply_promote(*id),
            Change::Remove(id) => self.apply_remove(*id),
        };
        if let Ok(id) = outcome {
            let kind = match proposal.change {
                Change::Add(_) => MutationKind::Added,
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

    fn apply_add(&mut self, urls: &[String]) -> Outcome {
        if self.entries.iter().any(|e| e.member.peer_urls.iter().any(|u| urls.contains(u))) {
            return Err(PEER_URL_EXISTS);
        }
        if self.entries.iter().filter(|e| e.member.learner).count() >= self.settings.max_learners {
            return Err(TOO_MANY_LEARNERS);
        }
        let id = self.fresh_id();
        let peer_urls = urls.to_vec();
        let member = Member { id, name: String::new(), peer_urls, client_urls: Vec::new(), learner: true };
        self.entries.push(Entry { member, match_index: 0.0, voter_at: 0.0, steady: false });
        Ok(id)
    }

    fn apply_promote(&mut self, id: MemberId) -> Outcome {
        let index = self.index.floor();
        let entry = self.entries.iter_mut().find(|e| e.member.id == id).ok_or(NOT_FOUND)?;
        if !entry.member.learner {
            return Err(NOT_LEARNER);
        }
        entry.member.learner = false;
        entry.voter_at = index;
        Ok(id)
    }

    fn apply_remove(&mut self, id: MemberId) -> Outcome {
        let at = self.entries.iter().position(|e| e.member.id == id).ok_or(NOT_FOUND)?;
        self.entries.remove(at);
        self.removed.push(id);
        self.alarms.retain(|a| a.member != id);
        if let Some(node) = self.node_of(id).filter(|n| self.nodes[*n].up_since.is_some()) {
            let generation = self.nodes[node].generation;
            self.schedule(Duration::from_millis(10), Pending::Exit { node, generation });
        }
        Ok(id)
    }

    /// A quorum is back: what the same leader holds is committed, what another leader held is gone.
    pub(super) fn commit_waiting(&mut self) {
        for (ticket, holder, proposal) in std::mem::take(&mut self.uncommitted) {
            let outcome = if self.leader == Some(holder) { self.commit(&proposal) } else { Err(TIMED_OUT_LEADER) };
            self.committed.insert(ticket, outcome);
        }
    }
}

/// As etcd's `types.NewURLs` sees it: a known scheme, host and port, and no path.
fn valid_peer_url(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let Some((host, port)) = rest.and_then(|r| r.rsplit_once(':')) else { return false };
    !host.is_empty() && !host.contains('/') && port.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peer_urls_are_judged_as_etcd_does() {
        assert!(valid_peer_url("https://10.0.0.4:2380") && valid_peer_url("http://[::1]:2380"));
        for bad in ["10.0.0.4:2380", "https://10.0.0.4", "ftp://a:1", "https://a:2380/path", "https://:2380", ""] {
            assert!(!valid_peer_url(bad), "{bad}");
        }
    }
}
