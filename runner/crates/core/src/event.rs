//! What happens in a run, as it is told to people, machines and notifier plugins.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::clock;
use crate::cluster::MemberId;
use crate::cluster::oracle::Forecast;
use crate::terms::{LogLevel, Outcome, RunKind, Severity, Step, VerdictKind};

/// One thing that happened. Serialised flat: `{"at": "…", "kind": "…", …}`.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened. New kinds may come with any release; readers ignore kinds they do not know.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum EventKind {
    /// A run began (or went on, for `resume` and `rollback`).
    RunStarted {
        /// The run's id.
        run: String,
        /// Which kind of run.
        operation: RunKind,
        /// The joining member's name.
        member: String,
    },
    /// A large plugin is compiled for this machine, which takes a while; its code is kept for the next runs.
    PluginCompiling {
        /// Its name.
        plugin: String,
        /// The component's size.
        bytes: u64,
    },
    /// A plugin was loaded and is ready to be asked.
    PluginLoaded {
        /// Its name.
        plugin: String,
        /// Its roles.
        roles: Vec<String>,
        /// `sha256:…` of the component.
        digest: String,
        /// Things worth knowing, for example functions this runner lacks.
        notes: Vec<String>,
    },
    /// A plugin said something.
    PluginLog {
        /// Which plugin.
        plugin: String,
        /// How loud.
        level: LogLevel,
        /// What it said.
        message: String,
    },
    /// A plugin answered.
    PluginVerdict {
        /// Which plugin.
        plugin: String,
        /// What its answer came to.
        verdict: VerdictKind,
        /// Where it is `monitored`: what its verdict would have been.
        #[serde(skip_serializing_if = "Option::is_none")]
        would: Option<VerdictKind>,
        /// Why; empty where there is nothing to say.
        reason: String,
        /// What the call used.
        usage: Usage,
    },
    /// A step began.
    StepStarted {
        /// Which.
        step: Step,
    },
    /// A step is done.
    StepFinished {
        /// Which.
        step: Step,
        /// How long it took.
        #[serde(serialize_with = "millis", rename = "durationMs")]
        duration: Duration,
        /// What it came to, in a few words.
        summary: String,
    },
    /// A step failed.
    StepFailed {
        /// Which.
        step: Step,
        /// Why.
        error: String,
    },
    /// A check found something.
    Finding {
        /// `runner` or the plugin's name.
        source: String,
        /// How bad.
        severity: Severity,
        /// A stable identifier.
        code: String,
        /// What is the case.
        message: String,
        /// What to do about it.
        remedy: Option<String>,
        /// Which member it is about.
        member: Option<String>,
        /// Why it does not refuse the join, where the policy waives it.
        #[serde(skip_serializing_if = "Option::is_none")]
        waived: Option<String>,
        /// Whether it is of a plugin that has no say.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        monitored: bool,
    },
    /// The run waits for something outside it.
    Waiting {
        /// In which step.
        step: Step,
        /// For what.
        reason: String,
        /// Time left before the run gives up, where it is bounded.
        #[serde(serialize_with = "optional_millis", rename = "leftMs")]
        left: Option<Duration>,
    },
    /// What etcd will answer to the change that is about to be asked for, and which losses the cluster survives with it.
    Forecast(Forecast),
    /// The member has been added to the list.
    MemberAdded {
        /// Its id.
        id: MemberId,
    },
    /// How far the learner has come.
    SyncProgress(Progress),
    /// An undo began.
    Undoing {
        /// Of which step.
        step: Step,
    },
    /// An undo is done.
    Undone {
        /// Of which step.
        step: Step,
        /// What was undone, in a few words.
        summary: String,
    },
    /// An undo failed: a person is needed.
    UndoFailed {
        /// Of which step.
        step: Step,
        /// Why.
        error: String,
        /// What a person must do.
        remedy: String,
    },
    /// The run is over.
    RunFinished {
        /// How it ended.
        outcome: Outcome,
        /// The exit status that the command will end with.
        exit_status: u8,
        /// One sentence.
        message: String,
        /// What to do next, a line each.
        hints: Vec<String>,
        /// Seconds since the run started.
        #[serde(serialize_with = "millis", rename = "durationMs")]
        duration: Duration,
    },
}

/// How far a learner has come.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// The leader's committed raft index.
    pub leader_index: u64,
    /// The learner's applied raft index.
    pub applied_index: u64,
    /// Entries behind.
    pub lag: u64,
    /// Bytes received so far, by the member's metrics or the growth of its data directory.
    pub bytes: u64,
    /// Bytes that are to come in all: the leader's database size.
    pub bytes_total: u64,
    /// Bytes a second over the last seconds.
    pub rate: f64,
    /// A snapshot is on its way or being applied.
    pub snapshot: bool,
    /// The estimated time left.
    #[serde(serialize_with = "optional_millis", rename = "etaMs")]
    pub eta: Option<Duration>,
}

/// What one plugin call used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Time in guest code.
    #[serde(serialize_with = "micros", rename = "cpuUs")]
    pub cpu: Duration,
    /// Time in all.
    #[serde(serialize_with = "micros", rename = "wallUs")]
    pub wall: Duration,
    /// The most linear memory it had, in bytes.
    pub memory: u64,
    /// Calls into the host.
    pub host_calls: u64,
    /// Bytes handed to the guest.
    pub bytes_in: u64,
    /// Bytes taken from the guest.
    pub bytes_out: u64,
}

/// Whoever wants to know. Must not block: a slow reader buffers or drops on its own account.
pub trait EventSink: Send + Sync {
    /// Takes one event.
    fn emit(&self, event: Event);
}

impl Event {
    /// This, now.
    pub fn now(kind: EventKind) -> Self {
        Self { at: clock::now(), kind }
    }

    /// The kind's name in kebab-case, as serialised.
    pub fn name(&self) -> String {
        let value = serde_json::to_value(self).unwrap_or_default();
        value.get("kind").and_then(|k| k.as_str()).unwrap_or_default().to_owned()
    }
}

impl<T: EventSink + ?Sized> EventSink for std::sync::Arc<T> {
    fn emit(&self, event: Event) {
        (**self).emit(event);
    }
}

fn millis<S: serde::Serializer>(duration: &Duration, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_u64(duration.as_millis() as u64)
}

fn optional_millis<S: serde::Serializer>(duration: &Option<Duration>, s: S) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => millis(duration, s),
        None => s.serialize_none(),
    }
}

fn micros<S: serde::Serializer>(duration: &Duration, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_u64(duration.as_micros() as u64)
}
