//! What goes wrong on the Kubernetes side, told once a kind: the join goes on, so it must not be told a hundred times.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::ApiError;
use crate::event::{Event, EventKind, EventSink};
use crate::terms::Severity;

/// Tells warnings to a run's readers.
#[derive(Clone)]
pub struct Notices {
    sink: Arc<dyn EventSink>,
    told: Arc<Mutex<BTreeSet<String>>>,
}

impl Notices {
    /// What is told goes there. `sink` must not be the one that writes to Kubernetes.
    pub fn new(sink: Arc<dyn EventSink>) -> Self {
        Self { sink, told: Arc::default() }
    }

    /// Tells it, unless the same was told before.
    pub fn warn(&self, code: &str, message: String, remedy: Option<&str>) {
        let fresh = self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(format!("{code}: {message}"));
        if fresh {
            self.sink.emit(Event::now(EventKind::Finding {
                source: "runner".to_owned(),
                severity: Severity::Warning,
                code: code.to_owned(),
                message,
                remedy: remedy.map(str::to_owned),
                member: None,
                waived: None,
                monitored: false,
            }));
        }
    }

    /// Tells what the API's trouble means here. An API that cannot be reached is told once, whatever was asked of it.
    pub fn trouble(&self, meaning: &str, error: &ApiError) {
        if !(silent(error) && self.told(error)) {
            self.warn(error.code(), format!("{meaning}: {error}"), Some(error.hint()));
        }
    }

    /// Notes that this trouble is told by somebody else; says whether that an API cannot be reached had been told before.
    pub(super) fn told(&self, error: &ApiError) -> bool {
        silent(error) && !self.told.lock().unwrap_or_else(PoisonError::into_inner).insert("silent".to_owned())
    }
}

/// Whether nothing can be asked of the API at all.
fn silent(error: &ApiError) -> bool {
    matches!(error, ApiError::Unreachable { .. } | ApiError::Unusable { .. } | ApiError::NoWay { .. })
}
