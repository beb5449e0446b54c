//! A node's entry in the progress ConfigMap, as it is read again.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::text::one_line;

/// The most of a text that is shown.
const SHOWN: usize = 500;

/// What a node's entry says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The node.
    pub node: String,
    /// The run's id.
    pub run: String,
    /// `join`, `resume` or `rollback`.
    pub operation: String,
    /// The step, or how the run was left.
    pub phase: String,
    /// What was the case, in one sentence.
    pub message: String,
    /// When it was written, by the node's clock.
    pub updated: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Written {
    run: String,
    #[serde(default)]
    operation: String,
    #[serde(default)]
    phase: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    updated: Option<Timestamp>,
}

impl Entry {
    /// Reads the value of this node's key; none where it is not what a runner writes.
    pub(in crate::kubernetes) fn read(node: &str, text: &str) -> Option<Self> {
        let written: Written = serde_json::from_str(text).ok()?;
        let clean = |text: &str| one_line(text, SHOWN);
        Some(Self {
            node: clean(node),
            run: clean(&written.run),
            operation: clean(&written.operation),
            phase: clean(&written.phase),
            message: clean(&written.message),
            updated: written.updated,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::story::Story;
    use super::*;
    use crate::terms::Step;

    #[test]
    fn what_is_written_is_read_and_anything_else_is_not() {
        let mut story = Story::new("run-1", Timestamp::UNIX_EPOCH);
        let at = Timestamp::from_second(1_800_000_000).unwrap();
        story.take(&crate::event::Event { at, kind: crate::event::EventKind::StepStarted { step: Step::Sync } });
        let entry = Entry::read("cp-2", &story.text()).unwrap();
        assert_eq!((entry.run.as_str(), entry.phase.as_str(), entry.updated), ("run-1", "sync", Some(at)));
        assert_eq!(entry.message, "sync is under way");
        for odd in ["", "null", "[]", "{}", r#"{"run": 5}"#] {
            assert_eq!(Entry::read("cp-2", odd), None, "{odd}");
        }
        assert_eq!(Entry::read("cp-2", r#"{"run": "a\u001b[2Jb"}"#).unwrap().run, "ab");
    }
}
