//! What a policy file says, as types. Its JSON Schema is made from these, so the comments are written for whoever fills it in.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::quantity::{Quantity, Span};
use crate::config::spelled::Spelled;
use crate::grants::Grants;
use crate::terms::{FailurePolicy, Mode, OnApprovalTimeout, SilentLearner, StaleLearner};

/// The policy of a join: which plugins judge it, what they may use, and how patient the run is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JoinPolicy {
    /// `runner.dev/v1alpha1`.
    pub api_version: ApiVersion,
    /// `JoinPolicy`.
    pub kind: Kind,
    /// What it is called.
    pub metadata: Metadata,
    /// What it says.
    pub spec: Spec,
}

/// The version of this format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// The one that there is.
    #[serde(rename = "runner.dev/v1alpha1")]
    V1Alpha1,
}

/// The kind of document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    /// The one that there is.
    JoinPolicy,
}

/// What a policy is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// Its name, for messages.
    pub name: PluginName,
}

/// What a policy says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Spec {
    /// The plugins that are asked.
    pub plugins: Vec<Plugin>,
    /// When the built-in gate lets a learner become a voter; plugins are asked only once it is open.
    pub gate: Gate,
    /// How long each wait of the run may take.
    pub timeouts: Timeouts,
    /// What becomes of a learner that has caught up and is not approved within `timeouts.approval`. `Undo` unless told
    /// otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_approval_timeout: Option<Spelled<OnApprovalTimeout>>,
    /// What to do about a learner in the member list that is not ours. `Wait` unless told otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale_learner: Option<Spelled<StaleLearner>>,
    /// What to do about the joining learner where it has all the data and does not serve: etcd lets such a member wait for up to 7 s.
    /// `Restart` unless told otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent_learner: Option<Spelled<SilentLearner>>,
}

/// One plugin: a component, what it is told, what it may use, and how far its word goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Plugin {
    /// Its name in messages, unique in the policy. The file's name without `.wasm` where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<PluginName>,
    /// The component: a file, a folder of them (every `*.wasm` in it, each named after its file), or `oci://registry/repository:tag`
    /// of one that `runner plugin add` has fetched. Relative paths count from the policy file.
    pub source: Source,
    /// Pins the component: `sha256:…` of the file, as `runner plugin inspect` prints it. Another component is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Its settings; what can stand here is the plugin's to say. Accepted or refused by the plugin when it is loaded.
    #[serde(default)]
    pub settings: serde_json::Map<String, serde_json::Value>,
    /// What it may use beyond the facts of the cluster: nothing unless granted here.
    #[serde(default)]
    pub grants: Grants,
    /// What one call of it may use.
    #[serde(default)]
    pub limits: Limits,
    /// What becomes of the join when the plugin fails to answer. `Fail` for checks and promotion criteria and `Ignore` for
    /// notifiers unless told otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_policy: Option<Spelled<FailurePolicy>>,
    /// Whether its word counts.
    #[serde(default)]
    pub mode: Spelled<Mode>,
    /// Its place in reports: lower numbers first, plugins of one number as they stand in the file. 0 unless told otherwise.
    #[serde(default)]
    pub order: i32,
    /// Findings of this plugin that do not refuse the join, each with a reason.
    #[serde(default)]
    pub waivers: Vec<Waiver>,
}

/// What one call of a plugin may use; runner's defaults where nothing is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// Processor time: `1s` unless told otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Span>,
    /// Time in all, also while it waits: `10s` unless told otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall: Option<Span>,
    /// Memory: `128Mi` unless told otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Quantity>,
    /// Bytes from and to the plugin together: `16Mi` unless told otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Quantity>,
}

/// A finding that does not refuse the join. It is reported all the same, as waived, with the reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Waiver {
    /// The finding's code, as reports show it in brackets.
    pub code: PluginName,
    /// Only findings about this member (its id or its name, as the finding has it); any where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// The last day on which it counts (UTC), or the moment from which it does not. For good where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
    /// Why, for whoever reads the report.
    pub reason: Reason,
}

/// The built-in promotion gate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Gate {
    /// The most raft entries that the learner may be behind the leader: 50 unless told otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_lag: Option<u64>,
    /// How long it must have stayed that near, without a change of leader: `500ms` unless told otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stability: Option<Span>,
    /// Time between two samples: `50ms` unless told otherwise, `10ms` at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Span>,
}

/// How long each wait may take. Every wait ends with what it waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Timeouts {
    /// For a first answer from the cluster: `10s` unless told otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discover: Option<Span>,
    /// In the queue of joiners: `30m` unless told otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock: Option<Span>,
    /// For somebody else's learner to become a voter or go: `5m` unless told otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learner_slot: Option<Span>,
    /// For etcd to accept the new member: `1m` unless told otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub add: Option<Span>,
    /// For the started member to show up in the member list: `2m` unless told otherwise (`30m` where somebody else starts it).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Span>,
    /// Without any progress while the learner catches up: `1m` unless told otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stall: Option<Span>,
    /// For the promotion plugins to approve, once the built-in gate is open: `10m` unless told otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<Span>,
    /// For etcd to accept the promotion: `1m` unless told otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promote: Option<Span>,
    /// For every member to see the new voter, and for it to serve: `1m` unless told otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verify: Option<Span>,
    /// For the notifiers, all together: `15s` unless told otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub announce: Option<Span>,
    /// For each undo: `1m` unless told otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo: Option<Span>,
}

/// A name: letters, digits, `-`, `_` and `.`, 80 at most.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[schemars(extend("pattern" = r"^[A-Za-z0-9_.-]{1,80}$"))]
pub struct PluginName(pub String);

/// Where a component is: a path, or `oci://…`.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(extend("minLength" = 1))]
pub struct Source(pub String);

/// `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(extend("pattern" = "^sha256:[0-9a-f]{64}$"))]
pub struct Digest(pub String);

/// A day (`2026-12-31`, in UTC, that day included) or a moment (`2026-12-31T18:00:00Z`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(extend("pattern" = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"))]
pub struct Until(#[schemars(with = "String")] pub Timestamp);

/// A sentence for people; not empty.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(extend("minLength" = 1, "maxLength" = 500))]
pub struct Reason(pub String);

impl JoinPolicy {
    /// The version of the format.
    pub const API_VERSION: &str = "runner.dev/v1alpha1";
    /// The kind of document.
    pub const KIND: &str = "JoinPolicy";
}

impl Limits {
    /// Whether something of it is nothing at all, so that the plugin could not be asked.
    pub(in crate::config) fn nothing(&self) -> bool {
        let none = |span: Option<Span>| span.is_some_and(|s| s.0.is_zero());
        none(self.cpu) || none(self.wall) || [self.memory, self.bytes].into_iter().flatten().any(|q| q.0 == 0)
    }
}

impl Gate {
    /// What is wrong with its numbers: the key, and a sentence.
    pub(in crate::config) fn trouble(&self) -> Option<(&'static str, &'static str)> {
        let too_often = self.interval.is_some_and(|s| s.0 < std::time::Duration::from_millis(10));
        too_often.then_some(("interval", "10ms is the least: each sample is two requests to the cluster"))
    }
}

impl Timeouts {
    /// What is wrong with its times: the key, and a sentence.
    pub(in crate::config) fn trouble(&self) -> Option<(&'static str, &'static str)> {
        let zero = self.given().find(|(_, span, may_be_zero)| span.0.is_zero() && !may_be_zero);
        zero.map(|(key, ..)| (key, "without any time it cannot be done"))
    }

    /// Every timeout that is given, with its key; whether it may be none at all.
    pub(in crate::config) fn given(&self) -> impl Iterator<Item = (&'static str, Span, bool)> {
        let all = [
            ("discover", self.discover, false),
            ("lock", self.lock, true),
            ("learnerSlot", self.learner_slot, true),
            ("add", self.add, false),
            ("start", self.start, false),
            ("stall", self.stall, false),
            ("approval", self.approval, true),
            ("promote", self.promote, false),
            ("verify", self.verify, false),
            ("announce", self.announce, true),
            ("undo", self.undo, false),
        ];
        all.into_iter().filter_map(|(key, span, may_be_zero)| Some((key, span?, may_be_zero)))
    }
}

impl Source {
    /// The reference of a component in a registry, without `oci://`; none where it is a path.
    pub fn oci(&self) -> Option<&str> {
        self.0.strip_prefix("oci://")
    }
}

impl FromStr for PluginName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let usable = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        match text.chars().all(usable) && (1..=80).contains(&text.len()) {
            true => Ok(Self(text.to_owned())),
            false => Err(format!("{text:?} is not a name: use letters, digits, `-`, `_` and `.`, at most 80 of them")),
        }
    }
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once("://") {
            _ if text.trim().is_empty() => Err("a path or `oci://…` is missing".to_owned()),
            Some(("oci", "")) => Err("after `oci://` the component's place is missing".to_owned()),
            None | Some(("oci", _)) => Ok(Self(text.to_owned())),
            Some((scheme, _)) => {
                Err(format!("`{scheme}://` is not a source: use a path, or `oci://registry/repository:tag`"))
            }
        }
    }
}

impl FromStr for Digest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let hex = text.strip_prefix("sha256:").unwrap_or_default();
        match hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            true => Ok(Self(text.to_ascii_lowercase())),
            false => Err(format!("{text:?} is not a digest: it is `sha256:` and 64 hexadecimal digits")),
        }
    }
}

impl FromStr for Until {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let day = |day: Date| TimeZone::UTC.to_timestamp(day.tomorrow().ok()?.at(0, 0, 0, 0)).ok();
        // A moment first: the date parser takes a moment's date, too, and forgets its time.
        let moment = text.parse::<Timestamp>().ok();
        let by_day = || if text.len() == 10 { text.parse::<Date>().ok().and_then(day) } else { None };
        moment
            .or_else(by_day)
            .map(Self)
            .ok_or_else(|| format!("{text:?} is neither a day nor a moment: write `2026-12-31` or `2026-12-31T18:00:00Z`"))
    }
}

impl FromStr for Reason {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        match text.chars().count() {
            0 => Err("a reason is missing: it is what the report shows beside the finding".to_owned()),
            1..=500 => Ok(Self(text.to_owned())),
            _ => Err("a reason may have 500 characters".to_owned()),
        }
    }
}

/// Texts with a form of their own are read by `FromStr`, so that a wrong one is said at its own place.
macro_rules! text {
    ($($name:ident),*) => { $(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0)
            }
        }
    )* };
}

text!(PluginName, Source, Digest, Until, Reason);
