//! Keeping the member in the foreground: for a service manager, a container, or a person who wants to see it end.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};

use super::{ProcessLauncher, refuse};
use crate::pipeline::LaunchError;

/// How the member ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this exit code.
    Code(i32),
    /// By this signal. etcd ends so after a SIGTERM that it obeyed, too.
    Signal(i32),
    /// Not known: another process than this one had started it.
    Unknown,
}

impl ProcessLauncher {
    /// Waits until the member ends, and hands SIGTERM, SIGINT and SIGHUP on to it meanwhile.
    ///
    /// Does not start it, does not restart it, and does not end it when the runner itself is killed. Fails where it does not
    /// run.
    pub async fn supervise(&self) -> Result<Ended, LaunchError> {
        let cannot = |e: std::io::Error| refuse(format!("cannot listen to signals: {e}"), &[]);
        let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
        let mut hang_up = signal(SignalKind::hangup()).map_err(cannot)?;
        let Some(process) = self.process().await? else {
            return match self.reap() {
                Some(status) => Ok(ended(Some(status))),
                None => Err(refuse("the member's etcd does not run", &[])),
            };
        };
        loop {
            tokio::select! {
                () = process.ended() => return Ok(ended(self.reap())),
                _ = terminate.recv() => process.signal(Signal::TERM)?,
                _ = interrupt.recv() => process.signal(Signal::INT)?,
                _ = hang_up.recv() => process.signal(Signal::HUP)?,
            }
        }
    }
}

fn ended(status: Option<ExitStatus>) -> Ended {
    match status.map(|status| (status.code(), status.signal())) {
        Some((Some(code), _)) => Ended::Code(code),
        Some((None, Some(signal))) => Ended::Signal(signal),
        _ => Ended::Unknown,
    }
}
