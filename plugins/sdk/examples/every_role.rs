//! A plugin with all three roles in one component, and one set of settings for them.
//!
//! `cargo build -p runner-plugin --example every_role --profile plugin --target wasm32-unknown-unknown` makes the component.

use runner_plugin::prelude::*;
use serde::Deserialize;

/// Takes no learner while the database is larger than it may be, promotes it once it has all of it, and says so.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SmallDatabase {
    /// The most bytes that the leader's database may have.
    max_bytes: u64,
}

impl Default for SmallDatabase {
    fn default() -> Self {
        Self { max_bytes: 2 << 30 }
    }
}

impl Plugin for SmallDatabase {
    fn validate(&self) -> Vec<Problem> {
        if self.max_bytes == 0 { vec![Problem::new("maxBytes", "must be more than 0")] } else { vec![] }
    }
}

impl HealthCheck for SmallDatabase {
    fn check(&self, cluster: &Cluster, _: &Newcomer) -> Result<Vec<Finding>> {
        let leader = cluster.leader().ok_or_else(|| Error::new("the cluster has no leader"))?;
        let size = leader.db_size().ok_or_else(|| Error::new("the leader does not say how large its database is"))?;
        if size <= self.max_bytes {
            return Ok(vec![]);
        }
        let text = format!("the database has {size} bytes, more than {}", self.max_bytes);
        Ok(vec![Finding::error("database-too-large", text).remedy("compact and defragment it").about(&leader)])
    }
}

impl Promotion for SmallDatabase {
    fn evaluate(&self, _: &Cluster, candidate: &Member, window: &Samples) -> Result<Verdict> {
        let last = window.last().ok_or_else(|| Error::new("no sample"))?;
        match last.lag() {
            0 => Ok(Verdict::Approve),
            lag => Ok(Verdict::wait_ms(format!("{} lacks {lag} entries", candidate.display_name()), 50)),
        }
    }
}

impl Notifier for SmallDatabase {
    fn notify(&self, events: &[Event]) -> Result<()> {
        for event in events.iter().filter(|e| e.kind == "run-finished") {
            log::info(format!("the run ended {} ms ago", clock::now_ms().saturating_sub(event.at_ms)));
        }
        Ok(())
    }
}

runner_plugin::export!(SmallDatabase: HealthCheck, Promotion, Notifier);
