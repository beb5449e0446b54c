//! One call on its way: numbering, faults, latency, deadline, crash points.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::answers::{self, NOT_FOR_LEARNER, TIMED_OUT};
use super::faults::{Fault, Op, When};
use super::members::Proposal;
use super::state::{Pending, State};
use super::{Call, Moment, Shared};
use runner_core::cluster::{Reason, Result};

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
}
