//! Health check: enough voters may still be lost, and every voter answers.

use runner_plugin::prelude::*;
use serde::Deserialize;

/// What an operator can set.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Reserve {
    /// How many voters the cluster must be able to lose before this node joins.
    min_fault_tolerance: u32,
}

impl Plugin for Reserve {}

impl HealthCheck for Reserve {
    fn check(&self, cluster: &Cluster, _: &Newcomer) -> Result<Vec<Finding>> {
        let mut found = Vec::new();
        for member in cluster.members().into_iter().filter(|member| member.role() == Role::Voter && !member.is_reachable()) {
            let name = Some(member.name()).filter(|name| !name.is_empty()).unwrap_or_else(|| member.id());
            found.push(Finding::warning("voter-silent", format!("{name} does not answer")).about(&member));
        }
        let tolerance = cluster.fault_tolerance();
        if tolerance < self.min_fault_tolerance {
            let wanted = self.min_fault_tolerance;
            let message = format!("the cluster can lose {tolerance} voters, at least {wanted} are asked for");
            found.push(Finding::error("fault-tolerance", message).remedy("bring the missing voters back first"));
        }
        Ok(found)
    }
}

runner_plugin::export!(Reserve: HealthCheck);
