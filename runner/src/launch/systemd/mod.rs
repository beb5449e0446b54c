//! etcd as a unit of this node's systemd.

pub use launcher::SystemdLauncher;

mod files;
mod launcher;
mod systemctl;
mod unit;
