//! Data for the cluster, so that there is something to copy.

use std::time::Duration;

use etcd_client::Client;
use futures::stream::{self, StreamExt};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rand::rngs::SmallRng;
use rand::{RngCore, SeedableRng};

use crate::pipeline::{Failure, Outcome};
use crate::report::{Printer, human};

/// Bytes of one value: large, so that it is quick, and well below the 1.5 MiB that etcd takes in one request.
const VALUE: u64 = 500_000;

/// So many writes are under way at a time: etcd syncs its log once for all that wait.
const AT_ONCE: usize = 4;

/// How long one write may take on a slow disk.
const LIMIT: Duration = Duration::from_secs(30);

/// Writes `megabytes` (10^6 bytes each) in values that no compression makes smaller. Shows how far it is on a terminal.
pub(super) async fn fill(client: &Client, megabytes: u64, printer: &Printer) -> Result<(), Failure> {
    let total = megabytes * 1_000_000;
    let bar = ProgressBar::with_draw_target(
        Some(total),
        if printer.stderr.terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() },
    );
    let template = if printer.stderr.style.unicode { "{wide_bar} {msg}" } else { "[{wide_bar:.}] {msg}" };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars(if printer.stderr.style.unicode { "━╸─" } else { "=> " }));
    }
    let mut value = vec![0; VALUE as usize];
    SmallRng::seed_from_u64(0).fill_bytes(&mut value);
    let puts = (0..total.div_ceil(VALUE)).map(|number| {
        let (mut kv, mut value) = (client.kv_client(), value.clone());
        value.truncate((total - number * VALUE).min(VALUE) as usize);
        async move {
            let size = value.len() as u64;
            let put = tokio::time::timeout(LIMIT, kv.put(format!("fill/{number}"), value, None)).await;
            match put {
                Ok(Ok(_)) => Ok(size),
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err(format!("no answer within {}", human::duration(LIMIT))),
            }
        }
    });
    let mut done = 0;
    let mut puts = stream::iter(puts).buffer_unordered(AT_ONCE);
    while let Some(put) = puts.next().await {
        done += put.map_err(|e| Failure::new(Outcome::RolledBack, format!("the cluster does not take the data: {e}")))?;
        bar.set_position(done);
        bar.set_message(format!("{} of {megabytes} MB", done / 1_000_000));
    }
    bar.finish_and_clear();
    Ok(())
}
