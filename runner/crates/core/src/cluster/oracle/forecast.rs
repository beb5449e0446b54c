//! A proposed change and what comes of it.

use serde::Serialize;

use super::situation::Situation;
use super::{Tolerance, judge, words};
use crate::cluster::{MemberId, Reason};

/// A change of the membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Add a member with these peer URLs as a learner.
    AddLearner(Vec<String>),
    /// Add it as a voter. Runner never does; the oracle knows it to say why.
    AddVoter(Vec<String>),
    /// Make this learner a voter.
    Promote(MemberId),
    /// Remove this member.
    Remove(MemberId),
}

/// What etcd answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "is", content = "reason", rename_all = "kebab-case")]
pub enum Answer {
    /// It does as asked.
    Accepted,
    /// It refuses at once, with this error.
    Refused(Reason),
    /// It cannot know yet and gives up after its request timeout (5 s and two election timeouts), with this error. The change may take
    /// effect later.
    Unanswered(Reason),
}

/// What comes of a change.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Forecast {
    /// The change, in words.
    pub change: String,
    /// The answer.
    pub answer: Answer,
    /// Why, as one sentence.
    pub why: String,
    /// What mends it, where it is refused and something does.
    pub fix: Option<String>,
    /// Which losses the cluster survives.
    pub tolerance: Tolerance,
}

impl Forecast {
    /// What comes of the change in this situation.
    pub fn of(situation: &Situation, change: &Change) -> Self {
        let answer = judge::answer(situation, change);
        Self {
            change: words::change(situation, change),
            answer,
            why: words::why(situation, change, answer),
            fix: words::fix(situation, change, answer),
            tolerance: Tolerance::of(situation, change),
        }
    }

    /// Whether etcd does as asked.
    pub fn accepted(&self) -> bool {
        self.answer == Answer::Accepted
    }
}
