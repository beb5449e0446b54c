//! Processor time of one call: what its thread used while the call was being polled. Waiting costs nothing, and neither do the
//! others on a busy machine.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The processor time of one call, readable from inside the call.
#[derive(Debug, Default)]
pub(super) struct CpuMeter {
    /// Nanoseconds of the polls that are over.
    spent: AtomicU64,
    /// The thread's processor time when the poll that is under way began.
    since: AtomicU64,
}

/// A future whose polls are metered.
pub(super) struct Metered<F> {
    inner: Pin<Box<F>>,
    meter: Arc<CpuMeter>,
}

impl CpuMeter {
    /// What was used so far. Only right on the thread that polls the call, during the poll.
    pub(super) fn running(&self) -> Duration {
        let poll = thread_nanos().saturating_sub(self.since.load(Relaxed));
        Duration::from_nanos(self.spent.load(Relaxed) + poll)
    }

    /// What was used by the polls that are over.
    pub(super) fn spent(&self) -> Duration {
        Duration::from_nanos(self.spent.load(Relaxed))
    }
}

impl<F: Future> Metered<F> {
    pub(super) fn new(inner: F, meter: Arc<CpuMeter>) -> Self {
        Self { inner: Box::pin(inner), meter }
    }
}

impl<F: Future> Future for Metered<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let start = thread_nanos();
        self.meter.since.store(start, Relaxed);
        let result = self.inner.as_mut().poll(cx);
        self.meter.spent.fetch_add(thread_nanos().saturating_sub(start), Relaxed);
        result
    }
}

/// Processor time of this thread in nanoseconds.
fn thread_nanos() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_counts_and_waiting_does_not() {
        let meter = Arc::new(CpuMeter::default());
        let work = async {
            while meter.running() < Duration::from_millis(5) {
                std::hint::spin_loop();
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        };
        Metered::new(work, meter.clone()).await;
        assert!(meter.spent() >= Duration::from_millis(5), "{:?}", meter.spent());
        assert!(meter.spent() < Duration::from_millis(150), "{:?}", meter.spent());
    }
}
