//! Made-up facts, a settable clock, a kept log and stand-ins for the capabilities, so that a plugin's logic is tested natively.
//!
//! ```
//! use runner_plugin::fake;
//!
//! let cluster = fake::Cluster::new()
//!     .member(fake::Member::voter("node-0").version("3.5.16").leader())
//!     .member(fake::Member::voter("node-1").unreachable())
//!     .build();
//! assert_eq!(cluster.leader().unwrap().name(), "node-0");
//! assert_eq!((cluster.quorum(), cluster.fault_tolerance()), (2, 0));
//! ```
//!
//! [`http`], [`random`], [`kubernetes`], [`probes`], [`etcd`] and [`secrets`] hold what the module of the same name at the root of
//! this crate answers.
//!
//! Not in components. All that is set belongs to the thread, so tests that run side by side do not see each other's.

use std::cell::{Cell, RefCell};

pub use cluster::{Cluster, Member, Newcomer};
pub use samples::{Sample, Samples};

use crate::log::Level;

pub mod etcd;
pub mod http;
pub mod kubernetes;
pub mod probes;
pub mod random;
pub mod secrets;

mod cluster;
mod samples;
mod script;
mod selector;

/// What [`crate::facts`] wraps.
pub(crate) mod source {
    pub(crate) use super::cluster::source::{Cluster, Member, Newcomer};
    pub(crate) use super::samples::source::Samples;
}

/// When made-up facts happen unless they say otherwise: 2027-01-15T08:00:00Z, in milliseconds since 1970.
pub const START_MS: u64 = 1_800_000_000_000;

thread_local! {
    static NOW_MS: Cell<u64> = const { Cell::new(START_MS) };
    static LOG: RefCell<Vec<(Level, String)>> = const { RefCell::new(Vec::new()) };
}

/// Sets what [`clock::now_ms`](crate::clock::now_ms) answers in this thread, [`START_MS`] before the first call.
pub fn set_now_ms(now_ms: u64) {
    NOW_MS.set(now_ms);
}

/// Lets so much time pass for this thread.
pub fn advance_ms(ms: u64) {
    NOW_MS.set(NOW_MS.get().saturating_add(ms));
}

/// Takes what was logged in this thread since the last call, oldest first.
pub fn take_log() -> Vec<(Level, String)> {
    LOG.take()
}

pub(crate) fn now_ms() -> u64 {
    NOW_MS.get()
}

pub(crate) fn keep_log(level: Level, message: String) {
    LOG.with_borrow_mut(|log| log.push((level, message)));
}

#[cfg(test)]
mod tests {
    use crate::{clock, log};

    use super::*;

    #[test]
    fn the_log_is_taken_once() {
        log::warn("one");
        log::debug("two");
        assert_eq!(take_log(), [(Level::Warn, "one".to_owned()), (Level::Debug, "two".to_owned())]);
        assert_eq!(take_log(), []);
    }

    #[test]
    fn the_clock_stands_where_it_was_set() {
        assert_eq!(clock::now_ms(), START_MS);
        set_now_ms(5);
        assert_eq!(clock::now_ms(), 5);
    }
}
