//! The runner itself, as a process.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{eventually, runner_bin};

/// How often a running runner's output is looked at: well below the time that a step takes.
const LOOK: Duration = Duration::from_millis(1);

/// A running runner. Killed when dropped.
pub struct Spawned {
    child: Child,
    stdout: Stream,
    stderr: Stream,
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

/// One of its output streams, read as it comes.
struct Stream {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

/// Starts the built runner with these arguments and no input. For more (environment, folder) use [`Spawned::start`].
pub fn spawn_runner<A: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = A>) -> Spawned {
    let mut command = Command::new(runner_bin());
    command.args(args);
    Spawned::start(command)
}

/// Makes a command see a system that trusts no CA, as minimal ones do.
pub fn trust_no_ca(command: &mut Command) {
    command.env("SSL_CERT_FILE", "/nonexistent").env("SSL_CERT_DIR", "/nonexistent");
}

impl Spawned {
    /// Starts a prepared command; its output is read as it comes, so that it never blocks.
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{command:?} does not start: {e}"));
        let stdout = Stream::of(child.stdout.take());
        let stderr = Stream::of(child.stderr.take());
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

    /// Whether it has ended, in whatever way.
    pub fn ended(&mut self) -> bool {
        self.child.try_wait().expect("a child of ours").is_some()
    }

    /// The events on standard output so far, for a run with `--output json`.
    pub fn events(&self) -> Vec<Value> {
        events(&self.stdout.text()).collect()
    }

    /// What it has written to standard error so far.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Waits for an event of this kind (and, unless `step` is empty, of this step) on standard output; panics with all that was
    /// said if the runner ends or `bound` passes before. Polls every millisecond, so that the next thing done to the runner
    /// comes right after the event.
    pub async fn event(&mut self, kind: &str, step: &str, bound: Duration) -> Value {
        let start = Instant::now();
        loop {
            // Before the look: what it said before it ended is there to be seen.
            let ended = self.child.try_wait().expect("a child of ours").is_some();
            if ended {
                self.stdout.end();
            }
            let text = self.stdout.text();
            let found = events(&text).find(|e| e["kind"] == kind && (step.is_empty() || e["step"] == step));
            if let Some(event) = found {
                return event;
            }
            let stderr = self.stderr.text();
            assert!(!ended, "ended without {kind} {step}\n--- stdout\n{text}\n--- stderr\n{stderr}");
            assert!(start.elapsed() < bound, "no {kind} {step}\n--- stdout\n{text}\n--- stderr\n{stderr}");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits for its end; panics (and kills it) after `bound`.
    pub async fn finish(mut self, bound: Duration) -> Finished {
        let ask = async || self.child.try_wait().map_err(|e| e.to_string())?.ok_or_else(|| "it still runs".to_owned());
        let status = eventually("the runner to end", bound, ask).await;
        self.stdout.end();
        self.stderr.end();
        Finished { status, stdout: self.stdout.text(), stderr: self.stderr.text() }
    }

    /// `kill -9`, and waits for it.
    pub fn kill(mut self) -> Finished {
        self.child.kill().expect("it was not waited for yet");
        let status = self.child.wait().expect("a child of ours");
        self.stdout.end();
        self.stderr.end();
        Finished { status, stdout: self.stdout.text(), stderr: self.stderr.text() }
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

    /// The events on standard output, for a run with `--output json`.
    pub fn events(&self) -> Vec<Value> {
        events(&self.stdout).collect()
    }

    /// The events of this kind.
    pub fn events_of(&self, kind: &str) -> Vec<Value> {
        events(&self.stdout).filter(|e| e["kind"] == kind).collect()
    }
}

impl Stream {
    fn of(from: Option<impl Read + Send + 'static>) -> Self {
        let bytes = Arc::<Mutex<Vec<u8>>>::default();
        let ours = Arc::clone(&bytes);
        let reader = from.map(|mut from| {
            std::thread::spawn(move || {
                let mut piece = [0; 8192];
                while let Ok(n @ 1..) = from.read(&mut piece) {
                    ours.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&piece[..n]);
                }
            })
        });
        Self { bytes, reader }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// Waits until everything is read. Only after the process has ended.
    fn end(&mut self) {
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

/// The whole lines that are JSON.
fn events(text: &str) -> impl Iterator<Item = Value> + '_ {
    text.split_inclusive('\n').filter(|line| line.ends_with('\n')).filter_map(|line| serde_json::from_str(line).ok())
}
