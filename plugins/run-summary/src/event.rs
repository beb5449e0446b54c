//! The events that a summary is made of, as runner serialises them.

use runner_plugin::{Error, Event, Result};
use serde::Deserialize;

/// One event that matters here.
#[derive(Debug, Deserialize)]
pub(crate) struct Told {
    #[serde(flatten)]
    pub(crate) kind: Kind,
}

/// What happened. Fields that a summary does not need are not read.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub(crate) enum Kind {
    RunStarted { operation: String, member: String },
    StepFinished { step: String, duration_ms: u64, summary: String },
    StepFailed { step: String, error: String },
    PluginVerdict { plugin: String, verdict: String, reason: String },
    Finding { source: String, severity: String, message: String, remedy: Option<String> },
    Undone { step: String, summary: String },
    UndoFailed { step: String, error: String, remedy: String },
    RunFinished(End),
}

/// How the run ended.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct End {
    pub(crate) outcome: String,
    pub(crate) exit_status: u8,
    pub(crate) message: String,
    #[serde(default)]
    pub(crate) hints: Vec<String>,
    pub(crate) duration_ms: u64,
}

/// The kinds above.
const KNOWN: [&str; 8] =
    ["run-started", "step-finished", "step-failed", "plugin-verdict", "finding", "undone", "undo-failed", "run-finished"];

impl Told {
    /// Reads the event; none for a kind that does not matter here or is of a later release.
    ///
    /// # Errors
    /// An event of a known kind that lacks what it must have.
    pub(crate) fn read(event: &Event) -> Result<Option<Self>, Error> {
        if KNOWN.contains(&event.kind.as_str()) { event.parse().map(Some) } else { Ok(None) }
    }
}
