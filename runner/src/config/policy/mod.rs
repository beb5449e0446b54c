//! The policy file: which plugins judge a join, by which settings, grants and limits, and how patient the run is.
//!
//! YAML, one `JoinPolicy` document in a file; documents of other kinds (kubeadm's) may sit beside it and are passed over. Every
//! mistake is said with file, line, column and path, and an unknown key with the nearest one that there is.

pub use model::{
    ApiVersion, Digest, Gate, JoinPolicy, Limits, Metadata, Plugin, PluginName, Reason, Source, Spec, Timeouts, Until,
    Waiver,
};
pub use quantity::{Quantity, Span};
pub use read::{PassedOver, PolicyFile};
pub use schema::schema;

pub use super::mistake::{Mistake, Place};
pub use super::spelled::Spelled;
pub use super::yaml::MAX_SIZE;

mod model;
mod quantity;
mod read;
mod schema;
#[cfg(test)]
mod tests;
