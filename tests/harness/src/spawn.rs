//! The runner itself, as a process.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::{eventually, runner_bin};

/// A running runner. Killed when dropped.
pub struct Spawned {
    child: Child,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
}

/// A runner that has ended.
#[derive(Debug)]
pub struct Finished {
    /// How.
    pub status: ExitStatus,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

/// Starts the built runner with these arguments and no input. For more (environment, folder) use [`Spawned::start`].
pub fn spawn_runner<A: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = A>) -> Spawned {
    let mut command = Command::new(runner_bin());
    command.args(args);
    Spawned::start(command)
}

impl Spawned {
    /// Starts a prepared command; its output is read as it comes, so that it never blocks.
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{command:?} does not start: {e}"));
        let stdout = child.stdout.take().map(read);
        let stderr = child.stderr.take().map(read);
        Self { child, stdout, stderr }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it was not waited for yet");
    }

    /// Waits for its end; panics (and kills it) after `bound`.
    pub async fn finish(mut self, bound: Duration) -> Finished {
        let ask = async || self.child.try_wait().map_err(|e| e.to_string())?.ok_or_else(|| "it still runs".to_owned());
        let status = eventually("the runner to end", bound, ask).await;
        Finished { status, stdout: join(self.stdout.take()), stderr: join(self.stderr.take()) }
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Finished {
    /// The exit code; none after a signal.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Panics with everything it said unless it ended with this code.
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code(), Some(code), "\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }
}

fn read(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn join(reader: Option<JoinHandle<String>>) -> String {
    reader.and_then(|r| r.join().ok()).unwrap_or_default()
}
