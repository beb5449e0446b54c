//! How an incident changes the world.

use super::By;
use super::MutationKind;
use super::faults::Incident;
use super::members::{Progress, Proposal};
use super::state::{Pending, State};
use runner_core::cluster::oracle::Change;
use runner_core::cluster::{Alarm, MemberId};
use runner_core::pipeline::DataDir;

impl State {
    pub(super) fn befall(&mut self, incident: Incident) {
        self.note(|| format!("{incident:?}"));
        match incident {
            Incident::Crash(name) => self.node_named(&name).into_iter().for_each(|n| self.crash(n)),
            Incident::Restart(name) => self.node_named(&name).into_iter().for_each(|n| self.restart(n)),
            Incident::CrashLeader => {
                self.leader.and_then(|id| self.node_of(id)).into_iter().for_each(|n| self.crash(n));
            }
            Incident::MoveLeader(to) => self.move_leader(to),
            Incident::Hide(names) => self.nodes.iter_mut().filter(|n| names.contains(&n.name)).for_each(|n| n.hidden = true),
            Incident::Show => self.nodes.iter_mut().for_each(|n| n.hidden = false),
            Incident::Split(names) => self.divide(&names),
            Incident::Heal => self.divide(&[]),
            Incident::Alarm(name, kind) => {
                if let Some(member) = self.node_named(&name).and_then(|n| self.nodes[n].id()) {
                    self.alarms.push(Alarm { member, kind });
                }
            }
            Incident::Disarm => self.alarms.clear(),
            Incident::CatchUpRate(entries) => {
                self.settings.replay_rate = entries as f64;
                self.settings.snapshot_rate = entries as f64 * 1000.0;
            }
            Incident::Freeze(name) => {
                self.nodes.iter_mut().filter(|n| n.name == name).for_each(|n| n.frozen = true);
                self.reconsider();
            }
            Incident::Thaw => {
                self.nodes.iter_mut().for_each(|n| n.frozen = false);
                self.reconsider();
            }
            Incident::CrashNewcomer => self.newcomer.into_iter().for_each(|n| self.crash(n)),
            Incident::RestartNewcomer => self.newcomer.into_iter().for_each(|n| self.restart(n)),
            Incident::RivalAdds => {
                self.tickets += 1;
                let url = self.settings.peer_url(&format!("rival-{}", self.tickets));
                self.rival(Change::AddLearner(vec![url]));
            }
            Incident::RivalRemoves => {
                let learner = self.ours().filter(|id| self.entry(*id).is_some_and(|e| e.member.learner));
                learner.into_iter().for_each(|id| self.rival(Change::Remove(id)));
            }
            Incident::RivalPromotes => self.ours().into_iter().for_each(|id| self.rival(Change::Promote(id))),
            Incident::TakesUrlOf(name) => {
                let url = self.settings.peer_url(&name);
                self.rival(Change::AddLearner(vec![url]));
            }
            Incident::Wipe(name) => {
                for node in self.node_named(&name).into_iter().collect::<Vec<_>>() {
                    self.crash(node);
                    self.nodes[node].set_data_dir(DataDir::Absent);
                    self.reconsider();
                }
            }
            Incident::RejoinedByOthers(name) => self.node_named(&name).into_iter().for_each(|n| self.rejoin(n)),
            Incident::LockLost => self.lose_lock(),
            Incident::MistakesItself(name, mistaken) => {
                self.nodes.iter_mut().filter(|n| n.name == name).for_each(|n| n.mistaken = mistaken);
            }
            Incident::Unname(name) => {
                let id = self.node_named(&name).and_then(|n| self.nodes[n].id());
                for entry in self.entries.iter_mut().filter(|e| Some(e.member.id) == id) {
                    entry.member.name.clear();
                    entry.member.client_urls.clear();
                }
            }
            Incident::WriteRate(entries) => self.write_rate = entries as f64,
            Incident::Refuse(op, reason) => self.refused.push((op, reason)),
            Incident::Accept => self.refused.clear(),
        }
    }

    fn crash(&mut self, node: usize) {
        if let Some(id) = self.nodes[node].id() {
            self.entries.iter_mut().filter(|e| e.member.id == id).for_each(|e| e.steady = false);
        }
        self.power_off(node, Some("signal: killed".to_owned()));
    }

    fn restart(&mut self, node: usize) {
        if self.nodes[node].up_since.is_none() && self.nodes[node].id().is_some() {
            self.power_on(node);
        }
    }

    fn move_leader(&mut self, to: Option<String>) {
        if !self.healthy {
            return;
        }
        let able = |n: &usize| self.serves(*n) && self.nodes[*n].id() != self.leader;
        let voters = self.entries.iter().filter(|e| !e.member.learner).filter_map(|e| self.node_of(e.member.id));
        let named = |n: &usize| to.as_ref().is_none_or(|name| self.nodes[*n].name == *name);
        let next = voters.filter(able).find(named);
        next.into_iter().for_each(|n| self.lead(n));
    }

    /// These nodes are on one side, all others on the other.
    fn divide(&mut self, names: &[String]) {
        let now = self.now;
        for node in &mut self.nodes {
            let side = u8::from(names.contains(&node.name));
            if node.side != side {
                node.side = side;
                node.side_since = now;
            }
        }
        let timeout = self.settings.election_timeout;
        self.schedule(timeout, Pending::Forget);
        self.reconsider();
    }

    /// Other hands remove what is on this machine and join it anew, with all that it takes, in no time; unless etcd does not let them.
    fn rejoin(&mut self, node: usize) {
        let urls = self.nodes[node].peer_urls.clone();
        if let Some(id) = self.entries.iter().find(|e| e.member.has_peer_urls(&urls)).map(|e| e.member.id) {
            self.rival(Change::Remove(id));
            if self.entry(id).is_some() {
                return;
            }
        }
        self.power_off(node, None);
        self.nodes[node].set_data_dir(DataDir::Absent);
        let before: Vec<MemberId> = self.entries.iter().map(|e| e.member.id).collect();
        self.rival(Change::AddVoter(urls));
        let (index, name, size) = (self.index, self.nodes[node].name.clone(), self.db_size());
        let Some(entry) = self.entries.iter_mut().find(|e| !before.contains(&e.member.id)) else { return };
        let id = entry.member.id;
        (entry.match_index, entry.steady) = (index, true);
        (entry.member.name, entry.member.client_urls) = (name.clone(), self.nodes[node].client_urls.clone());
        let (now, cluster_id, target) = (self.now, self.cluster_id, &mut self.nodes[node]);
        target.set_data_dir(DataDir::Member { cluster_id, member_id: id });
        (target.matched, target.applied, target.size) = (index, index, size);
        (target.up_since, target.booted, target.client_open) = (Some(now), true, true);
        target.generation += 1;
        self.rejoined.push((name, id));
        self.reconsider();
    }

    /// The last member that runner added and that is still there.
    fn ours(&self) -> Option<MemberId> {
        let added = self.mutations.iter().filter(|m| m.by == By::Runner && m.kind == MutationKind::Added).map(|m| m.id);
        added.rev().find(|id| self.entry(*id).is_some())
    }

    /// Somebody else asks the leader.
    fn rival(&mut self, change: Change) {
        let Some(leader) = self.leader.and_then(|id| self.node_of(id)).filter(|_| self.healthy) else { return };
        let done: Progress = self.arrive(leader, &Proposal { change, by: By::Rival });
        self.note(|| format!("the rival got {done:?}"));
    }
}
