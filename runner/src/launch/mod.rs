//! How the member's etcd comes to life: as a process of this node, as a static pod, as a unit of
//! systemd, or by somebody else's hand.
//!
//! A process outlives the runner on purpose: Ctrl-C, a crash or `kill -9` of the runner must not take a cluster's member down.
//! So it has a session of its own, its output goes to a file, and it is found again by what it is (an etcd with our data
//! directory), not by a note of its process id that may lie.

use std::process::Command;

pub use config::{
    ExternalConfig, KUBELET_CONFIG, MANIFESTS_DIR, MemberConfig, MemberTls, ProcessConfig, StaticPodConfig, SystemdConfig,
    UNIT_DIR,
};
pub use external::{Announce, ExternalLauncher};
pub use process::ProcessLauncher;
pub use static_pod::{StaticPodLauncher, listen_client_urls};
pub use supervise::Ended;
pub use systemd::SystemdLauncher;
pub use version::EtcdVersion;

use crate::pipeline::LaunchError;

mod config;
mod data_dir;
mod external;
mod flags;
mod log;
mod preflight;
mod process;
mod procs;
mod program;
mod static_pod;
mod supervise;
mod systemd;
mod url;
mod version;
mod wal;

fn refuse(message: impl Into<String>, hints: &[&str]) -> LaunchError {
    LaunchError { message: message.into(), hints: hints.iter().map(|hint| (*hint).to_owned()).collect() }
}

/// etcd reads every flag from the environment too, and ends when both say something. `ETCD_UNSUPPORTED_ARCH` is no flag: etcd
/// 3.4 does not run on arm64 without it.
fn keep_environment_away(command: &mut Command) {
    let ours = std::env::vars_os().map(|(name, _)| name);
    for name in ours.filter(|n| n.as_encoded_bytes().starts_with(b"ETCD_") && n != "ETCD_UNSUPPORTED_ARCH") {
        command.env_remove(name);
    }
}

/// Runs what blocks (files, processes) beside the runtime.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
