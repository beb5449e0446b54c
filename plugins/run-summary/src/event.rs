//! The events that a summary is made of, as runner serialises them.

use serde::Deserialize;

/// What happened. Fields that a summary does not need are not read.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub(crate) enum Kind {
    RunStarted {
        operation: String,
        member: String,
    },
    StepFinished {
        step: String,
        duration_ms: u64,
        summary: String,
    },
    StepFailed {
        step: String,
        error: String,
    },
    PluginVerdict {
        plugin: String,
        verdict: String,
        /// Of a plugin that has no say: what its verdict would have been.
        would: Option<String>,
        reason: String,
    },
    Finding {
        source: String,
        severity: String,
        message: String,
        remedy: Option<String>,
        /// Why it did not refuse the join, where the policy waived it.
        waived: Option<String>,
        #[serde(default)]
        monitored: bool,
    },
    Undone {
        step: String,
        summary: String,
    },
    UndoFailed {
        step: String,
        error: String,
        remedy: String,
    },
    RunFinished(End),
    /// Something that a summary leaves out, or an event of a later release.
    #[serde(other)]
    Unknown,
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
