//! A Lease in memory with the API's rules, for tests: every write has its `resourceVersion`, and calls fail when they are told to.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use k8s_openapi::api::coordination::v1::Lease;

use super::LeaseStore;
use crate::kubernetes::ApiError;

/// The Lease of a simulated API server.
#[derive(Default)]
pub(crate) struct MemoryLease {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    lease: Option<Lease>,
    version: u64,
    calls: u64,
    /// From which call on the API is away, the first being 1, and whether what is written in that very call is kept.
    away: Option<(u64, bool)>,
}

impl MemoryLease {
    /// The API goes away in its call of this number and stays away. `applied`: that call still took effect, only its answer is lost.
    pub(crate) fn away_from(&self, call: u64, applied: bool) {
        self.lock().away = Some((call, applied));
    }

    /// The API is back.
    pub(crate) fn back(&self) {
        self.lock().away = None;
    }

    /// How many calls there were.
    pub(crate) fn calls(&self) -> u64 {
        self.lock().calls
    }

    /// The Lease now.
    pub(crate) fn lease(&self) -> Option<Lease> {
        self.lock().lease.clone()
    }

    /// Puts a Lease there, as somebody else would.
    pub(crate) fn put(&self, lease: Lease) {
        let mut state = self.lock();
        state.version += 1;
        state.lease = Some(versioned(lease, state.version));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call<T>(&self, work: impl FnOnce(&mut State) -> Result<T, ApiError>) -> Result<T, ApiError> {
        let mut state = self.lock();
        state.calls += 1;
        match state.away {
            Some((from, applied)) if state.calls >= from => {
                if applied && state.calls == from {
                    let _ = work(&mut state);
                }
                Err(ApiError::Unreachable { reason: "it is away".to_owned() })
            }
            _ => work(&mut state),
        }
    }
}

impl State {
    /// Refuses what is based on an old version.
    fn current(&self, seen: &Lease) -> Result<(), ApiError> {
        let what = "the Lease".to_owned();
        match &self.lease {
            None => Err(ApiError::NotFound { what }),
            Some(lease) if lease.metadata.resource_version != seen.metadata.resource_version => {
                Err(ApiError::Conflict { what, reason: "the object has been modified".to_owned() })
            }
            Some(_) => Ok(()),
        }
    }

    fn write(&mut self, lease: &Lease) -> Lease {
        self.version += 1;
        let lease = versioned(lease.clone(), self.version);
        self.lease = Some(lease.clone());
        lease
    }
}

fn versioned(mut lease: Lease, version: u64) -> Lease {
    lease.metadata.resource_version = Some(version.to_string());
    lease
}

#[async_trait]
impl LeaseStore for MemoryLease {
    async fn get(&self) -> Result<Option<Lease>, ApiError> {
        self.call(|state| Ok(state.lease.clone()))
    }

    async fn create(&self, lease: &Lease) -> Result<Lease, ApiError> {
        self.call(|state| match state.lease {
            Some(_) => Err(ApiError::Conflict { what: "the Lease".to_owned(), reason: "already exists".to_owned() }),
            None => Ok(state.write(lease)),
        })
    }

    async fn replace(&self, lease: &Lease) -> Result<Lease, ApiError> {
        self.call(|state| state.current(lease).map(|()| state.write(lease)))
    }

    async fn delete(&self, seen: &Lease) -> Result<(), ApiError> {
        self.call(|state| match state.current(seen) {
            Ok(()) => {
                state.lease = None;
                Ok(())
            }
            Err(ApiError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        })
    }

    fn try_anew(&self) {}
}
