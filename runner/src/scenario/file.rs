//! The scenario file: YAML, one document a scenario.
//!
//! ```yaml
//! name: a newcomer that is too old is refused
//! settings: { minimum: 3.5.12 }
//! cluster: 3.5.16 x 3
//! newcomer: { name: cp-4, version: 3.5.11 }
//! expect:
//!   findings:
//!     - { severity: error, code: version-too-old, message: "cp-4 is to run etcd 3.5.11, below *" }
//! ---
//! name: a learner that has been close for long enough is promoted
//! cluster: 3.5.16 x 3
//! samples: { lag: [5000, 100, 3, 0, 0, 0], every: 500ms }
//! expect: { verdict: approve }
//! ---
//! name: the webhook is told, and its trouble is said
//! events: [{ kind: run-finished, outcome: joined }]
//! hostCalls:
//!   - ask: { secret: { name: hook } }
//!     reply: { secret: "https://hooks.example/T0k3n" }
//!   - ask: { http: { method: POST, json: { outcome: joined } } }
//!     refused: { kind: timeout, message: no answer }
//! expect: { error: "*no answer*" }
//! ```

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::cluster::ClusterFacts;
use super::expect::Expect;
use super::facts::{NewcomerFacts, SamplesFacts};
use super::host_calls::{AskPattern, ReplyForm};
use super::short::text_or_map;
use crate::grants::Grants;
use crate::plugins::Role;
use crate::surroundings::Refused;

/// One scenario: facts in, what is expected of the plugin out.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scenario {
    /// What it is about, in a few words; unique in its file.
    pub name: String,
    /// Which role is asked. Needed only where neither the plugin nor what is expected says it.
    #[serde(default)]
    pub role: Option<Role>,
    /// The time that the plugin sees: 2027-01-15T08:00:00Z unless said.
    #[serde(default = "now")]
    pub now: Timestamp,
    /// The plugin's settings.
    #[serde(default)]
    pub settings: Map<String, Value>,
    /// What the plugin is granted. Unless said, everything it imports is linked and nothing is refused: then `hostCalls` alone
    /// decide.
    #[serde(default)]
    pub grants: Option<Grants>,
    /// The cluster; `3.5.16 x 3` unless said.
    #[serde(default = "ClusterFacts::usual", deserialize_with = "text_or_map")]
    pub cluster: ClusterFacts,
    /// Who wants to join.
    #[serde(default)]
    pub newcomer: NewcomerFacts,
    /// The candidate for a promotion, by name or id: the cluster's learner unless said. A cluster without one gets one, named as
    /// the newcomer.
    #[serde(default)]
    pub candidate: Option<String>,
    /// How far the candidate has come.
    #[serde(default)]
    pub samples: Option<SamplesFacts>,
    /// What a notifier is told: events with their `kind` and further fields, as `runner join --output json` prints them.
    #[serde(default)]
    pub events: Option<Vec<Map<String, Value>>>,
    /// What the plugin may ask of the world, and what it is answered. Anything else that it asks fails the scenario, and so does
    /// what it was expected to ask and did not. Random bytes need no entry: they come from a fixed seed.
    #[serde(default)]
    pub host_calls: Vec<HostCall>,
    /// Whether the host calls must come in the order of the file. Otherwise each takes the first unused entry that fits.
    #[serde(default)]
    pub host_calls_in_order: bool,
    /// What is expected of the plugin.
    pub expect: Expect,
}

/// One question to the world, and its answer: a reply or a refusal.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostCall {
    /// The question by its name, as in `fsync: { directory: /var/lib/etcd }`. What is left out may be anything; `*` in a text
    /// stands for any characters; `json` in the place of an HTTP body is compared as JSON.
    pub ask: AskPattern,
    /// The answer by its kind, as in `http: { status: 200, json: { ok: true } }` or `latency: { p99Us: 9000 }`. What is left out
    /// is filled with what is usual.
    #[serde(default)]
    pub reply: Option<ReplyForm>,
    /// A refusal in the place of an answer.
    #[serde(default)]
    pub refused: Option<Refused>,
    /// How often it is asked; any number of times (also never) with 0.
    #[serde(default = "once")]
    pub times: u32,
}

impl Scenario {
    /// What no type can say.
    pub(super) fn check(&self) -> Result<(), String> {
        let Expect { verdict, findings, told, error, fault, problems, refused, log: _ } = &self.expect;
        let ends = [
            verdict.is_some(),
            findings.is_some(),
            told.is_some(),
            error.is_some(),
            fault.is_some(),
            problems.is_some(),
            refused.is_some(),
        ];
        if ends.iter().filter(|end| **end).count() != 1 {
            let all = "`verdict`, `findings`, `told`, `error`, `fault`, `problems`, `refused`";
            return Err(format!("`expect` must have exactly one of {all}"));
        }
        if *told == Some(false) {
            return Err("`told: false`: expect the `error` or the `fault` instead".to_owned());
        }
        for (n, call) in self.host_calls.iter().enumerate() {
            match (&call.reply, &call.refused) {
                (Some(reply), None) if reply.kind() == call.ask.reply() => {}
                (Some(reply), None) => {
                    let (given, fits) = (reply.kind(), call.ask.reply());
                    return Err(format!("hostCalls[{n}]: `{given}` does not answer {}; `{fits}` does", call.ask));
                }
                (None, Some(_)) => {}
                _ => return Err(format!("hostCalls[{n}]: it needs either a `reply` or a `refused`")),
            }
        }
        Ok(())
    }
}

fn now() -> Timestamp {
    // The SDKs' fakes begin at the same time.
    Timestamp::constant(1_800_000_000, 0)
}

fn once() -> u32 {
    1
}
