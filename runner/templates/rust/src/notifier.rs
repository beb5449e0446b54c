//! Notifier: says in the run's log what happened, in the operator's words.

use runner_plugin::prelude::*;
use serde::Deserialize;

/// What an operator can set.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Teller {
    /// Put before every message.
    prefix: String,
}

impl Default for Teller {
    fn default() -> Self {
        Self { prefix: "runner".to_owned() }
    }
}

impl Plugin for Teller {}

impl Notifier for Teller {
    fn notify(&self, events: &[Event]) -> Result<()> {
        // New kinds may appear in any release: those that are not known are left alone.
        for event in events.iter().filter(|event| ["run-started", "run-finished"].contains(&event.kind.as_str())) {
            log::info(format!("{}: {} {}", self.prefix, event.kind, event.json));
        }
        Ok(())
    }
}

runner_plugin::export!(Teller: Notifier);
