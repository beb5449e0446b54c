//! The Lease by which Kubernetes sees who is joining: taken, renewed in the background, given up.
//!
//! It is no fence, like any lock with a time: etcd's own lock is the one that a join depends on. So nothing here fails a join; what
//! goes wrong is told to whoever asks.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::ApiError;
use super::notices::Notices;
use crate::clock;
use crate::pipeline::Queue;
pub use holder::Holder;
use record::{Decision, Identity, Observer};
pub use store::{ApiLease, LeaseStore};

mod holder;
#[cfg(test)]
pub(super) mod memory;
mod record;
mod store;

/// How often it is renewed: three tries fit into its time.
const RENEW_EVERY: Duration = Duration::from_secs(4);
/// How soon a failed renewal is tried again.
const RENEW_AGAIN: Duration = Duration::from_millis(1500);
/// So many times in a row somebody else may be quicker.
const TRIES: usize = 3;

/// How a try to take the Lease came out.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tried {
    /// It is ours, and is renewed from now on.
    Ours,
    /// Somebody has it.
    Held(Queue),
}

/// The Lease of one run.
pub(super) struct JoinLease {
    store: Arc<dyn LeaseStore>,
    place: (String, String),
    us: Identity,
    notices: Notices,
    state: tokio::sync::Mutex<State>,
}

#[derive(Default)]
struct State {
    observer: Observer,
    /// Whether the Lease may be ours: we have it, or a write of ours had no answer, or an earlier runner of this run may have left it.
    maybe_ours: bool,
    keeper: Option<Keeper>,
}

/// What renews the Lease; ends when it is dropped.
struct Keeper(JoinHandle<()>);

impl JoinLease {
    /// The Lease of this namespace and name, for this run and node. Asks nothing yet. `resumed`: an earlier runner of this run may
    /// have left it.
    pub(super) fn new(
        store: Arc<dyn LeaseStore>,
        place: (String, String),
        run: String,
        node: String,
        resumed: bool,
        notices: Notices,
    ) -> Self {
        let state = State { maybe_ours: resumed, ..State::default() };
        Self { store, place, us: Identity { run, node }, notices, state: tokio::sync::Mutex::new(state) }
    }

    /// Takes the Lease, if it is free, ours, or its holder has not renewed it for its time.
    pub(super) async fn try_acquire(&self) -> Result<Tried, ApiError> {
        let mut state = self.state.lock().await;
        for _ in 0..TRIES {
            let seen = self.store.get().await?;
            let wall = clock::now();
            let decision = match &seen {
                None => Decision::Free,
                Some(lease) => state.observer.decide(lease, &self.us, Instant::now(), wall),
            };
            if let Decision::Held(queue) = decision {
                return Ok(Tried::Held(queue));
            }
            // From here on a lost answer may have made it ours.
            state.maybe_ours = true;
            let written = match seen {
                None => self.store.create(&record::made(&self.place.0, &self.place.1, &self.us, wall)).await,
                Some(lease) if decision == Decision::Ours => self.store.replace(&record::renewed(lease, wall)).await,
                Some(lease) => self.store.replace(&record::taken(lease, &self.us, wall)).await,
            };
            match written {
                Ok(lease) => {
                    if let Decision::Expired(before) = decision {
                        self.tell_taken_over(&before);
                    }
                    state.keeper = Some(self.keep(lease));
                    return Ok(Tried::Ours);
                }
                // Somebody was quicker: look again.
                Err(ApiError::Conflict { .. } | ApiError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let what = format!("the Lease {}/{}", self.place.0, self.place.1);
        Err(ApiError::Conflict { what, reason: "several others want it at once".to_owned() })
    }

    /// Gives the Lease up, if it is or may be ours: removes one that a runner has made, clears the holder of any other.
    ///
    /// Asks nothing where it cannot be ours. Nothing to give up is success, and so is a Lease that somebody else has by now.
    pub(super) async fn release(&self) -> Result<(), ApiError> {
        let mut state = self.state.lock().await;
        // First, or the renewal would get in between.
        state.keeper = None;
        if !state.maybe_ours {
            return Ok(());
        }
        self.store.try_anew();
        for _ in 0..TRIES {
            let Some(lease) = self.store.get().await? else { break };
            let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref());
            if holder != Some(self.us.text().as_str()) {
                break;
            }
            let given_up = match record::made_by_a_runner(&lease) {
                true => match self.store.delete(&lease).await {
                    // Whoever may not delete may still clear.
                    Err(ApiError::Denied { .. }) => self.clear(lease).await,
                    other => other,
                },
                false => self.clear(lease).await,
            };
            match given_up {
                Ok(()) => break,
                // A renewal of ours that was still under way, or somebody at the metadata.
                Err(ApiError::Conflict { .. } | ApiError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        state.maybe_ours = false;
        Ok(())
    }

    async fn clear(&self, lease: Lease) -> Result<(), ApiError> {
        self.store.replace(&record::cleared(lease, clock::now())).await.map(drop)
    }

    fn keep(&self, lease: Lease) -> Keeper {
        Keeper(tokio::spawn(renew(Arc::clone(&self.store), lease, self.us.clone(), self.notices.clone())))
    }

    fn tell_taken_over(&self, before: &Queue) {
        let (namespace, name) = &self.place;
        let text = format!(
            "the Lease {namespace}/{name} of {} (run {}) was not renewed for its time, and is taken over",
            before.node, before.run
        );
        let remedy = "if that run was to go on: `runner resume` on its node";
        self.notices.warn("lease-taken-over", text, Some(remedy));
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Renews the Lease until it is somebody else's, or the task is ended.
async fn renew(store: Arc<dyn LeaseStore>, mut lease: Lease, us: Identity, notices: Notices) {
    let mut pause = RENEW_EVERY;
    loop {
        sleep(pause).await;
        // What silenced the API for others must not cost the Lease.
        store.try_anew();
        let renewed = match store.replace(&record::renewed(lease.clone(), clock::now())).await {
            // Somebody has changed it: whoever holds it decides.
            Err(ApiError::Conflict { .. }) => match store.get().await {
                Ok(Some(now)) if holder(&now) == us.text() => {
                    (lease, pause) = (now, Duration::ZERO);
                    continue;
                }
                Ok(now) => return lost(&notices, now.as_ref()),
                Err(error) => Err(error),
            },
            Err(ApiError::NotFound { .. }) => return lost(&notices, None),
            other => other,
        };
        match renewed {
            Ok(now) => (lease, pause) = (now, RENEW_EVERY),
            Err(error) => {
                notices.trouble("the join's Lease is not renewed; etcd's own lock holds on", &error);
                pause = RENEW_AGAIN;
            }
        }
    }
}

fn holder(lease: &Lease) -> &str {
    lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref()).unwrap_or_default()
}

fn lost(notices: &Notices, lease: Option<&Lease>) {
    let whose = match lease.map(holder) {
        None => "was removed by somebody".to_owned(),
        Some("") => "has no holder any more".to_owned(),
        Some(other) => format!("is {}'s now", crate::text::one_line(other, 100)),
    };
    let text = format!("the join's Lease {whose}; the join goes on, since etcd's own lock is held");
    notices.warn("lease-lost", text, Some("leave the Lease alone while a join is under way"));
}

#[cfg(test)]
mod tests;
