//! What is expected of a plugin, and where it did something else.

use std::str::FromStr;

use serde::Deserialize;

use super::pattern::Pattern;
use super::short::text_or_map;
use crate::pipeline::{FaultKind, Severity};

/// What is expected. Exactly one of `verdict`, `findings`, `told`, `error`, `fault`, `problems` and `refused` says how the call
/// ends.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Expect {
    /// Promotion: `approve`, `wait`, `reject`, or with the reason: `{ wait: "steady for *" }`, `{ reject: "*" }`.
    #[serde(deserialize_with = "verdict")]
    pub verdict: Option<ExpectedVerdict>,
    /// Health check: exactly these findings, in any order; `[]` is a clean bill of health.
    pub findings: Option<Vec<ExpectedFinding>>,
    /// Notifier: it says that it has told.
    pub told: Option<bool>,
    /// It says itself that it could not do its work.
    pub error: Option<Pattern>,
    /// It fails in another way.
    pub fault: Option<FaultKind>,
    /// It refuses its settings, for exactly these problems; `[]` only asks whether it accepts them.
    pub problems: Option<Vec<ExpectedProblem>>,
    /// It cannot be used at all; with what runner says of it.
    pub refused: Option<Pattern>,
    /// Texts that are in its log, each in some line.
    pub log: Vec<Pattern>,
}

/// An expected verdict.
#[derive(Clone, Debug, PartialEq)]
pub enum ExpectedVerdict {
    /// It may vote.
    Approve,
    /// Not yet.
    Wait(ExpectedWait),
    /// Never.
    Reject(Pattern),
}

/// An expected wait. Short form: its reason.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ExpectedWait {
    /// What for.
    pub reason: Option<Pattern>,
    /// When to ask again.
    pub retry_after_ms: Option<u64>,
}

/// An expected finding. What is left out may be anything. Short form: its code.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct FindingFields {
    /// How bad.
    pub severity: Option<Severity>,
    /// Its identifier.
    pub code: Option<Pattern>,
    /// What is the case.
    pub message: Option<Pattern>,
    /// What to do about it.
    pub remedy: Option<Pattern>,
    /// The member that it is about, by name or id.
    pub member: Option<String>,
}

/// See [`FindingFields`].
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct ExpectedFinding(#[serde(deserialize_with = "text_or_map")] pub FindingFields);

/// An expected problem of the settings. What is left out may be anything. Short form: its path.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ProblemFields {
    /// Where.
    pub path: Option<Pattern>,
    /// What is wrong.
    pub message: Option<Pattern>,
}

/// See [`ProblemFields`].
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct ExpectedProblem(#[serde(deserialize_with = "text_or_map")] pub ProblemFields);

impl FromStr for ExpectedVerdict {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "approve" => Ok(Self::Approve),
            "wait" => Ok(Self::Wait(ExpectedWait::default())),
            "reject" => Ok(Self::Reject(Pattern("*".to_owned()))),
            _ => Err(format!("`{text}` is no verdict; write `approve`, `wait: REASON` or `reject: REASON`")),
        }
    }
}

impl FromStr for ExpectedWait {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self { reason: Some(Pattern(text.to_owned())), retry_after_ms: None })
    }
}

impl FromStr for FindingFields {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self { code: Some(Pattern(text.to_owned())), ..Self::default() })
    }
}

impl FromStr for ProblemFields {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self { path: Some(Pattern(text.to_owned())), ..Self::default() })
    }
}

fn verdict<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<ExpectedVerdict>, D::Error> {
    /// The mapping: one of its keys.
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Keys {
        #[serde(default)]
        wait: Option<Wait>,
        #[serde(default)]
        reject: Option<Pattern>,
    }
    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Wait(#[serde(deserialize_with = "text_or_map")] ExpectedWait);
    struct Form(ExpectedVerdict);
    impl FromStr for Form {
        type Err = String;

        fn from_str(text: &str) -> Result<Self, String> {
            text.parse().map(Self)
        }
    }
    impl<'de> Deserialize<'de> for Form {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            match Keys::deserialize(deserializer)? {
                Keys { wait: Some(Wait(wait)), reject: None } => Ok(Self(ExpectedVerdict::Wait(wait))),
                Keys { wait: None, reject: Some(reason) } => Ok(Self(ExpectedVerdict::Reject(reason))),
                _ => Err(serde::de::Error::custom("a verdict is `approve`, `wait: REASON` or `reject: REASON`")),
            }
        }
    }
    text_or_map::<D, Form>(deserializer).map(|Form(verdict)| Some(verdict))
}
