//! Real control planes on this machine, made by the real kubeadm and by runner: see `runner_harness::ControlPlane`.
//!
//! They need root and what `cargo xtask node` builds, which runs them all; `cargo xtask test` runs two of them where that is built already.

mod faults;
mod joins;
mod orders;
mod standins;
