//! runner takes a control-plane node's etcd member from "does not exist" to "healthy voter" the safe way, judged by sandboxed
//! WebAssembly plugins.

pub mod authoring;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod grants;
pub mod kubeadm;
pub mod kubernetes;
pub mod launch;
pub mod pki;
pub mod plugins;
pub mod recording;
pub mod report;
pub mod scenario;
pub mod seed;
pub mod supply;
pub mod surroundings;
pub mod tls;

pub use distribution::Distribution;
pub(crate) use runner_core::owned;
pub use runner_core::{Problem, clock, event, pipeline, terms, text};

mod distribution;
