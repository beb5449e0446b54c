//! What plugins are told and what they answer, as plain data.

use serde::de::DeserializeOwned;

use crate::{Error, Member, Result};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Good to know.
    Info,
    /// Worth a look; the join goes on.
    Warning,
    /// The join is refused.
    Error,
}

/// Something that a health check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// A short stable identifier in kebab-case, for example `version-skew`.
    pub code: String,
    /// What is the case, in one sentence.
    pub message: String,
    /// What a person can do about it.
    pub remedy: Option<String>,
    /// The id of the member that it is about.
    pub member: Option<String>,
}

/// A promotion criterion's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may vote.
    Approve,
    /// Not yet.
    Wait {
        /// What for; shown to the operator.
        reason: String,
        /// When to ask again, in milliseconds; none for "with the next sample".
        retry_after_ms: Option<u32>,
    },
    /// Give up: the join is undone.
    Reject {
        /// Why.
        reason: String,
    },
}

/// One thing that is wrong with a plugin's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where, as a path into the settings: `maxLag`, `window.start`, `hosts[2]`; empty for the whole.
    pub path: String,
    /// What is wrong and what would be right.
    pub message: String,
}

/// Something that happened in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened, in kebab-case, for example `run-finished`. New kinds may appear in any release.
    pub kind: String,
    /// When, in milliseconds since 1970 (UTC).
    pub at_ms: u64,
    /// The details as one JSON object.
    pub json: String,
}

impl Finding {
    /// A finding of this severity, without remedy and about no member.
    pub fn new(severity: Severity, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { severity, code: code.into(), message: message.into(), remedy: None, member: None }
    }

    /// Good to know.
    pub fn info(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Severity::Info, code, message)
    }

    /// Worth a look; the join goes on.
    pub fn warning(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, message)
    }

    /// Refuses the join.
    pub fn error(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message)
    }

    /// The same, with what a person can do about it.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// The same, about this member.
    #[must_use]
    pub fn about(mut self, member: &Member) -> Self {
        self.member = Some(member.id());
        self
    }
}

impl Verdict {
    /// Not yet; to be asked again with the next sample.
    pub fn wait(reason: impl Into<String>) -> Self {
        Self::Wait { reason: reason.into(), retry_after_ms: None }
    }

    /// Not yet, and not before so many milliseconds have passed. More than 49 days are cut to that.
    pub fn wait_ms(reason: impl Into<String>, retry_after_ms: u64) -> Self {
        Self::Wait { reason: reason.into(), retry_after_ms: Some(u32::try_from(retry_after_ms).unwrap_or(u32::MAX)) }
    }

    /// Never: the join is undone.
    pub fn reject(reason: impl Into<String>) -> Self {
        Self::Reject { reason: reason.into() }
    }
}

impl Problem {
    /// A problem at this path into the settings; empty for the whole.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}

impl Event {
    /// The details, read into a type of the plugin's own.
    ///
    /// # Errors
    /// Names the event's kind and what about it could not be read.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.json).map_err(|e| Error::new(format!("cannot read the event {}: {e}", self.kind)))
    }
}
