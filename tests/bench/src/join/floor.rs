//! The bare floor: what etcd itself needs. No check, no gate, no journal, a connection that is there already.

use std::time::Instant;

use anyhow::{Context, Result};
use etcd_client::MemberAddOptions;
use tokio::time::sleep;

use super::site::{MILLISECOND, Site, patience};
use super::{Measured, millis};

/// Add, start, promote tried every millisecond, read tried every millisecond.
pub(crate) async fn join(site: &mut Site) -> Result<Measured> {
    let mut client = site.connect(&site.cluster.endpoints()).await?;
    client.status().await?;
    let began = Instant::now();
    let urls = [site.newcomer.peer_url.clone()];
    let added = client.member_add(urls, Some(MemberAddOptions::new().with_is_learner())).await?;
    let id = added.member().context("the added member")?.id();
    site.start_newcomer();
    while client.member_promote(id).await.is_err() {
        patience(began, "the promotion")?;
        sleep(MILLISECOND).await;
    }
    let voter = millis(began);
    site.read_on_newcomer().await?;
    Ok(Measured { voter, read: millis(began), ..Measured::default() })
}
