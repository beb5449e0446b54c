//! How far the run is, as other controllers read it: one entry of the progress ConfigMap. Pure.

use jiff::Timestamp;
use serde::Serialize;

use crate::event::{Event, EventKind};
use crate::terms::Step;
use crate::text::one_line;

/// The most of a text that is kept: the ConfigMap is shared by all nodes.
const SHOWN: usize = 500;

/// The entry of one node. There exactly while a run is under way, or was left unfinished.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Story {
    /// The run's id.
    run: String,
    /// `join`, `resume` or `rollback`.
    operation: String,
    /// The step's name, `undo`, or how the run was left.
    phase: String,
    /// What is the case, in one sentence.
    message: String,
    /// Since when the run has been under way.
    since: Timestamp,
    /// When this was written last.
    updated: Timestamp,
    /// In the shape of Kubernetes' own conditions.
    conditions: Vec<Condition>,
}

/// One condition (metav1.Condition without the generation: nothing is reconciled here).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    #[serde(rename = "type")]
    kind: &'static str,
    status: &'static str,
    reason: String,
    message: String,
    last_transition_time: Timestamp,
}

impl Story {
    /// Of a run that has not begun.
    pub(super) fn new(run: &str, now: Timestamp) -> Self {
        let condition = |kind| Condition {
            kind,
            status: "False",
            reason: "NotYet".to_owned(),
            message: String::new(),
            last_transition_time: now,
        };
        Self {
            run: run.to_owned(),
            operation: String::new(),
            phase: String::new(),
            message: String::new(),
            since: begun(run).unwrap_or(now),
            updated: now,
            conditions: ["Progressing", "MemberAdded", "Promoted"].map(condition).into(),
        }
    }

    /// Goes on with what happened; says whether anything has changed that others should see.
    pub(super) fn take(&mut self, event: &Event) -> bool {
        let at = event.at;
        match &event.kind {
            EventKind::RunStarted { operation, .. } => {
                self.operation = operation.name().to_owned();
                self.say("start", format!("{operation} is under way"));
                self.set("Progressing", true, "Start", at);
            }
            EventKind::StepStarted { step: Step::Announce } => return false,
            EventKind::StepStarted { step } => {
                self.say(step.name(), format!("{step} is under way"));
                self.set("Progressing", true, &camel(step.name()), at);
            }
            EventKind::Waiting { step, reason, .. } => self.say(step.name(), format!("waiting: {reason}")),
            EventKind::MemberAdded { id } => {
                self.say("add-learner", format!("member {id} is a learner"));
                self.set("MemberAdded", true, "Learner", at);
            }
            EventKind::StepFinished { step: Step::Promote, summary, .. } => {
                self.say("promote", summary.clone());
                self.set("Promoted", true, "Voter", at);
            }
            EventKind::StepFailed { step, error } => self.say(step.name(), error.clone()),
            EventKind::Undoing { step } => {
                self.say("undo", format!("{step} is being undone"));
                self.set("Progressing", true, "Undo", at);
            }
            EventKind::Undone { step: Step::AddLearner, .. } => self.set("MemberAdded", false, "Removed", at),
            EventKind::UndoFailed { error, remedy, .. } => self.say("undo", format!("{error}; {remedy}")),
            EventKind::RunFinished { outcome, message, hints, .. } => {
                let hints: String = hints.iter().map(|hint| format!("; {hint}")).collect();
                self.say(outcome.name(), format!("{message}{hints}"));
                self.set("Progressing", false, &camel(outcome.name()), at);
            }
            _ => return false,
        }
        self.updated = at;
        true
    }

    /// As the value of its key.
    pub(super) fn text(&self) -> String {
        // Strings and times always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }

    fn say(&mut self, phase: &str, message: String) {
        (self.phase, self.message) = (phase.to_owned(), one_line(&message, SHOWN));
    }

    fn set(&mut self, kind: &'static str, holds: bool, reason: &str, at: Timestamp) {
        let (status, message) = (if holds { "True" } else { "False" }, self.message.clone());
        let Some(condition) = self.conditions.iter_mut().find(|c| c.kind == kind) else { return };
        if condition.status != status {
            condition.last_transition_time = at;
        }
        (condition.status, condition.reason, condition.message) = (status, reason.to_owned(), message);
    }
}

/// When a run was made, by its id: a UUID of version 7 begins with its time.
fn begun(run: &str) -> Option<Timestamp> {
    let (seconds, nanos) = uuid::Uuid::parse_str(run).ok()?.get_timestamp()?.to_unix();
    Timestamp::new(i64::try_from(seconds).ok()?, i32::try_from(nanos).ok()?).ok()
}

/// `check-refused` as `CheckRefused`: reasons of conditions are one word.
fn camel(name: &str) -> String {
    let word = |part: &str| {
        let mut chars = part.chars();
        chars.next().map(|first| first.to_ascii_uppercase().to_string() + chars.as_str()).unwrap_or_default()
    };
    name.split('-').map(word).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cluster::MemberId;
    use crate::terms::{LogLevel, Outcome, RunKind};

    #[test]
    fn an_entry_tells_how_far_the_run_is() {
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
        let mut story = Story::new("0199e3a1-7c00-7000-8000-000000000000", at(0));
        let mut tell = |second, kind| story.take(&Event { at: at(second), kind });
        assert!(tell(1, EventKind::RunStarted { run: "r".into(), operation: RunKind::Join, member: "cp-2".into() }));
        assert!(tell(2, EventKind::StepStarted { step: Step::AddLearner }));
        assert!(tell(3, EventKind::MemberAdded { id: MemberId(0xab) }));
        assert!(!tell(
            4,
            EventKind::PluginLog { plugin: "p".into(), level: LogLevel::Info, message: "the-password".into() }
        ));
        assert!(tell(5, EventKind::Waiting { step: Step::Sync, reason: "a\u{1b}[2Jb".into(), left: Some(Duration::ZERO) }));
        insta::assert_snapshot!(story.text(), @r#"{"run":"0199e3a1-7c00-7000-8000-000000000000","operation":"join","phase":"sync","message":"waiting: ab","since":"2025-10-14T16:50:35.136Z","updated":"2027-01-15T08:00:05Z","conditions":[{"type":"Progressing","status":"True","reason":"AddLearner","message":"add-learner is under way","lastTransitionTime":"2027-01-15T08:00:01Z"},{"type":"MemberAdded","status":"True","reason":"Learner","message":"member ab is a learner","lastTransitionTime":"2027-01-15T08:00:03Z"},{"type":"Promoted","status":"False","reason":"NotYet","message":"","lastTransitionTime":"2027-01-15T08:00:00Z"}]}"#);
        story.take(&Event {
            at: at(9),
            kind: EventKind::RunFinished {
                outcome: Outcome::CheckRefused,
                exit_status: 10,
                message: "x".repeat(9_000),
                hints: Vec::new(),
                duration: Duration::ZERO,
            },
        });
        assert!(story.text().len() < 2_000 && story.text().contains("CheckRefused"));
    }
}
