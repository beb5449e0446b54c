//! A made-up cluster, and what a plugin sees of it.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use super::short::{Size, Time};
use crate::cluster::{Alarm, AlarmKind, ClusterError, Member, MemberId, MemberStatus, MemberView, Reason, View};

/// The first made-up member id; the next ones follow.
const FIRST_ID: u64 = 0x8e9e_05c5_2164_694d;
/// The made-up cluster id.
const CLUSTER_ID: u64 = 0xcdf8_1819_4e3a_8c32;
/// Where the made-up leader's log stands.
pub(super) const RAFT_INDEX: u64 = 1_000_000;
/// The made-up raft term.
pub(super) const TERM: u64 = 2;
/// The version of members of which nothing is said.
pub(super) const VERSION: &str = "3.5.16";

/// A cluster. Short form: `3.5.16 x 3`, that many healthy voters of that version.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ClusterFacts {
    /// The cluster's id in lower-case hex.
    pub id: Option<String>,
    /// Healthy voters before the named members: `3.5.16 x 3`. They are named `cp-1`, `cp-2`, ….
    pub healthy: Option<Healthy>,
    /// Members, after the healthy ones.
    pub members: Vec<MemberFacts>,
    /// The leader's name or id, or `none`; else the member that says so of itself, else the first voter that answers.
    pub leader: Option<String>,
    /// When it was observed; `now` unless said.
    pub observed_at: Option<Timestamp>,
}

/// So many healthy voters of one version: `3.5.16 x 3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Healthy {
    /// The version.
    pub version: String,
    /// How many.
    pub count: usize,
}

/// A member. What is not said is what an idle, healthy voter would answer.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct MemberFacts {
    /// Its name; empty while it was added and has not started.
    pub name: String,
    /// Its id in lower-case hex; made up unless said.
    pub id: Option<String>,
    /// `voter` or `learner`.
    pub role: MemberRole,
    /// Whether it is the leader.
    pub leader: bool,
    /// Whether it answers. If not, versions, sizes and indices are none.
    pub reachable: bool,
    /// Whether it knows of the leader; one that does not counts as lost.
    pub sees_leader: bool,
    /// Its etcd version.
    pub version: String,
    /// Where the other members reach it; `https://NAME:2380` unless said.
    pub peer_urls: Option<Vec<String>>,
    /// Where clients reach it; `https://NAME:2379` unless said.
    pub client_urls: Option<Vec<String>>,
    /// Its database file: bytes, or `20 MiB`.
    pub db_size: Size,
    /// What of it holds data.
    pub db_size_in_use: Size,
    /// Its committed raft index.
    pub raft_index: u64,
    /// Its applied raft index; the committed one unless said.
    pub raft_applied_index: Option<u64>,
    /// Its raft term.
    pub raft_term: u64,
    /// How long its status request took: `300us`.
    pub round_trip: Time,
    /// Errors it reports of itself, and alarms: `NOSPACE`, `CORRUPT`.
    pub problems: Vec<String>,
}

/// A member's role.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemberRole {
    /// It has a vote.
    #[default]
    Voter,
    /// It has none yet.
    Learner,
}

impl Default for MemberFacts {
    fn default() -> Self {
        Self {
            name: String::new(),
            id: None,
            role: MemberRole::Voter,
            leader: false,
            reachable: true,
            sees_leader: true,
            version: VERSION.to_owned(),
            peer_urls: None,
            client_urls: None,
            db_size: Size(20 << 20),
            db_size_in_use: Size(16 << 20),
            raft_index: RAFT_INDEX,
            raft_applied_index: None,
            raft_term: TERM,
            round_trip: Time(Duration::from_micros(300)),
            problems: Vec::new(),
        }
    }
}

impl FromStr for Healthy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once(" x ").and_then(|(version, count)| Some((version.trim(), count.trim().parse().ok()?)));
        match parts {
            Some((version, count)) if !version.is_empty() && (1..=1000).contains(&count) => {
                Ok(Self { version: version.to_owned(), count })
            }
            _ => Err(format!("`{text}` is not of the form `3.5.16 x 3`: a version and how many members run it")),
        }
    }
}

impl<'de> Deserialize<'de> for Healthy {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl FromStr for ClusterFacts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Self { healthy: Some(text.parse()?), ..Self::default() })
    }
}

impl ClusterFacts {
    /// Three healthy voters.
    pub fn usual() -> Self {
        Self { healthy: Some(Healthy { version: VERSION.to_owned(), count: 3 }), ..Self::default() }
    }

    /// Adds a learner.
    pub(super) fn add_learner(&mut self, name: &str, applied: u64) {
        let raft_applied_index = Some(applied);
        let role = MemberRole::Learner;
        self.members.push(MemberFacts { name: name.to_owned(), role, raft_applied_index, ..MemberFacts::default() });
    }

    /// What an observation at `now` would have seen.
    ///
    /// # Errors
    ///
    /// An id that is none or is there twice, a leader that is no member, a problem that a silent member cannot report.
    pub(crate) fn view(&self, now: Timestamp) -> Result<View, String> {
        let healthy = self.healthy.iter().flat_map(|Healthy { version, count }| {
            (1..=*count).map(|n| MemberFacts { name: format!("cp-{n}"), version: version.clone(), ..MemberFacts::default() })
        });
        let facts: Vec<MemberFacts> = healthy.chain(self.members.iter().cloned()).collect();
        let cluster_id = self.id.as_deref().map_or(Ok(CLUSTER_ID), |id| hex("cluster.id", id))?;
        let ids = facts.iter().enumerate().map(|(n, facts)| match &facts.id {
            Some(id) => hex("a member's id", id).map(MemberId),
            None => Ok(MemberId(FIRST_ID + n as u64)),
        });
        let ids: Vec<MemberId> = ids.collect::<Result<_, _>>()?;
        if let Some(twice) = ids.iter().enumerate().find(|(n, id)| ids[..*n].contains(id)) {
            return Err(format!("two members have the id {}", twice.1));
        }
        let leader = self.leader(&facts, &ids)?;
        let mut alarms = Vec::new();
        let mut members = Vec::new();
        for (facts, id) in facts.iter().zip(&ids) {
            alarms.extend(facts.alarms(*id)?);
            members.push(facts.view(*id, cluster_id, leader));
        }
        let observed_at = self.observed_at.unwrap_or(now);
        Ok(View { cluster_id, members, leader, alarms, observed_at, silent: Vec::new() })
    }

    fn leader(&self, facts: &[MemberFacts], ids: &[MemberId]) -> Result<Option<MemberId>, String> {
        let find = |is: &dyn Fn(&MemberFacts, MemberId) -> bool| {
            facts.iter().zip(ids).find(|(facts, id)| is(facts, **id)).map(|(_, id)| *id)
        };
        match self.leader.as_deref() {
            Some("none") => Ok(None),
            Some(named) => match find(&|facts, id| facts.name == named || id.to_string() == named) {
                Some(id) => Ok(Some(id)),
                None => Err(format!("cluster.leader: there is no member {named}")),
            },
            None => Ok(find(&|facts, _| facts.leader)
                .or_else(|| find(&|facts, _| facts.role == MemberRole::Voter && facts.answers() && facts.sees_leader))),
        }
    }
}

impl MemberFacts {
    fn answers(&self) -> bool {
        self.reachable && !self.name.is_empty()
    }

    /// The alarms of a member that does not answer; one that answers reports them itself.
    fn alarms(&self, member: MemberId) -> Result<Vec<Alarm>, String> {
        if self.answers() {
            return Ok(Vec::new());
        }
        let alarm = |problem: &String| match problem.as_str() {
            "NOSPACE" => Ok(Alarm { member, kind: AlarmKind::Nospace }),
            "CORRUPT" => Ok(Alarm { member, kind: AlarmKind::Corrupt }),
            _ => Err(format!(
                "the member {:?} does not answer, so it cannot report {problem:?}; only the alarms NOSPACE and CORRUPT are \
                 known of it",
                self.name
            )),
        };
        self.problems.iter().map(alarm).collect()
    }

    fn view(&self, id: MemberId, cluster_id: u64, leader: Option<MemberId>) -> MemberView {
        let urls = |given: &Option<Vec<String>>, port: u16| match given {
            Some(urls) => urls.clone(),
            None if self.name.is_empty() => Vec::new(),
            None => vec![format!("https://{}:{port}", self.name)],
        };
        let (peer_urls, client_urls) = (urls(&self.peer_urls, 2380), urls(&self.client_urls, 2379));
        let learner = self.role == MemberRole::Learner;
        let endpoint = client_urls.first().cloned();
        let status = if self.answers() {
            Ok(MemberStatus {
                cluster_id,
                member_id: id,
                version: self.version.clone(),
                db_size: self.db_size.0,
                db_size_in_use: self.db_size_in_use.0,
                leader: leader.filter(|_| self.sees_leader),
                raft_index: self.raft_index,
                raft_applied_index: self.raft_applied_index.unwrap_or(self.raft_index),
                raft_term: self.raft_term,
                learner,
                errors: self.problems.clone(),
                round_trip: self.round_trip.0,
            })
        } else {
            Err(ClusterError::new(Reason::Unreachable, "it does not answer", endpoint.clone().unwrap_or_default()))
        };
        let member = Member { id, name: self.name.clone(), peer_urls, client_urls, learner };
        MemberView { member, endpoint, status }
    }
}

/// The member of this name or id.
pub(super) fn find(view: &Arc<View>, named: &str) -> Option<MemberId> {
    view.members.iter().map(|m| &m.member).find(|m| m.name == named || m.id.to_string() == named).map(|m| m.id)
}

pub(super) fn hex(what: &str, text: &str) -> Result<u64, String> {
    u64::from_str_radix(text, 16).map_err(|_| format!("{what}: `{text}` is not an id in hex, as `8e9e05c52164694d`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2027-01-15T08:00:00Z".parse().unwrap()
    }

    #[test]
    fn the_short_form_is_a_healthy_cluster() {
        let view = "3.6.1 x 3".parse::<ClusterFacts>().unwrap().view(now()).unwrap();
        assert_eq!((view.members.len(), view.quorum(), view.fault_tolerance()), (3, 2, 1));
        assert_eq!(view.leader_view().unwrap().member.name, "cp-1");
        assert_eq!(view.members[2].status.as_ref().unwrap().version, "3.6.1");
        assert!("3.6.1".parse::<Healthy>().is_err() && "3.6.1 x 0".parse::<Healthy>().is_err());
    }

    #[test]
    fn silent_members_and_leaders_are_as_said() {
        let silent =
            MemberFacts { name: "x".into(), reachable: false, problems: vec!["NOSPACE".into()], ..Default::default() };
        let facts = ClusterFacts { members: vec![silent.clone()], leader: Some("cp-2".into()), ..ClusterFacts::usual() };
        let view = facts.view(now()).unwrap();
        assert_eq!(view.leader_view().unwrap().member.name, "cp-2");
        assert_eq!((view.alarms.len(), view.fault_tolerance()), (1, 0));
        let none = ClusterFacts { leader: Some("none".into()), ..ClusterFacts::usual() }.view(now()).unwrap();
        assert_eq!((none.leader, none.healthy_voters()), (None, 0));
        let broken = MemberFacts { problems: vec!["slow".into()], ..silent };
        assert!(ClusterFacts { members: vec![broken], ..ClusterFacts::usual() }.view(now()).unwrap_err().contains("slow"));
    }
}
