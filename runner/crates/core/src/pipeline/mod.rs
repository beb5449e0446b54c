//! The join, step by step, over traits: runs unchanged over a real cluster and a simulated one.
//!
//! `discover → check → lock → add-learner → start-member → sync → promote → verify → announce`. Each step observes and then acts,
//! so that a run can be repeated from any point; [`execute`] is the order and what becomes of a failure.

pub use execute::{Operation, check_for_worker, check_only, execute};
pub use gate::{Opinion, Window};
pub use journal::{Journal, JournalError, JournalState, Peeked, Record};
pub use launcher::{DEFAULT_ELECTION_TIMEOUT, DataDir, Discard, Guarded, Identity, Launcher, MemberSpec, Running, Started};
pub use lock::{JoinLock, Queue};
pub use outcome::{Conclusion, Failure};
pub use plan::{Gate, JoinPlan, Timeouts};
pub use platform::Platform;
pub use policy::{Answer, Fault, Finding, Newcomer, Policy, Sample, Verdict};
pub use run::{Interrupt, Parts};
pub use start::{FromData, start_from_data};
pub use waiver::Waiver;

pub use crate::terms::{FailurePolicy, FaultKind, Mode, OnApprovalTimeout, Outcome, Severity, SilentLearner, StaleLearner};

pub mod adoption;
pub mod checks;

mod claim;
mod execute;
mod forecast;
mod gate;
mod journal;
mod launcher;
mod lock;
mod monitor;
mod outcome;
mod plan;
mod platform;
mod policy;
mod run;
mod start;
mod step;
mod steps;
mod versions;
mod waiver;
