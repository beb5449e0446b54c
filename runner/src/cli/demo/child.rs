//! runner's own commands as processes of their own, as they would be on another node.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Command;

use super::super::{Frame, Output};
use crate::pipeline::{Failure, Interrupt, Outcome};
use crate::report::ColorChoice;

/// Starts this very program with other arguments.
pub(super) struct Children {
    program: PathBuf,
    /// The output format, colour and verbosity that the demo itself was asked for.
    global: Vec<OsString>,
    cache: PathBuf,
    interrupt: Interrupt,
}

impl Children {
    /// They keep compiled plugins in `cache`: in the user's own they would stay behind.
    pub(super) fn new(frame: &Frame, cache: PathBuf, interrupt: Interrupt) -> Result<Self, Failure> {
        let program = std::env::current_exe()
            .map_err(|e| Failure::new(Outcome::RolledBack, format!("cannot find this program's own file: {e}")))?;
        let mut global: Vec<OsString> = vec!["--color".into()];
        global.push(match frame.global.color {
            ColorChoice::Auto => "auto".into(),
            ColorChoice::Always => "always".into(),
            ColorChoice::Never => "never".into(),
        });
        if frame.global.output == Output::Json {
            global.extend(["--output".into(), "json".into()]);
        }
        global.extend((0..frame.global.verbose).map(|_| "--verbose".into()));
        Ok(Self { program, global, cache, interrupt })
    }

    /// Runs a command to its end and returns its exit status. Its stderr is ours, its stdout too where `stdout`.
    ///
    /// An interrupt of ours is passed on, once each, and its own clean-up is waited for. It does not get those from the terminal
    /// itself: it would take the second, which comes from us, for an impatient one.
    pub(super) async fn run(&self, args: Vec<OsString>, stdout: bool) -> Result<Option<u8>, Failure> {
        let cannot =
            |e: std::io::Error| Failure::new(Outcome::RolledBack, format!("cannot run {}: {e}", self.program.display()));
        let mut command = Command::new(&self.program);
        command.args(args).args(&self.global).stdin(Stdio::null()).process_group(0);
        command.stdout(if stdout { Stdio::inherit() } else { Stdio::null() });
        // The user's own cluster is none of the demo's.
        let foreign = |name: &str| name.starts_with("ETCDCTL_") || (name.starts_with("RUNNER_") && name != "RUNNER_LOG");
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(foreign)) {
            command.env_remove(name);
        }
        command.env("RUNNER_CACHE_DIR", &self.cache);
        let mut child = command.spawn().map_err(cannot)?;
        let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let tell = || {
            // It is our child and not waited for yet: the id is its own. Where it has just ended, nothing is lost.
            let _ = pid.map(|pid| kill_process(pid, Signal::TERM));
        };
        let (mut undo, mut leave) = (false, false);
        loop {
            tokio::select! {
                ended = child.wait() => {
                    let status = ended.map_err(cannot)?;
                    if undo {
                        return Err(Failure::interrupted());
                    }
                    return Ok(status.code().and_then(|code| u8::try_from(code).ok()));
                }
                () = self.interrupt.undo.cancelled(), if !undo => { undo = true; tell(); }
                () = self.interrupt.leave.cancelled(), if !leave => { leave = true; tell(); }
            }
        }
    }
}
