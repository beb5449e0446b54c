//! One call on its way: numbering, faults, latency, deadline, crash points; and the simulated cluster's own calls.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep, sleep_until};

use super::answers::{self, CORRUPT, NOT_FOR_LEARNER, TIMED_OUT, TIMED_OUT_APPLY};
use super::faults::{Fault, Op, When};
use super::members::{Change, Progress, Proposal};
use super::state::{Pending, State};
use super::{By, Call, Moment, Shared};
use crate::cluster::{
    Alarm, AlarmKind, Cluster, ClusterError, MemberId, MemberList, MemberMetrics, MemberStatus, Reason, Result,
};

/// The simulated cluster, as runner calls it.
#[derive(Debug)]
pub struct SimulatedCluster {
    caller: Caller,
}

/// Whoever calls: what all simulated calls have in common.
pub(super) struct Caller {
    pub(super) shared: Arc<Shared>,
}

/// How far a request has come at the node that serves it.
pub(super) enum Attempt<T> {
    Done(Result<T, &'static str>),
    /// Nothing can be said yet: look again when something has happened.
    Wait,
    /// As [`Attempt::Wait`], and after this long at the latest.
    Soon(Duration, &'static str),
}

/// Whom a request reached.
enum Reached<T> {
    Answered(Attempt<T>),
    /// Nobody listens; a process that ends breaks the connections of those who wait.
    Nobody,
    /// The packets are lost.
    Vanished,
}

/// What the world has in store for one call.
pub(super) struct Begun {
    pub(super) number: u64,
    pub(super) fault: Option<Fault>,
    pub(super) deadline: Instant,
    pub(super) allowed: Duration,
    pub(super) latency: Duration,
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Caller")
    }
}

impl State {
    /// Numbers a call, lets happen what is planned just before it, and finds its fault.
    fn begin(&mut self, op: Op) -> Begun {
        self.calls += 1;
        let count = self.counts.entry(op).or_default();
        *count += 1;
        let (nth, total) = (*count, self.calls as usize);
        if !self.settings.faults.incidents.is_empty() {
            let due = |when: &When| *when == When::Call(op, nth) || *when == When::AnyCall(total);
            let incidents = std::mem::take(&mut self.settings.faults.incidents);
            let (now, later) = incidents.into_iter().partition(|(when, _)| due(when));
            self.settings.faults.incidents = later;
            let now: Vec<_> = now;
            now.into_iter().for_each(|(_, incident)| self.befall(incident));
        }
        let placed = self.settings.faults.placed.iter().find(|(o, n, _)| *o == op && *n == nth).map(|(_, _, f)| *f);
        let refused = self.refused.iter().find(|(o, _)| *o == op).map(|(_, reason)| Fault::Fail(*reason));
        let allowed = self.settings.call_deadline;
        Begun {
            number: self.calls,
            fault: placed.or(refused),
            deadline: Instant::now() + allowed,
            allowed,
            latency: self.settings.latency,
        }
    }
}

impl State {
    fn reach<T>(&mut self, op: Op, endpoint: &str, serve: &mut impl FnMut(&mut Self, usize) -> Attempt<T>) -> Reached<T> {
        let Some(node) = self.node_at(endpoint) else { return Reached::Nobody };
        if self.nodes[node].hidden {
            Reached::Vanished
        } else if !self.nodes[node].client_open {
            Reached::Nobody
        } else if op != Op::Status && self.sees_itself_learner(node) {
            Reached::Answered(Attempt::Done(Err(NOT_FOR_LEARNER)))
        } else {
            Reached::Answered(serve(self, node))
        }
    }
}

impl Caller {
    /// Begins a call; never returns where a crash point says so.
    pub(super) async fn begin(&self, op: Op) -> Begun {
        let begun = self.shared.with(|s| s.begin(op));
        self.shared.crash(begun.number, Moment::Before).await;
        begun
    }

    /// Ends a call; never returns where a crash point says so.
    pub(super) async fn end(&self, begun: &Begun, op: Op, endpoint: &str, error: Option<Reason>) {
        self.shared.with(|s| {
            let at = s.elapsed();
            s.trace.push(Call { number: begun.number, at, op, endpoint: endpoint.to_owned(), error });
        });
        self.shared.crash(begun.number, Moment::After).await;
    }

    /// One call to the client port at `endpoint`. `serve` is asked until it is done; `late` is what arrives where a fault
    /// delays the request beyond the deadline.
    pub(super) async fn call<T>(
        &self,
        op: Op,
        endpoint: &str,
        late: Option<Proposal>,
        serve: impl FnMut(&mut State, usize) -> Attempt<T>,
    ) -> Result<T> {
        let begun = self.begin(op).await;
        let result = self.disturbed(&begun, op, endpoint, late, serve).await;
        self.end(&begun, op, endpoint, result.as_ref().err().map(|e| e.reason)).await;
        result
    }

    async fn disturbed<T>(
        &self,
        begun: &Begun,
        op: Op,
        endpoint: &str,
        late: Option<Proposal>,
        serve: impl FnMut(&mut State, usize) -> Attempt<T>,
    ) -> Result<T> {
        let lost = || answers::deadline(begun.allowed, endpoint);
        match begun.fault {
            Some(Fault::Fail(reason)) => {
                sleep(begun.latency).await;
                return Err(answers::of(reason, endpoint));
            }
            Some(Fault::Delay(delay)) if delay < begun.allowed => sleep(delay).await,
            Some(Fault::AppliedLate(delay) | Fault::Delay(delay)) => {
                self.shared.with(|s| {
                    if let (Some(proposal), Some(node)) = (late, s.node_at(endpoint)) {
                        let node = s.nodes[node].name.clone();
                        s.schedule(delay, Pending::Late { node, proposal });
                    }
                });
                sleep_until(begun.deadline).await;
                return Err(lost());
            }
            _ => {}
        }
        sleep(begun.latency).await;
        let result = self.served(begun, op, endpoint, serve).await;
        match begun.fault {
            Some(Fault::AnswerLost) => {
                sleep_until(begun.deadline).await;
                Err(lost())
            }
            Some(Fault::ConnectionLost) => Err(answers::broken(endpoint)),
            Some(Fault::DelayAnswer(delay)) => {
                let at = Instant::now() + delay;
                sleep_until(at.min(begun.deadline)).await;
                if at < begun.deadline { result } else { Err(lost()) }
            }
            _ => result,
        }
    }

    /// The request reaches the node, or nobody.
    async fn served<T>(
        &self,
        begun: &Begun,
        op: Op,
        endpoint: &str,
        mut serve: impl FnMut(&mut State, usize) -> Attempt<T>,
    ) -> Result<T> {
        let arrived = Instant::now();
        let patience = self.shared.with(|s| s.settings.request_timeout());
        let gives_up = arrived + patience;
        let mut refusal = TIMED_OUT;
        loop {
            let (reached, mut wait) = self.shared.with(|s| (s.reach(op, endpoint, &mut serve), s.next_event()));
            match reached {
                Reached::Answered(Attempt::Done(done)) => return done.map_err(|text| answers::etcd(text, endpoint)),
                Reached::Answered(Attempt::Wait) => {}
                Reached::Answered(Attempt::Soon(soon, text)) => {
                    refusal = text;
                    wait = Some(wait.map_or(soon, |next| next.min(soon)));
                }
                Reached::Nobody if Instant::now() > arrived => return Err(answers::broken(endpoint)),
                Reached::Nobody => return Err(answers::refused(endpoint)),
                Reached::Vanished => {
                    sleep_until(begun.deadline).await;
                    return Err(answers::deadline(begun.allowed, endpoint));
                }
            }
            // tokio's timer counts whole milliseconds: round up, or this would look again without any time passing.
            let wake = wait.map_or(gives_up, |w| (Instant::now() + w + Duration::from_millis(1)).min(gives_up));
            sleep_until(wake.min(begun.deadline)).await;
            if Instant::now() >= begun.deadline {
                return Err(answers::deadline(begun.allowed, endpoint));
            }
            if Instant::now() >= gives_up {
                return Err(answers::etcd(refusal, endpoint));
            }
        }
    }

    /// One call that changes the member list.
    async fn change(&self, op: Op, endpoint: &str, change: Change) -> Result<MemberId> {
        let proposal = Proposal { change, by: By::Runner };
        let mut ticket = None;
        self.call(op, endpoint, Some(proposal.clone()), |s, node| {
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

impl SimulatedCluster {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { caller: Caller { shared } }
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

    async fn alarms(&self, endpoint: &str) -> Result<Vec<Alarm>> {
        self.caller.call(Op::Alarms, endpoint, None, |s, node| s.through(node, |s| s.alarms.clone())).await
    }

    async fn add_learner(&self, endpoint: &str, peer_urls: &[String]) -> Result<MemberId> {
        self.caller.change(Op::AddLearner, endpoint, Change::Add(peer_urls.to_vec())).await
    }

    async fn promote(&self, endpoint: &str, id: MemberId) -> Result<()> {
        self.caller.change(Op::Promote, endpoint, Change::Promote(id)).await.map(drop)
    }

    async fn remove(&self, endpoint: &str, id: MemberId) -> Result<()> {
        self.caller.change(Op::Remove, endpoint, Change::Remove(id)).await.map(drop)
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

    async fn metrics(&self, metrics_url: &str) -> Result<MemberMetrics> {
        let begun = self.caller.begin(Op::Metrics).await;
        sleep(begun.latency).await;
        let fault = begun.fault.map(|fault| match fault {
            Fault::Fail(reason) => answers::of(reason, metrics_url),
            _ => answers::deadline(begun.allowed, metrics_url),
        });
        let result: Result<MemberMetrics, ClusterError> = match fault {
            Some(error) => Err(error),
            None => self.caller.shared.with(|s| {
                let node = s.nodes.iter().find(|n| n.metrics_url == metrics_url && n.raft());
                node.map(|n| n.metrics()).ok_or_else(|| answers::refused(metrics_url))
            }),
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
