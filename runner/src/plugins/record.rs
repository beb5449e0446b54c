//! What a plugin was asked in one call, what it asked itself, and what came of it: enough to ask it again.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::blot::Blot;
use super::limits::Limits;
use super::roles::Role;
use super::roles::configuration_role::SettingProblem;
use crate::cluster::{MemberId, View};
use crate::event::Usage;
use crate::grants::Grants;
use crate::pipeline::{Fault, Finding, Newcomer, Sample, Verdict};
use crate::surroundings::{Ask, Refused, Reply};

/// A question to a plugin.
#[derive(Clone, Debug)]
pub enum Question {
    /// Can it work with its settings?
    Settings,
    /// See [`Role::HealthCheck`].
    HealthCheck {
        /// The cluster.
        view: Arc<View>,
        /// Who wants to join.
        newcomer: Arc<Newcomer>,
    },
    /// See [`Role::Promotion`].
    Promotion {
        /// The cluster.
        view: Arc<View>,
        /// Who is to be promoted.
        candidate: MemberId,
        /// How far it has come.
        window: Arc<[Sample]>,
    },
    /// See [`Role::Notifier`].
    Notifier {
        /// What happened.
        events: Arc<[ToldEvent]>,
    },
}

/// An event as a notifier gets it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ToldEvent {
    /// Its kind.
    pub kind: String,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// The whole event as JSON.
    pub json: String,
}

/// A plugin's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answered {
    /// The problems of its settings.
    Problems(Vec<SettingProblem>),
    /// What its check found.
    Findings(Vec<Finding>),
    /// Its verdict.
    Verdict(Verdict),
    /// It has told.
    Told,
}

/// One question of a plugin to the world, and the answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exchange {
    /// The question.
    pub ask: Ask,
    /// The answer.
    pub answer: Result<Reply, Refused>,
}

/// Which plugin, and how it was configured.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its name in the run.
    pub name: String,
    /// The component file.
    pub path: PathBuf,
    /// The digest of the component, `sha256:…`.
    pub digest: String,
    /// The version of the contract that it was built against.
    pub contract: Option<String>,
    /// Its settings as it gets them.
    pub settings: Arc<str>,
    /// What it was granted.
    pub grants: Grants,
    /// What one call may use.
    pub limits: Limits,
}

/// One call.
#[derive(Clone, Debug)]
pub struct CallRecord {
    /// Who was asked.
    pub plugin: Arc<Identity>,
    /// What it was asked.
    pub question: Question,
    /// The time that it saw.
    pub now: Timestamp,
    /// What it asked, in order. A secret's text is not in its answer.
    pub asked: Vec<Exchange>,
    /// What it read off WASI's clocks: nanoseconds since the call began.
    pub wasi_clock: Vec<u64>,
    /// What came of it.
    pub result: Result<Answered, Fault>,
    /// What it used.
    pub usage: Usage,
    /// The secrets that it was given: they may be in what it asked.
    pub(super) blot: Blot,
}

/// Whoever writes calls down. Must not block, and must put what it writes through [`Secrets`].
pub trait Recorder: Send + Sync {
    /// Takes one call.
    fn call(&self, call: CallRecord);
}

/// The secrets of many calls, to be blotted out of what is written down.
#[derive(Clone, Debug, Default)]
pub struct Secrets(Blot);

/// What becomes an [`Answered`].
pub(super) trait Recordable {
    /// The answer, for the record.
    fn answered(&self) -> Answered;
}

impl Recordable for () {
    fn answered(&self) -> Answered {
        Answered::Told
    }
}

impl Recordable for Vec<Finding> {
    fn answered(&self) -> Answered {
        Answered::Findings(self.clone())
    }
}

impl Recordable for Vec<SettingProblem> {
    fn answered(&self) -> Answered {
        Answered::Problems(self.clone())
    }
}

impl Recordable for Verdict {
    fn answered(&self) -> Answered {
        Answered::Verdict(self.clone())
    }
}

impl Question {
    /// The role that is asked; none for the settings.
    pub fn role(&self) -> Option<Role> {
        match self {
            Self::Settings => None,
            Self::HealthCheck { .. } => Some(Role::HealthCheck),
            Self::Promotion { .. } => Some(Role::Promotion),
            Self::Notifier { .. } => Some(Role::Notifier),
        }
    }

    /// What it is called in a recording and in reports.
    pub fn name(&self) -> &'static str {
        self.role().map_or("settings", Role::name)
    }
}

impl CallRecord {
    /// A call now that asked nothing.
    #[cfg(test)]
    pub(crate) fn new(plugin: Arc<Identity>, question: Question, result: Result<Answered, Fault>, usage: Usage) -> Self {
        let (asked, wasi_clock, blot) = (Vec::new(), Vec::new(), Blot::default());
        Self { plugin, question, now: crate::clock::now(), asked, wasi_clock, result, usage, blot }
    }

    /// What it asked, with its secrets blotted out, as it would be written down.
    pub fn asked_blotted(&self) -> Vec<Value> {
        let secrets = Secrets(self.blot.clone());
        let blotted = self.asked.iter().map(|exchange| {
            let mut ask = serde_json::to_value(&exchange.ask).unwrap_or_default();
            secrets.blot(&mut ask);
            ask
        });
        blotted.collect()
    }
}

impl Exchange {
    /// The kind of refusal that stands for "there was no answer yet when the call ended".
    pub const UNANSWERED: &str = "unanswered";

    /// A question that is not answered yet.
    pub(super) fn unanswered(ask: &Ask) -> Self {
        Self { ask: ask.clone(), answer: Err(Refused::new(Self::UNANSWERED, "the call ended before there was an answer")) }
    }

    /// One for the record: without a secret's text.
    pub(super) fn new(ask: &Ask, answer: &Result<Reply, Refused>) -> Self {
        let answer = match (ask, answer) {
            (Ask::Secret { name }, Ok(Reply::Secret(text))) => Ok(Reply::Secret(stand_in(name, text))),
            _ => answer.clone(),
        };
        Self { ask: ask.clone(), answer }
    }
}

impl Secrets {
    /// Those that these exchanges of a recording were about: their markers stand in their place.
    pub fn of(recorded: &[Exchange]) -> Self {
        let blot = Blot::default();
        for exchange in recorded {
            if let (Ask::Secret { name }, Ok(Reply::Secret(text))) = (&exchange.ask, &exchange.answer) {
                blot.learn(name, text);
            }
        }
        Self(blot)
    }

    /// From now on this call's secrets are known.
    pub fn learn(&mut self, call: &CallRecord) {
        self.0.join(&call.blot);
    }

    /// Blots them out of every text in it.
    pub fn blot(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.0.out(std::mem::take(text)),
            Value::Array(items) => items.iter_mut().for_each(|item| self.blot(item)),
            Value::Object(fields) => {
                // Bytes that are no text: what is in them cannot be replaced, so they go as a whole.
                if let Some(Value::String(base64)) = fields.get("base64").filter(|_| fields.len() == 1)
                    && self.0.in_base64(base64)
                {
                    *value = Value::String("[bytes with a secret in them]".to_owned());
                    return;
                }
                for (mut name, mut field) in std::mem::take(fields) {
                    name = self.0.out(name);
                    self.blot(&mut field);
                    fields.insert(name, field);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// What a replayed plugin gets in the place of a secret: a URL where it was one, so that it goes on as it did.
fn stand_in(name: &str, text: &str) -> String {
    let scheme = ["https://", "http://"].into_iter().find(|scheme| text.trim_start().starts_with(scheme));
    match scheme {
        Some(scheme) => {
            let host: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
            format!("{scheme}{host}.secret.invalid/stand-in")
        }
        None => format!("[secret {name}]"),
    }
}
