//! The simulated cluster's calls, and what a member says of itself.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep, sleep_until};

use super::answers::{self, CORRUPT, TIMED_OUT_APPLY};
use super::calls::{Attempt, Caller};
use super::faults::{Fault, Op};
use super::members::{Progress, Proposal};
use super::state::State;
use super::{By, Shared};
use runner_core::cluster::oracle::Change;
use runner_core::cluster::{AlarmKind, Cluster, MemberId, MemberList, MemberMetrics, MemberStatus, Result};

/// The simulated cluster, as runner calls it.
#[derive(Debug)]
pub struct SimulatedCluster {
    caller: Caller,
}

impl SimulatedCluster {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { caller: Caller { shared } }
    }

    /// The metrics port opens with raft, long before the client port.
    fn read_metrics(&self, url: &str) -> Result<MemberMetrics> {
        self.caller.shared.with(|s| {
            let node = s.nodes.iter().find(|n| n.metrics_url == url && n.raft());
            node.map(|n| n.metrics()).ok_or_else(|| answers::refused(url))
        })
    }

    /// One call that changes the member list.
    async fn change(&self, op: Op, endpoint: &str, change: Change) -> Result<MemberId> {
        let proposal = Proposal { change, by: By::Runner };
        let mut ticket = None;
        self.caller
            .call(op, endpoint, Some(proposal.clone()), |s, node| {
                if let Some(outcome) = ticket.and_then(|t| s.committed.remove(&t)) {
                    return Attempt::Done(outcome);
                }
                if ticket.is_some() {
                    return Attempt::Wait;
                }
                match s.arrive(node, &proposal) {
                    Progress::Done(outcome) => Attempt::Done(outcome),
                    Progress::Logged(number) => {
                        ticket = Some(number);
                        Attempt::Wait
                    }
                    Progress::Blocked | Progress::Hidden => Attempt::Wait,
                }
            })
            .await
    }
}

#[async_trait]
impl Cluster for SimulatedCluster {
    async fn member_list(&self, endpoint: &str) -> Result<MemberList> {
        self.caller.call(Op::MemberList, endpoint, None, |s, node| s.through(node, |s| s.list())).await
    }

    async fn status(&self, endpoint: &str) -> Result<MemberStatus> {
        let asked = Instant::now();
        let answer = |s: &mut State, node| Attempt::Done(Ok(s.status(node)));
        let mut status: MemberStatus = self.caller.call(Op::Status, endpoint, None, answer).await?;
        status.round_trip = asked.elapsed();
        Ok(status)
    }

    async fn propose(&self, endpoint: &str) -> Result<()> {
        self.caller.call(Op::Propose, endpoint, None, |s, node| s.through(node, |s| s.index += 1.0)).await
    }

    async fn add_learner(&self, endpoint: &str, peer_urls: &[String]) -> Result<MemberId> {
        self.change(Op::AddLearner, endpoint, Change::AddLearner(peer_urls.to_vec())).await
    }

    async fn promote(&self, endpoint: &str, id: MemberId) -> Result<()> {
        self.change(Op::Promote, endpoint, Change::Promote(id)).await.map(drop)
    }

    async fn remove(&self, endpoint: &str, id: MemberId) -> Result<()> {
        self.change(Op::Remove, endpoint, Change::Remove(id)).await.map(drop)
    }

    async fn linearizable_read(&self, endpoint: &str) -> Result<()> {
        let mut read_index = None;
        self.caller
            .call(Op::Read, endpoint, None, |s, node| {
                if s.alarm() == Some(CORRUPT) {
                    return Attempt::Done(Err(CORRUPT));
                }
                if read_index.is_none() && s.serves(node) {
                    read_index = Some(s.index.floor());
                }
                match read_index {
                    Some(index) if s.nodes[node].applied >= index => Attempt::Done(Ok(())),
                    Some(_) => Attempt::Soon(Duration::from_millis(50), TIMED_OUT_APPLY),
                    None => Attempt::Wait,
                }
            })
            .await
    }

    async fn peer_members(&self, peer_url: &str) -> Result<MemberList> {
        let begun = self.caller.begin(Op::PeerMembers).await;
        sleep(begun.latency).await;
        let told = match begun.fault {
            Some(Fault::Fail(reason)) => Err(answers::of(reason, peer_url)),
            _ => self.caller.shared.with(|s| {
                let peer = s.nodes.iter().find(|n| n.peer_urls.iter().any(|url| url == peer_url) && n.raft() && !n.hidden);
                peer.map(|_| s.list()).ok_or_else(|| answers::refused(peer_url))
            }),
        };
        self.caller.end(&begun, Op::PeerMembers, peer_url, told.as_ref().err().map(|e| e.reason)).await;
        told
    }

    async fn metrics(&self, metrics_url: &str) -> Result<MemberMetrics> {
        let begun = self.caller.begin(Op::Metrics).await;
        sleep(begun.latency).await;
        let result = match begun.fault {
            Some(Fault::Fail(reason)) => Err(answers::of(reason, metrics_url)),
            Some(Fault::AnswerLost | Fault::ConnectionLost | Fault::AppliedLate(_)) => {
                sleep_until(begun.deadline).await;
                Err(answers::deadline(begun.allowed, metrics_url))
            }
            Some(Fault::Delay(delay) | Fault::DelayAnswer(delay)) => {
                sleep(delay.min(begun.allowed)).await;
                self.read_metrics(metrics_url)
            }
            None => self.read_metrics(metrics_url),
        };
        self.caller.end(&begun, Op::Metrics, metrics_url, result.as_ref().err().map(|e| e.reason)).await;
        result
    }
}

impl State {
    /// A member's own view of things.
    fn status(&self, node: usize) -> MemberStatus {
        let target = &self.nodes[node];
        let leader = self.belief(node);
        let mut errors: Vec<String> = leader.is_none().then(|| answers::NO_LEADER.to_owned()).into_iter().collect();
        errors.extend(self.alarms.iter().map(|alarm| {
            let kind = if alarm.kind == AlarmKind::Corrupt { "CORRUPT" } else { "NOSPACE" };
            format!("memberID:{} alarm:{kind} ", alarm.member.0)
        }));
        let db_size = if self.sees_itself_learner(node) { target.size } else { self.db_size() } as u64;
        MemberStatus {
            cluster_id: self.cluster_id,
            member_id: target.id().unwrap_or(MemberId(0)),
            version: target.version_text.clone(),
            db_size,
            db_size_in_use: db_size,
            leader,
            raft_index: target.matched as u64,
            raft_applied_index: target.applied as u64,
            raft_term: self.term,
            learner: self.sees_itself_learner(node),
            errors,
            round_trip: Duration::ZERO,
        }
    }
}
