//! How the member's etcd comes to life: as a process of this node, as a static pod, as a unit of
//! systemd, or by somebody else's hand.
//!
//! A process outlives the runner on purpose: Ctrl-C, a crash or `kill -9` of the runner must not take a cluster's member down.
//! So it has a session of its own, its output goes to a file, and it is found again by what it is (an etcd with our data
//! directory), not by a note of its process id that may lie.

use std::process::Command;

use crate::Problem;

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

mod config;
mod data_dir;
mod external;
mod flags;
mod log;
mod mark;
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

fn refuse(message: impl Into<String>, hints: &[&str]) -> Problem {
    Problem { message: message.into(), hints: hints.iter().map(|hint| (*hint).to_owned()).collect() }
}

/// What etcd takes over of runner's environment: where programs and the home directory are, the local time, and what Go's runtime and
/// resolver go by. `ETCD_UNSUPPORTED_ARCH` is no flag: etcd 3.4 does not run on arm64 without it.
const TAKEN_OVER: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "TMPDIR",
    "TZ",
    "LANG",
    "LC_ALL",
    "GODEBUG",
    "GOGC",
    "GOMAXPROCS",
    "GOMEMLIMIT",
    "GOTRACEBACK",
    "LOCALDOMAIN",
    "RES_OPTIONS",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "ETCD_UNSUPPORTED_ARCH",
];

/// Gives etcd no more of runner's environment than it needs. It reads every flag from there too, and ends when both say something; and
/// runner's may hold secrets of plugins, which a process that lives for years has no use for.
fn keep_environment_away(command: &mut Command) {
    let kept = TAKEN_OVER.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    command.env_clear().envs(kept);
}

/// Runs what blocks (files, processes) beside the runtime.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
