//! A health check that uses every capability: an example of each module, and what `runner plugin inspect` shows of it.
//!
//! `cargo build -p runner-plugin --example every_capability --profile plugin --target wasm32-unknown-unknown` makes the component.

use runner_plugin::kubernetes::Resource;
use runner_plugin::prelude::*;
use runner_plugin::{etcd, http, probes, random, secrets};
use serde::Deserialize;

/// Looks wherever it is told to.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Everywhere {
    /// A URL that answers `frozen` while nothing may be changed; asked with the secret `token`.
    freeze_url: Option<String>,
    /// A directory whose writes must not take longer than 50 ms.
    data_dir: Option<String>,
    /// A prefix of keys under which there must be none.
    lock_prefix: Option<String>,
    /// A node that must be there.
    node: Option<String>,
}

impl Plugin for Everywhere {}

impl HealthCheck for Everywhere {
    fn check(&self, _: &Cluster, _: &Newcomer) -> Result<Vec<Finding>> {
        log::debug(format!("check {:08x}", random::number()));
        let mut findings = Vec::new();
        if let Some(url) = &self.freeze_url {
            let token = secrets::get("token")?.reveal();
            let answer = http::get(url).header("authorization", format!("Bearer {token}")).timeout_ms(2_000).send()?;
            if answer.expect_success()?.text().trim() == "frozen" {
                findings.push(Finding::error("frozen", "changes are frozen"));
            }
        }
        if let Some(latency) = self.data_dir.as_deref().map(|dir| probes::fsync(dir, 100)).transpose()?
            && latency.p99_us > 50_000
        {
            findings.push(Finding::warning("slow-disk", format!("a write in a hundred takes {} us", latency.p99_us)));
        }
        if let Some(prefix) = &self.lock_prefix
            && let Some(entry) = etcd::list(prefix, 1)?.first()
        {
            findings.push(Finding::error("locked", format!("{} is there", entry.key)));
        }
        if let Some(node) = &self.node
            && Resource::new("v1", "Node").get(node)?.is_none()
        {
            findings.push(Finding::error("no-node", format!("there is no node {node}")));
        }
        Ok(findings)
    }
}

runner_plugin::export!(Everywhere: HealthCheck);
