//! The cluster's side of a join: where etcd is found, whether the nodes are ready, who else is joining, and who is told.
//!
//! Nothing here is needed for membership work: an API server that is away costs a warning and a few seconds, never a join, a
//! resume or a rollback.

pub use api::{Api, Change, Kind};
pub use error::ApiError;
pub(crate) use exchange::{Broken, exchange, words};

pub mod client;

mod api;
mod error;
mod exchange;
