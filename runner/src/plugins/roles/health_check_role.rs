//! `health-check`: is the cluster healthy enough for this node to join?

use std::sync::Arc;

use crate::cluster::View;
use crate::pipeline::{Finding, Newcomer, Severity};
use crate::plugins::bindings::exports::runner::plugin::health_check as wit;
use crate::plugins::call::Guest;
use crate::plugins::capabilities::facts::{ClusterHandle, NewcomerHandle};
use crate::plugins::limits::Hit;

/// Asks for findings.
pub(in crate::plugins) async fn check(
    guest: Guest<'_>,
    indices: wit::GuestIndices,
    view: Arc<View>,
    newcomer: Arc<Newcomer>,
) -> wasmtime::Result<Result<Vec<Finding>, String>> {
    let Guest { store, instance, limits } = guest;
    let role = indices.load(&mut *store, instance)?;
    let cluster = store.data_mut().table.push(ClusterHandle(view))?;
    let newcomer = store.data_mut().table.push(NewcomerHandle(newcomer))?;
    let findings = match role.call_check(&mut *store, cluster, newcomer).await? {
        Ok(findings) => findings,
        Err(text) => {
            store.data_mut().meter.take(text.len())?;
            return Ok(Err(text));
        }
    };
    store.data_mut().meter.take(findings.iter().map(size).sum())?;
    if findings.len() > limits.findings {
        return Err(Hit::Findings.into());
    }
    Ok(Ok(findings.into_iter().map(finding).collect()))
}

fn size(f: &wit::Finding) -> usize {
    let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    f.code.len() + f.message.len() + optional(&f.remedy) + optional(&f.member)
}

fn finding(f: wit::Finding) -> Finding {
    Finding {
        severity: match f.severity {
            wit::Severity::Info => Severity::Info,
            wit::Severity::Warning => Severity::Warning,
            wit::Severity::Error => Severity::Error,
        },
        code: f.code,
        message: f.message,
        remedy: f.remedy,
        member: f.member,
    }
}
