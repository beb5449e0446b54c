//! The cluster's side of a join: where etcd is found, whether the nodes are ready, who else is joining, and who is told.
//!
//! Nothing here is needed for membership work: an API server that is away costs a warning and a few seconds, never a join, a
//! resume or a rollback.

pub use api::{Api, Change, Kind};
pub use discovery::{ADVERTISE_CLIENT_URLS, EtcdPods, discover};
pub use error::ApiError;
pub(crate) use exchange::{Broken, exchange, words};
pub use herald::Entry;
pub use joins::{Joins, joins};
pub use kubeadm_config::cluster_configuration;
pub use lease::Holder;
pub use locks::Locks;
pub use names::{CONTROL_PLANE, CONTROLLER, KUBE_SYSTEM, Names};
pub use notices::Notices;
pub use side::{Settings, Side};

pub mod client;
pub mod lease;
pub mod rbac;

mod api;
mod discovery;
mod error;
mod exchange;
mod herald;
mod joins;
mod kubeadm_config;
mod locks;
mod names;
mod nodes;
mod notices;
mod side;
#[cfg(test)]
mod simulated;
mod time;
