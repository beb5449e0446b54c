//! The join lock of a simulated cluster: a queue of places, each kept alive by its runner, in virtual time.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::Shared;
use super::answers::{CORRUPT, NO_SPACE};
use super::calls::{Attempt, Caller};
use super::faults::Op;
use super::state::State;
use runner_core::cluster::{AlarmKind, Result};
use runner_core::pipeline::{JoinLock, Queue};

/// One run's place in the queue.
#[derive(Clone, Debug)]
pub(super) struct Place {
    run: String,
    node: String,
    /// Since when it has been first; for the others, since when it has waited.
    since: Duration,
    /// Handles that keep it alive: those that have asked for it.
    keepers: Vec<u64>,
    /// When it ends; none while somebody keeps it alive.
    expires: Option<Duration>,
}

/// The join lock, in memory. Every call needs a voter that reaches a quorum, as the real one does.
///
/// It needs no background task: from its first [`try_acquire`](JoinLock::try_acquire) a handle keeps the run's place alive while
/// it exists, and from the moment when it is dropped (the runner is gone) the place lives for the lock's time to live. It does not
/// end because the cluster was out of reach for long: for that there is [`Incident::LockLost`](super::Incident::LockLost).
#[derive(Debug)]
pub struct SimulatedLock {
    caller: Caller,
    handle: u64,
    run: String,
    node: String,
}

impl SimulatedLock {
    pub(super) fn new(shared: Arc<Shared>, run: &str, node: &str) -> Self {
        let handle = shared.with(|state| {
            state.tickets += 1;
            state.tickets
        });
        Self { caller: Caller { shared }, handle, run: run.to_owned(), node: node.to_owned() }
    }
}

impl Drop for SimulatedLock {
    fn drop(&mut self) {
        self.caller.shared.with(|state| {
            let expires = state.now + state.settings.lock_ttl;
            for place in state.places.iter_mut().filter(|p| p.keepers.contains(&self.handle)) {
                place.keepers.retain(|keeper| *keeper != self.handle);
                if place.keepers.is_empty() {
                    place.expires = Some(expires);
                }
            }
        });
    }
}

#[async_trait]
impl JoinLock for SimulatedLock {
    async fn try_acquire(&self, endpoint: &str) -> Result<Option<Queue>> {
        self.caller
            .call(Op::Acquire, endpoint, None, |s, node| match s.alarm() {
                Some(text) => Attempt::Done(Err(text)),
                None => s.through(node, |s| s.acquire(self.handle, &self.run, &self.node)),
            })
            .await
    }

    async fn held(&self, endpoint: &str) -> Result<bool> {
        self.caller.call(Op::Held, endpoint, None, |s, node| s.through(node, |s| s.holder() == Some(&self.run))).await
    }

    async fn waited_for(&self, endpoint: &str) -> Result<bool> {
        let last = |s: &mut State| s.places.last().is_some_and(|place| place.run != self.run);
        self.caller.call(Op::WaitedFor, endpoint, None, |s, node| s.through(node, last)).await
    }

    fn lost(&self) -> bool {
        self.caller.shared.with(|s| {
            s.expire();
            s.lost.contains(&self.run) && s.places.iter().all(|place| place.run != self.run)
        })
    }

    async fn release(&self, endpoint: &str) -> Result<()> {
        self.caller.call(Op::Release, endpoint, None, |s, node| s.through(node, |s| s.leave(&self.run))).await
    }
}

impl State {
    /// Something that needs consensus, at this node.
    pub(super) fn through<T>(&mut self, node: usize, deed: impl FnOnce(&mut Self) -> T) -> Attempt<T> {
        if self.serves(node) { Attempt::Done(Ok(deed(self))) } else { Attempt::Wait }
    }

    /// What a write is refused with while an alarm is raised.
    pub(super) fn alarm(&self) -> Option<&'static str> {
        self.alarms.iter().find_map(|a| match a.kind {
            AlarmKind::Nospace => Some(NO_SPACE),
            AlarmKind::Corrupt => Some(CORRUPT),
            AlarmKind::Unknown => None,
        })
    }

    fn acquire(&mut self, handle: u64, run: &str, node: &str) -> Option<Queue> {
        self.expire();
        let at = self.places.iter().position(|p| p.run == run).unwrap_or_else(|| {
            self.places.push(Place {
                run: run.to_owned(),
                node: node.to_owned(),
                since: self.now,
                keepers: Vec::new(),
                expires: None,
            });
            self.places.len() - 1
        });
        // Whoever finds its place keeps it alive again.
        let place = &mut self.places[at];
        place.expires = None;
        if !place.keepers.contains(&handle) {
            place.keepers.push(handle);
        }
        if at == 0 {
            return None;
        }
        let first = &self.places[0];
        Some(Queue {
            run: first.run.clone(),
            node: first.node.clone(),
            age: self.now.saturating_sub(first.since),
            before: at,
        })
    }

    /// The run that holds the lock.
    pub(super) fn holder(&mut self) -> Option<&String> {
        self.expire();
        self.places.first().map(|p| &p.run)
    }

    fn leave(&mut self, run: &str) {
        self.drop_places(|p| p.run == run);
    }

    /// The holder's lease ends.
    pub(super) fn lose_lock(&mut self) {
        if let Some(run) = self.holder().cloned() {
            self.leave(&run);
            self.lost.push(run);
        }
    }

    fn expire(&mut self) {
        let now = self.now;
        self.drop_places(|p| p.expires.is_some_and(|at| at <= now));
    }

    fn drop_places(&mut self, gone: impl Fn(&Place) -> bool) {
        let holder = self.places.first().map(|p| p.run.clone());
        self.places.retain(|p| !gone(p));
        if let Some(first) = self.places.first_mut().filter(|p| Some(&p.run) != holder.as_ref()) {
            first.since = self.now;
        }
    }
}
