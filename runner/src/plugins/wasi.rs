//! The empty world of a guest that imports WASI 0.2 out of habit: no files, no sockets, no arguments, no environment. Clock and
//! randomness come from the host, and what is written to stdout and stderr goes into the plugin's log.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWrite;
use tokio::time::Instant;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};
use wasmtime_wasi::random::Deterministic;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx};

use super::limits::{Hit, Limits};
use super::log::GuestLog;
use crate::terms::LogLevel;

/// The most that one write to stdout or stderr may hand over, as in wasmtime's own streams.
const MAX_WRITE: usize = 64 << 10;

/// The most random bytes that a guest may ask for at once. A seed needs 32.
const MAX_RANDOM: u64 = 64 << 10;

/// Longest unfinished line that is kept; the log cuts lines long before.
const MAX_LINE: usize = 8 << 10;

/// What the host keeps of an empty world, to read it after the call.
pub(super) struct Outputs {
    stdout: Output,
    stderr: Output,
    tape: Arc<Mutex<Tape>>,
}

/// What the clocks showed in a call, so that they can show it again.
#[derive(Default)]
struct Tape {
    /// What they show next, in nanoseconds since the call began; then they go by themselves.
    next: VecDeque<u64>,
    /// What they have shown.
    shown: Vec<u64>,
}

/// So many looks at a clock are kept. A guest that starts looks a few times; one that waits by looking is not replayed beyond.
const MAX_LOOKS: usize = 10_000;

/// The call's own time, moved on by tokio's clock while the call lasts: a guest that sleeps sees that it has slept.
#[derive(Clone)]
struct CallClock {
    now: Timestamp,
    start: Instant,
    tape: Arc<Mutex<Tape>>,
}

/// stdout or stderr: each line becomes a line of the plugin's log.
#[derive(Clone)]
struct Output {
    level: LogLevel,
    log: GuestLog,
    /// Bytes that may be written in all.
    limit: u64,
    /// Bytes written to either.
    written: Arc<AtomicU64>,
    /// The line that has not ended yet.
    line: Arc<Mutex<Vec<u8>>>,
}

/// An empty world for one call, with `random` for randomness. Its clocks show `shown` first, nanoseconds since the call began.
pub(super) fn empty_world(
    random: &[u8],
    now: Timestamp,
    shown: &[u64],
    limits: &Limits,
    log: &GuestLog,
) -> (WasiCtx, Outputs) {
    let tape = Arc::new(Mutex::new(Tape { next: shown.iter().copied().collect(), shown: Vec::new() }));
    let outputs = Outputs::new(limits, log, tape.clone());
    let clock = CallClock { now, start: Instant::now(), tape };
    let mut short = [0; 16];
    short.copy_from_slice(&random[..16]);
    let mut builder = WasiCtx::builder();
    builder
        .stdout(outputs.stdout.clone())
        .stderr(outputs.stderr.clone())
        .secure_random(Deterministic::new(random.to_vec()))
        .insecure_random(Deterministic::new(random.to_vec()))
        .insecure_random_seed(u128::from_le_bytes(short))
        .max_random_size(MAX_RANDOM)
        .wall_clock(clock.clone())
        .monotonic_clock(clock)
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false);
    (builder.build(), outputs)
}

/// What the plugin with this digest takes for randomness: 4 KiB that look random, and come round again after that. The same in
/// each call, so that the same inputs give the same verdict; a guest has no secrets to make with it.
pub(super) fn random(seed: &[u8; 32]) -> Vec<u8> {
    (0..128u32).flat_map(|i| Sha256::new().chain_update(seed).chain_update(i.to_le_bytes()).finalize()).collect()
}

impl Outputs {
    fn new(limits: &Limits, log: &GuestLog, tape: Arc<Mutex<Tape>>) -> Self {
        let (line, written) = (Arc::default(), Arc::<AtomicU64>::default());
        let stdout = Output { level: LogLevel::Info, log: log.clone(), limit: limits.bytes, written: written.clone(), line };
        let stderr = Output { level: LogLevel::Warn, line: Arc::default(), ..stdout.clone() };
        Self { stdout, stderr, tape }
    }

    /// Logs what is left of unfinished lines. Returns how many bytes were written in all, and what the clocks showed.
    pub(super) fn finish(&self) -> (u64, Vec<u64>) {
        self.stdout.finish();
        self.stderr.finish();
        let shown = std::mem::take(&mut self.tape.lock().unwrap_or_else(PoisonError::into_inner).shown);
        (self.stdout.written.load(Relaxed), shown)
    }
}

impl CallClock {
    /// Nanoseconds since the call began.
    fn look(&self) -> u64 {
        let mut tape = self.tape.lock().unwrap_or_else(PoisonError::into_inner);
        let live = self.start.elapsed().as_nanos() as u64;
        // Where the tape ends it goes on from there, never back.
        let shows = tape.next.pop_front().unwrap_or_else(|| tape.shown.last().map_or(live, |last| live.max(*last)));
        if tape.shown.len() < MAX_LOOKS {
            tape.shown.push(shows);
        }
        shows
    }
}

impl Output {
    fn take(&self, bytes: &[u8]) -> Result<(), Hit> {
        let written = self.written.fetch_add(bytes.len() as u64, Relaxed) + bytes.len() as u64;
        if written > self.limit {
            return Err(Hit::Bytes);
        }
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        for part in bytes.split_inclusive(|b| *b == b'\n') {
            let room = MAX_LINE.saturating_sub(line.len());
            line.extend_from_slice(&part[..part.len().min(room)]);
            if part.ends_with(b"\n") {
                self.log.say(self.level, &String::from_utf8_lossy(&std::mem::take(&mut *line)));
            }
        }
        Ok(())
    }

    fn finish(&self) {
        let rest = std::mem::take(&mut *self.line.lock().unwrap_or_else(PoisonError::into_inner));
        if !rest.is_empty() {
            self.log.say(self.level, &String::from_utf8_lossy(&rest));
        }
    }
}

impl HostWallClock for CallClock {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.now.as_millisecond().max(0) as u64) + Duration::from_nanos(self.look())
    }
}

impl HostMonotonicClock for CallClock {
    fn resolution(&self) -> u64 {
        1_000
    }

    fn now(&self) -> u64 {
        // Not from zero: guests subtract from it.
        1_000_000_000 + self.look()
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take(&bytes).map_err(|hit| StreamError::Trap(hit.into()))
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(MAX_WRITE)
    }
}

impl AsyncWrite for Output {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(self.take(bytes).map(|()| bytes.len()).map_err(io::Error::other))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
