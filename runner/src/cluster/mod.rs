//! What an etcd cluster is, from `runner-core`; and the real one.

pub use runner_core::cluster::*;

pub mod etcd;
