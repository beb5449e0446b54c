//! The empty world of a guest that imports WASI 0.2 out of habit: no files, no sockets, no arguments, no environment. Clock and
//! randomness come from the host, and what is written to stdout and stderr goes into the plugin's log.

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
}

/// The call's own time, moved on by tokio's clock while the call lasts: a guest that sleeps sees that it has slept.
#[derive(Clone, Copy)]
struct CallClock {
    now: Timestamp,
    start: Instant,
}

/// stdout or stderr: each line becomes a line of the plugin's log.
#[derive(Clone)]
struct Output {
    level: &'static str,
    log: GuestLog,
    /// Bytes that may be written in all.
    limit: u64,
    /// Bytes written to either.
    written: Arc<AtomicU64>,
    /// The line that has not ended yet.
    line: Arc<Mutex<Vec<u8>>>,
}

/// An empty world for one call, with `random` for randomness.
pub(super) fn empty_world(random: &[u8], now: Timestamp, limits: &Limits, log: &GuestLog) -> (WasiCtx, Outputs) {
    let outputs = Outputs::new(limits, log);
    let clock = CallClock { now, start: Instant::now() };
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
        .wall_clock(clock)
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
    fn new(limits: &Limits, log: &GuestLog) -> Self {
        let (line, written) = (Arc::default(), Arc::<AtomicU64>::default());
        let stdout = Output { level: "info", log: log.clone(), limit: limits.bytes, written: written.clone(), line };
        let stderr = Output { level: "warn", line: Arc::default(), ..stdout.clone() };
        Self { stdout, stderr }
    }

    /// Logs what is left of unfinished lines and returns how many bytes were written in all.
    pub(super) fn finish(&self) -> u64 {
        self.stdout.finish();
        self.stderr.finish();
        self.stdout.written.load(Relaxed)
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
        Duration::from_millis(self.now.as_millisecond().max(0) as u64) + self.start.elapsed()
    }
}

impl HostMonotonicClock for CallClock {
    fn resolution(&self) -> u64 {
        1_000
    }

    fn now(&self) -> u64 {
        // Not from zero: guests subtract from it.
        1_000_000_000 + self.start.elapsed().as_nanos() as u64
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
