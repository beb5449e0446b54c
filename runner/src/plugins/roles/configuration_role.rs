//! `configuration`: can the plugin work with its settings?

use serde::{Deserialize, Serialize};

use crate::plugins::bindings::exports::runner::plugin::configuration::GuestIndices;
use crate::plugins::call::Guest;
use crate::plugins::limits::Hit;

/// One thing that is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingProblem {
    /// Path into the settings; empty for the whole.
    pub path: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// Asks for every problem of the plugin's settings.
pub(in crate::plugins) async fn validate(
    guest: Guest<'_>,
    indices: GuestIndices,
) -> wasmtime::Result<Result<Vec<SettingProblem>, String>> {
    let Guest { store, instance, limits } = guest;
    let settings = store.data().settings.clone();
    store.data_mut().meter.give(settings.len())?;
    let role = indices.load(&mut *store, instance)?;
    let problems = role.call_validate(&mut *store, &settings).await?;
    store.data_mut().meter.take(problems.iter().map(|p| p.path.len() + p.message.len()).sum())?;
    if problems.len() > limits.findings {
        return Err(Hit::Findings.into());
    }
    Ok(Ok(problems.into_iter().map(|p| SettingProblem { path: p.path, message: p.message }).collect()))
}
