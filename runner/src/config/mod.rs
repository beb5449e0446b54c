//! Files that people write for runner: read, checked, and every mistake in them said with its place.

pub mod kubeadm;
pub mod policy;
pub mod profile;

mod explain;
mod mistake;
mod nearest;
mod spelled;
mod yaml;
