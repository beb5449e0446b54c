//! etcd as a unit of this node's systemd.

pub use launcher::SystemdLauncher;

mod files;
mod launcher;
pub(super) mod systemctl;
mod unit;
