//! The join, step by step, over traits: runs unchanged over a real cluster and a simulated one.

pub use launcher::{DataDir, LaunchError, Launcher, MemberSpec, Running};
pub use lock::{JoinLock, Queue};
pub use policy::{
    Answer, FailurePolicy, Fault, FaultKind, Finding, Newcomer, Policy, PolicyError, Sample, Severity, Verdict,
};

mod launcher;
mod lock;
mod policy;
