//! A client that writes all the time, and counts honestly.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use etcd_client::{Client, GetOptions};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::report::human;

/// Between one answer and the next write.
const PAUSE: Duration = Duration::from_millis(2);

/// A write without an answer for so long counts as failed. etcd itself gives up earlier (after 7 s by default), and its word is
/// the better one.
const LIMIT: Duration = Duration::from_secs(10);

/// Every write has a key of its own below this one, so that they can be counted afterwards.
const PREFIX: &str = "demo/";

/// The client, at work until [`stop`](Self::stop).
pub(super) struct Writer {
    shared: Arc<Mutex<Shared>>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// How the writes of some stretch of time went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Writes that the cluster has acknowledged.
    pub(super) acknowledged: u64,
    /// Writes that were refused or not answered. None is tried again.
    pub(super) failed: u64,
    /// The longest time without an acknowledgement, pauses between writes included.
    pub(super) longest_pause: Duration,
    /// What was said of the first that failed.
    pub(super) first_failure: Option<String>,
}

struct Shared {
    stretch: Tally,
    total: Tally,
    last: Instant,
}

impl Writer {
    /// Starts writing through this client. It knows the members that it was made with, and is told of no other.
    pub(super) fn start(client: &Client) -> Self {
        let shared = Shared { stretch: Tally::default(), total: Tally::default(), last: Instant::now() };
        let (shared, stop) = (Arc::new(Mutex::new(shared)), CancellationToken::new());
        let task = tokio::spawn(write(client.clone(), Arc::clone(&shared), stop.clone()));
        Self { shared, stop, task }
    }

    /// What happened since the last call, or since the start.
    pub(super) fn stretch(&self) -> Tally {
        let mut shared = lock(&self.shared);
        shared.pause();
        std::mem::take(&mut shared.stretch)
    }

    /// Ends after the write that is under way, and tells how it all went.
    pub(super) async fn stop(self) -> Tally {
        self.stop.cancel();
        let _ = self.task.await;
        lock(&self.shared).total.clone()
    }
}

impl Shared {
    /// Counts the time since the last acknowledgement.
    fn pause(&mut self) {
        let pause = self.last.elapsed();
        for tally in [&mut self.stretch, &mut self.total] {
            tally.longest_pause = tally.longest_pause.max(pause);
        }
    }

    fn take(&mut self, result: Result<(), String>) {
        self.pause();
        match result {
            Ok(()) => {
                self.last = Instant::now();
                self.stretch.acknowledged += 1;
                self.total.acknowledged += 1;
            }
            Err(why) => {
                for tally in [&mut self.stretch, &mut self.total] {
                    tally.failed += 1;
                    tally.first_failure.get_or_insert_with(|| why.clone());
                }
            }
        }
    }
}

/// How many of the writes a linearizable read through this client finds.
pub(super) async fn found(client: &mut Client) -> Result<u64, etcd_client::Error> {
    let options = GetOptions::new().with_prefix().with_count_only();
    Ok(client.get(PREFIX, Some(options)).await?.count().try_into().unwrap_or(0))
}

async fn write(client: Client, shared: Arc<Mutex<Shared>>, stop: CancellationToken) {
    let mut kv = client.kv_client();
    for number in 0_u64.. {
        if stop.is_cancelled() {
            return;
        }
        let put = kv.put(format!("{PREFIX}{number}"), "x".repeat(100), None);
        let result = match tokio::time::timeout(LIMIT, put).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer within {}", human::duration(LIMIT))),
        };
        lock(&shared).take(result);
        tokio::time::sleep(PAUSE).await;
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_failed_write_is_counted_and_lengthens_the_pause() {
        let mut shared = Shared { stretch: Tally::default(), total: Tally::default(), last: Instant::now() };
        for (ms, result) in [(5, Ok(())), (30, Err("no leader")), (40, Err("timeout")), (10, Ok(())), (7, Ok(()))] {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            shared.take(result.map_err(str::to_owned));
        }
        let expected = Tally {
            acknowledged: 3,
            failed: 2,
            longest_pause: Duration::from_millis(80),
            first_failure: Some("no leader".to_owned()),
        };
        assert_eq!((&shared.total, &shared.stretch), (&expected, &expected));
    }
}
