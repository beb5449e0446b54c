//! Keeping the member in the foreground: for a service manager, a container, or a person who wants to see it end.

use std::os::unix::process::ExitStatusExt;

use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};

use super::procs::Process;
use super::{ProcessLauncher, refuse};
use crate::Problem;

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
    pub async fn supervise(&self) -> Result<Ended, Problem> {
        let cannot = |e: std::io::Error| refuse(format!("cannot listen to signals: {e}"), &[]);
        let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
        let mut hang_up = signal(SignalKind::hangup()).map_err(cannot)?;
        let Some(process) = self.process().await? else {
            return match self.reap() {
                Some(status) => Ok(ended(status.code(), status.signal())),
                None => Err(refuse("the member's etcd does not run", &[])),
            };
        };
        loop {
            tokio::select! {
                () = process.ended() => return Ok(self.how(&process)),
                _ = terminate.recv() => process.signal(Signal::TERM)?,
                _ = interrupt.recv() => process.signal(Signal::INT)?,
                _ = hang_up.recv() => process.signal(Signal::HUP)?,
            }
        }
    }

    fn how(&self, process: &Process) -> Ended {
        match (self.reap(), process.status()) {
            (Some(status), _) => ended(status.code(), status.signal()),
            // A child of this process, but started through another launcher of the same member.
            (None, Some(status)) => ended(status.exit_status(), status.terminating_signal()),
            (None, None) => Ended::Unknown,
        }
    }
}

fn ended(code: Option<i32>, signal: Option<i32>) -> Ended {
    match (code, signal) {
        (Some(code), _) => Ended::Code(code),
        (None, Some(signal)) => Ended::Signal(signal),
        (None, None) => Ended::Unknown,
    }
}
