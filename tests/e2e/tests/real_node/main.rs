//! Real control planes on this machine, made by the real kubeadm and by runner: see `runner_harness::ControlPlane`.
//!
//! They need root and what `cargo xtask node` builds, which runs them all; `cargo xtask test` runs two of them where that is built already.

mod faults;
mod joins;
mod orders;
mod standins;

use runner_harness::{ControlPlane, Parts};

/// The newest Kubernetes that is built here.
const NEWEST: &str = "1.36";

/// So many nodes of this Kubernetes, the first of which is a cluster of one.
async fn begun(minor: &str, nodes: usize) -> ControlPlane {
    let plane = ControlPlane::of(&Parts::of(minor), nodes);
    plane.init().await;
    plane
}
