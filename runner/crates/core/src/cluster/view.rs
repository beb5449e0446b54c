//! One observation of the whole cluster: the member list, every member's own status, the leader, the alarms.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use futures::stream::{FuturesUnordered, StreamExt};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Alarm, Class, Cluster, ClusterError, Member, MemberId, MemberList, MemberStatus, Reason, Result, quorum};
use crate::clock;

/// What was seen of the cluster at one moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    /// The cluster's id.
    pub cluster_id: u64,
    /// Every member of the list, with what it says itself.
    pub members: Vec<MemberView>,
    /// The leader, by its own word or the voters' majority; none while there is none.
    pub leader: Option<MemberId>,
    /// The raised alarms.
    pub alarms: Vec<Alarm>,
    /// When the observation was complete.
    pub observed_at: Timestamp,
    /// The given endpoints that did not answer, with the reason.
    pub silent: Vec<ClusterError>,
}

/// One member of the list and its own status.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MemberView {
    /// Its entry in the member list.
    pub member: Member,
    /// The endpoint at which it answered, else the first that it advertises; none where it advertises none.
    pub endpoint: Option<String>,
    /// Its own status, or why there is none.
    pub status: Result<MemberStatus>,
}

impl View {
    /// Observes the cluster, starting from the endpoints that are known.
    ///
    /// Every member is asked side by side; a silent one costs one call's deadline and fails only itself. Fails where no known
    /// endpoint leads to a member list, with the error that tells most.
    /// Endpoints of two clusters are an error: nobody could tell which of them is meant.
    pub async fn observe(cluster: &dyn Cluster, known: &[String]) -> Result<Self> {
        Self::observe_only(cluster, known, None).await
    }

    /// The same for the cluster of this id, where it is known: whoever answers for another one counts as silent.
    pub async fn observe_only(cluster: &dyn Cluster, known: &[String], only: Option<u64>) -> Result<Self> {
        let Found { list, mut answers, silent } = find(cluster, known, only).await?;

        // Members at endpoints that nobody has asked yet.
        let told: BTreeSet<MemberId> = answers.values().map(|(_, s)| s.member_id).collect();
        let missing = list.members.iter().filter(|m| !told.contains(&m.id));
        let asked = join_all(missing.map(|m| async move { (m.id, ask(cluster, m).await) })).await;
        let mut failed = BTreeMap::new();
        for (id, answer) in asked {
            match answer {
                Ok((endpoint, status)) => {
                    answers.insert(id, (endpoint, status));
                }
                Err(error) => {
                    failed.insert(id, error);
                }
            }
        }

        let members: Vec<MemberView> = list
            .members
            .into_iter()
            .map(|member| match answers.remove(&member.id) {
                Some((endpoint, status)) => MemberView { endpoint: Some(endpoint), status: Ok(status), member },
                None => {
                    let error = failed.remove(&member.id).unwrap_or_else(|| not_started(&member));
                    MemberView { endpoint: member.client_urls.first().cloned(), status: Err(error), member }
                }
            })
            .collect();
        let mut view = Self {
            cluster_id: list.cluster_id,
            leader: leader(&members),
            members,
            alarms: Vec::new(),
            observed_at: clock::now(),
            silent,
        };
        view.membership_endpoint()?;
        // As the leader has applied them. Asking etcd for them would write an entry, each time that a run looks.
        let leader = view.leader_view().and_then(|m| m.status.as_ref().ok());
        view.alarms = leader.map(MemberStatus::alarms).unwrap_or_default();
        view.observed_at = clock::now();
        Ok(view)
    }

    /// The member of this id.
    pub fn get(&self, id: MemberId) -> Option<&MemberView> {
        self.members.iter().find(|m| m.member.id == id)
    }

    /// The member list alone.
    pub fn list(&self) -> MemberList {
        MemberList { cluster_id: self.cluster_id, members: self.members.iter().map(|m| m.member.clone()).collect() }
    }

    /// The members that vote.
    pub fn voters(&self) -> impl Iterator<Item = &MemberView> {
        self.members.iter().filter(|m| m.member.voter())
    }

    /// How many voters answered.
    pub fn healthy_voters(&self) -> usize {
        self.voters().filter(|m| m.healthy()).count()
    }

    /// How many voters must agree.
    pub fn quorum(&self) -> usize {
        quorum(self.voters().count())
    }

    /// How many more voters may be lost before the cluster stops; those that did not answer count as lost already.
    pub fn fault_tolerance(&self) -> usize {
        self.healthy_voters().saturating_sub(self.quorum())
    }

    /// The leader's entry.
    pub fn leader_view(&self) -> Option<&MemberView> {
        self.leader.and_then(|id| self.get(id))
    }

    /// The endpoint for membership calls: the leader's own, since a follower that forwards may retry for seconds and hides the
    /// leader's error, and a learner refuses.
    pub fn membership_endpoint(&self) -> Result<&str> {
        self.leader_view().and_then(|m| m.endpoint.as_deref()).ok_or_else(|| {
            ClusterError::new(Reason::NoLeader, "the cluster has no leader that can be reached", String::new())
        })
    }

    /// The endpoints of every voter that answered, the leader's first: what to start the next observation from.
    pub fn endpoints(&self) -> Vec<String> {
        let mut found: Vec<_> = self.voters().filter(|m| m.healthy()).collect();
        found.sort_by_key(|m| Some(m.member.id) != self.leader);
        found.into_iter().filter_map(|m| m.endpoint.clone()).collect()
    }
}

impl MemberView {
    /// Whether it answered and knows of a leader.
    pub fn healthy(&self) -> bool {
        self.status.as_ref().is_ok_and(|s| s.leader.is_some())
    }
}

/// A member list and the statuses that came on the way to it.
struct Found {
    list: MemberList,
    answers: BTreeMap<MemberId, (String, MemberStatus)>,
    silent: Vec<ClusterError>,
}

/// Asks all known endpoints side by side and takes the member list from the first voter that gives one.
async fn find(cluster: &dyn Cluster, known: &[String], only: Option<u64>) -> Result<Found> {
    let mut answers: BTreeMap<MemberId, (String, MemberStatus)> = BTreeMap::new();
    let mut silent = Vec::new();
    let mut list = None;
    let mut refusal: Option<ClusterError> = None;
    let mut asked: FuturesUnordered<_> = known.iter().map(|e| async move { (e.clone(), cluster.status(e).await) }).collect();
    while let Some((endpoint, status)) = asked.next().await {
        match status {
            Ok(status) if only.is_some_and(|id| status.cluster_id != id) => {
                silent.push(other_cluster(&endpoint, status.cluster_id));
            }
            Ok(status) => {
                if let Some((first, other)) = answers.values().find(|(_, other)| other.cluster_id != status.cluster_id) {
                    return Err(two_clusters((first, other.cluster_id), (&endpoint, status.cluster_id)));
                }
                if list.is_none() && !status.learner {
                    match cluster.member_list(&endpoint).await {
                        Ok(found) if only.is_some_and(|id| found.cluster_id != id) => {
                            refusal = Some(most_telling(refusal, other_cluster(&endpoint, found.cluster_id)));
                        }
                        Ok(found) => list = Some(found),
                        Err(error) => refusal = Some(most_telling(refusal, error)),
                    }
                }
                answers.insert(status.member_id, (endpoint, status));
            }
            Err(error) => silent.push(error),
        }
    }
    match list {
        Some(list) => Ok(Found { list, answers, silent }),
        None => Err(refusal
            .or_else(|| silent.into_iter().reduce(|a, b| most_telling(Some(a), b)))
            .unwrap_or_else(|| no_voter(&answers, known))),
    }
}

fn other_cluster(endpoint: &str, id: u64) -> ClusterError {
    ClusterError::new(Reason::ClusterIdMismatch, format!("this endpoint belongs to another cluster ({id:x})"), endpoint)
}

fn two_clusters(a: (&str, u64), b: (&str, u64)) -> ClusterError {
    let text = format!("the endpoints belong to two clusters: {} to {:x}, {} to {:x}", a.0, a.1, b.0, b.1);
    ClusterError::new(Reason::ClusterIdMismatch, text, b.0)
}

/// The error worth showing: a fatal one (wrong CA, no permission) tells more than "unreachable".
fn most_telling(held: Option<ClusterError>, new: ClusterError) -> ClusterError {
    match held {
        Some(held) if held.class() == Class::Fatal || new.class() != Class::Fatal => held,
        _ => new,
    }
}

fn no_voter(answers: &BTreeMap<MemberId, (String, MemberStatus)>, known: &[String]) -> ClusterError {
    let (message, endpoint) = match answers.values().next() {
        Some((endpoint, _)) => ("only learners answered; give the endpoint of a voter", endpoint.clone()),
        None => ("no endpoint was given", known.join(",")),
    };
    ClusterError::new(Reason::Unreachable, message, endpoint)
}

/// Asks one member at the URLs that it advertises, one after the other.
async fn ask(cluster: &dyn Cluster, member: &Member) -> Result<(String, MemberStatus)> {
    let mut last = None;
    for url in &member.client_urls {
        match cluster.status(url).await {
            Ok(status) if status.member_id == member.id => return Ok((url.clone(), status)),
            Ok(status) => {
                let text = format!("another member ({}) answers at the client URL of {}", status.member_id, member.label());
                last = Some(ClusterError::new(Reason::Other, text, url));
            }
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| not_started(member)))
}

fn not_started(member: &Member) -> ClusterError {
    let text = format!("{} advertises no client URL: it has not started", member.label());
    ClusterError::new(Reason::Unreachable, text, String::new())
}

/// The leader: whoever says so of itself with the highest term, else whom most voters name.
fn leader(members: &[MemberView]) -> Option<MemberId> {
    let voters = || members.iter().filter(|m| m.member.voter()).filter_map(|m| m.status.as_ref().ok());
    let own_word = voters().filter(|s| s.leader == Some(s.member_id)).max_by_key(|s| s.raft_term);
    if let Some(status) = own_word {
        return Some(status.member_id);
    }
    let mut named: BTreeMap<MemberId, usize> = BTreeMap::new();
    voters().filter_map(|s| s.leader).for_each(|id| *named.entry(id).or_default() += 1);
    named.into_iter().max_by_key(|(_, votes)| *votes).map(|(id, _)| id)
}
