//! A client that writes all the time, and counts what failed.

use std::time::{Duration, Instant};

use etcd_client::Client;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Between an answer and the next write. Almost a hundred a second meet every pause of the cluster; as many as it takes would keep the
/// disk and both processors from the clusters of the tests beside it.
const PAUSE: Duration = Duration::from_millis(10);

/// A write that takes longer counts as failed.
const TOO_SLOW: Duration = Duration::from_secs(5);

/// A background writer. Stops when dropped; [`Load::stop`] tells how it went.
pub struct Load {
    task: JoinHandle<LoadReport>,
    stop: oneshot::Sender<()>,
}

/// How the writing went.
#[derive(Debug, Default)]
pub struct LoadReport {
    /// Writes that were acknowledged.
    pub written: u64,
    /// What was said of those that were not.
    pub failures: Vec<String>,
    /// The longest that one write took.
    pub slowest: Duration,
}

impl Load {
    /// Writes one key after the other through this client, 10 ms after each answer, until it is stopped. A failed write is counted and
    /// not tried again.
    pub fn start(client: Client) -> Self {
        let (stop, stopped) = oneshot::channel();
        Self { task: tokio::spawn(write(client, stopped)), stop }
    }

    /// Stops after the write that is under way.
    pub async fn stop(self) -> LoadReport {
        let _ = self.stop.send(());
        self.task.await.expect("the writer does not panic")
    }
}

impl LoadReport {
    /// Panics unless something was written and nothing failed.
    pub fn expect_no_failure(&self) {
        assert!(self.written > 0, "nothing was written: {self:?}");
        assert!(self.failures.is_empty(), "{} of {} writes failed: {:?}", self.failures.len(), self.written, self.failures);
    }
}

async fn write(client: Client, mut stopped: oneshot::Receiver<()>) -> LoadReport {
    let mut kv = client.kv_client();
    let mut report = LoadReport::default();
    while matches!(stopped.try_recv(), Err(oneshot::error::TryRecvError::Empty)) {
        let start = Instant::now();
        let key = format!("load/{}", report.written % 1000);
        match tokio::time::timeout(TOO_SLOW, kv.put(key, "x".repeat(100), None)).await {
            Ok(Ok(_)) => report.written += 1,
            Ok(Err(error)) => report.failures.push(error.to_string()),
            Err(_) => report.failures.push(format!("no answer within {TOO_SLOW:?}")),
        }
        report.slowest = report.slowest.max(start.elapsed());
        tokio::time::sleep(PAUSE).await;
    }
    report
}
