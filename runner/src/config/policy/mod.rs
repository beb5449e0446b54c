//! The policy file: which plugins judge a join, by which settings, grants and limits, and how patient the run is.
//!
//! YAML, one `JoinPolicy` document in a file; documents of other kinds (kubeadm's) may sit beside it and are passed over. Every
//! mistake is said with file, line, column and path, and an unknown key with the nearest one that there is.

pub use error::{Mistake, Place};
pub use model::{
    Digest, FailurePolicy, Gate, JoinPolicy, Limits, Metadata, Mode, OnApprovalTimeout, Plugin, PluginName, Reason, Source,
    Spec, StaleLearner, Timeouts, Until, Waiver,
};
pub use quantity::{Quantity, Span};
pub use read::{MAX_SIZE, PassedOver, PolicyFile};
pub use schema::schema;

mod error;
mod model;
mod names;
mod nearest;
mod quantity;
mod read;
mod schema;
#[cfg(test)]
mod tests;
mod yaml;
