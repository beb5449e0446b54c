//! What the oracle knows of a cluster at one moment.

use super::Change;
use crate::cluster::{Member, MemberId, Version, View};

/// The id of a member that etcd has not given one.
pub const NEWCOMER: MemberId = MemberId(0);

/// A cluster as the member that is to be asked sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Situation {
    /// Every member of the list.
    pub members: Vec<Peer>,
    /// Who is asked; none where nobody can be.
    pub asked: Option<MemberId>,
    /// Who leads; none while there is no leader.
    pub leader: Option<MemberId>,
    /// How many learners the cluster may have: 1, unless `--max-learners` says otherwise (since 3.6).
    pub max_learners: usize,
}

/// One member.
#[derive(Clone, Debug, PartialEq)]
pub struct Peer {
    /// Its entry in the list.
    pub member: Member,
    /// What it runs, where it is known.
    pub version: Option<Version>,
    /// Whether it is connected to the member that is asked.
    pub link: Link,
    /// Whether the leader takes it for caught up: it holds 90 % of the log, or held it when it was last heard of.
    pub caught_up: bool,
}

/// How long a member has been connected to the one that is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// For etcd's `HealthInterval` of 5 s or longer; or it is the asked member itself.
    Settled,
    /// For less than that: after a start, a promotion or a partition.
    Fresh,
    /// Not at all.
    Down,
}

impl Situation {
    /// What an observation tells. The leader is asked, as runner does.
    ///
    /// An observation shows who answers *its observer*: a member that is silent counts as down, although the other members may still
    /// reach it, and one that answers counts as connected for long enough. Of a learner that is silent but was started it is not
    /// known how far it came: it counts as caught up, which is the dangerous case, since etcd does not look whether it lives.
    pub fn of(view: &View) -> Self {
        let leader_index = view.leader_view().and_then(|m| Some(m.status.as_ref().ok()?.raft_index)).unwrap_or(0);
        let peer = |m: &crate::cluster::MemberView| {
            let status = m.status.as_ref().ok();
            Peer {
                member: m.member.clone(),
                version: status.and_then(|s| Version::parse(&s.version)),
                link: if status.is_some() { Link::Settled } else { Link::Down },
                caught_up: match status {
                    Some(s) => s.raft_applied_index as f64 >= leader_index as f64 * 0.9,
                    None => m.member.started(),
                },
            }
        };
        let members = view.members.iter().map(peer).collect();
        Self { members, asked: view.leader, leader: view.leader, max_learners: 1 }
    }

    /// The member of this id.
    pub fn get(&self, id: MemberId) -> Option<&Peer> {
        self.members.iter().find(|m| m.member.id == id)
    }

    /// The same with these members down. A leader among them is lost, and nobody leads; whoever was asked and is down, is not asked.
    #[must_use]
    pub fn without(mut self, down: &[MemberId]) -> Self {
        self.members.iter_mut().filter(|m| down.contains(&m.member.id)).for_each(|m| m.link = Link::Down);
        self.asked = self.asked.filter(|id| !down.contains(id));
        self.leader = self.leader.filter(|id| !down.contains(id));
        self
    }

    /// The same once the change is done. A newcomer has no id yet (it gets 0), is connected and has caught up.
    #[must_use]
    pub fn after(mut self, change: &Change) -> Self {
        match change {
            Change::AddLearner(urls) | Change::AddVoter(urls) => {
                let (learner, version) = (matches!(change, Change::AddLearner(_)), self.version());
                let (name, peer_urls) = ("the new member".to_owned(), urls.clone());
                let member = Member { id: NEWCOMER, name, peer_urls, client_urls: Vec::new(), learner };
                self.members.push(Peer { member, version, link: Link::Settled, caught_up: true });
            }
            Change::Promote(id) => {
                self.members.iter_mut().filter(|m| m.member.id == *id).for_each(|m| m.member.learner = false);
            }
            Change::Remove(id) => {
                self.members.retain(|m| m.member.id != *id);
                self = self.without(&[*id]);
            }
        }
        self
    }

    pub(super) fn voters(&self) -> impl Iterator<Item = &Peer> {
        self.members.iter().filter(|m| m.member.voter())
    }

    /// The version whose rules are applied: that of the member that is asked.
    pub(super) fn version(&self) -> Option<Version> {
        self.asked.and_then(|id| self.get(id)).and_then(|m| m.version)
    }

    pub(super) fn connected(&self) -> usize {
        self.voters().filter(|m| m.link == Link::Settled).count()
    }

    pub(super) fn started(&self) -> usize {
        self.voters().filter(|m| m.member.started()).count()
    }

    /// Voters that can agree to something now.
    pub(super) fn alive(&self) -> usize {
        self.voters().filter(|m| m.link != Link::Down).count()
    }
}
