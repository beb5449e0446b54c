//! The run record: one JSON document that says how a run went, for whoever asks afterwards.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tempfile::NamedTempFile;

use super::text::shape;
use crate::cluster::MemberId;
use crate::cluster::oracle::Forecast;
use crate::event::{Event, EventKind, EventSink, Progress, Usage};
use crate::terms::{self, Outcome, RunKind, Severity, VerdictKind};

/// So many verdicts of one plugin and reasons for waiting are told apart; further ones are counted with the last.
const SHAPES: usize = 16;

/// So many findings are kept: a check that finds more has made its point.
const FINDINGS: usize = 1_000;

/// Collects a run's events into its record. Bounded: repeats are counted, not kept.
#[derive(Default)]
pub struct RunRecord {
    record: Mutex<Record>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    /// The layout of this document.
    record_version: u32,
    run: String,
    operation: Option<RunKind>,
    member: String,
    member_id: Option<MemberId>,
    started: Option<Timestamp>,
    finished: Option<Timestamp>,
    duration_ms: Option<u64>,
    outcome: Option<Outcome>,
    exit_status: Option<u8>,
    message: Option<String>,
    hints: Vec<String>,
    steps: Vec<Step>,
    findings: Vec<Finding>,
    forecasts: Vec<Told>,
    waits: Vec<Wait>,
    sync: Option<Progress>,
    plugins: BTreeMap<String, Plugin>,
    undo: Vec<Undo>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Step {
    name: terms::Step,
    started: Timestamp,
    /// `running`, `done` or `failed`.
    state: &'static str,
    duration_ms: Option<u64>,
    summary: Option<String>,
    error: Option<String>,
}

#[derive(Serialize)]
struct Finding {
    source: String,
    severity: Severity,
    code: String,
    message: String,
    remedy: Option<String>,
    member: Option<String>,
    /// Why it did not refuse the join, where it was waived.
    #[serde(skip_serializing_if = "Option::is_none")]
    waived: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    monitored: bool,
}

/// What the oracle said before a change.
#[derive(Serialize)]
struct Told {
    at: Timestamp,
    #[serde(flatten)]
    forecast: Forecast,
}

/// A reason for waiting, in its latest wording.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wait {
    step: terms::Step,
    reason: String,
    times: u64,
    first: Timestamp,
    last: Timestamp,
    #[serde(skip)]
    shape: String,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Plugin {
    roles: Vec<String>,
    digest: Option<String>,
    notes: Vec<String>,
    verdicts: Vec<Said>,
    usage: Total,
}

/// A verdict, in its latest wording.
#[derive(Serialize)]
struct Said {
    verdict: VerdictKind,
    /// What it would have been, where it has no say.
    #[serde(skip_serializing_if = "Option::is_none")]
    would: Option<VerdictKind>,
    reason: String,
    times: u64,
    first: Timestamp,
    last: Timestamp,
    #[serde(skip)]
    shape: String,
}

/// What all calls of one plugin used: sums, and for the memory the most.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Total {
    calls: u64,
    cpu_us: u64,
    wall_us: u64,
    longest_wall_us: u64,
    most_memory: u64,
    host_calls: u64,
    bytes_in: u64,
    bytes_out: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Undo {
    step: terms::Step,
    started: Timestamp,
    /// `running`, `done`, `failed`, or `nothing` where there was nothing to undo.
    state: &'static str,
    duration_ms: Option<u64>,
    summary: Option<String>,
    error: Option<String>,
    remedy: Option<String>,
}

impl RunRecord {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// The record as it stands, as an indented JSON document. Before the run is over its `outcome` is null.
    pub fn to_json(&self) -> String {
        let record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        // Strings, numbers and lists: nothing in it can fail to be written.
        serde_json::to_string_pretty(&*record).unwrap_or_default()
    }

    /// Writes the record to `path`: readable by the owner alone, and either whole or not at all. Replaces what is there.
    ///
    /// Fails as writing to the directory does; does not make the directory.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Made with mode 0600 by the crate: names, addresses and plugins' words are nobody else's business.
        let mut file = NamedTempFile::new_in(folder)?;
        file.write_all(format!("{}\n", self.to_json()).as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|e| e.error)?;
        File::open(folder)?.sync_all()
    }
}

impl EventSink for RunRecord {
    fn emit(&self, event: Event) {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).take(event);
    }
}

impl Record {
    fn take(&mut self, event: Event) {
        let at = event.at;
        // An undo that found nothing to do ends without a word.
        if matches!(event.kind, EventKind::Undoing { .. } | EventKind::StepStarted { .. } | EventKind::RunFinished { .. }) {
            self.undo.iter_mut().filter(|u| u.state == "running").for_each(|u| u.state = "nothing");
        }
        match event.kind {
            EventKind::RunStarted { run, operation, member } => {
                *self = Self {
                    record_version: 1,
                    run,
                    operation: Some(operation),
                    member,
                    started: Some(at),
                    ..std::mem::take(self)
                };
            }
            EventKind::PluginLoaded { plugin, roles, digest, notes } => {
                let plugin = self.plugins.entry(plugin).or_default();
                (plugin.roles, plugin.digest, plugin.notes) = (roles, Some(digest), notes);
            }
            EventKind::PluginLog { .. } | EventKind::PluginCompiling { .. } => {}
            EventKind::PluginVerdict { plugin, verdict, would, reason, usage } => {
                self.plugins.entry(plugin).or_default().take(at, (verdict, would), reason, &usage);
            }
            EventKind::StepStarted { step } => self.steps.push(Step {
                name: step,
                started: at,
                state: "running",
                duration_ms: None,
                summary: None,
                error: None,
            }),
            EventKind::StepFinished { step, duration, summary } => {
                if let Some(step) = self.steps.iter_mut().rfind(|s| s.name == step) {
                    (step.state, step.duration_ms, step.summary) = ("done", Some(millis(duration)), Some(summary));
                }
            }
            EventKind::StepFailed { step, error } => {
                if let Some(step) = self.steps.iter_mut().rfind(|s| s.name == step) {
                    (step.state, step.duration_ms, step.error) = ("failed", Some(between(step.started, at)), Some(error));
                }
            }
            EventKind::Finding { source, severity, code, message, remedy, member, waived, monitored } => {
                if self.findings.len() < FINDINGS {
                    self.findings.push(Finding { source, severity, code, message, remedy, member, waived, monitored });
                }
            }
            EventKind::Waiting { step, reason, .. } => self.wait(at, step, reason),
            EventKind::Forecast(forecast) => {
                if self.forecasts.len() < FINDINGS {
                    self.forecasts.push(Told { at, forecast });
                }
            }
            EventKind::MemberAdded { id } => self.member_id = Some(id),
            EventKind::SyncProgress(progress) => self.sync = Some(progress),
            EventKind::Undoing { step } => self.undo.push(Undo {
                step,
                started: at,
                state: "running",
                duration_ms: None,
                summary: None,
                error: None,
                remedy: None,
            }),
            EventKind::Undone { step, summary } => {
                if let Some(undo) = self.undo.iter_mut().rfind(|u| u.step == step) {
                    (undo.state, undo.summary) = ("done", Some(summary));
                    undo.duration_ms = Some(between(undo.started, at));
                }
            }
            EventKind::UndoFailed { step, error, remedy } => {
                if let Some(undo) = self.undo.iter_mut().rfind(|u| u.step == step) {
                    (undo.state, undo.error, undo.remedy) = ("failed", Some(error), Some(remedy));
                    undo.duration_ms = Some(between(undo.started, at));
                }
            }
            EventKind::RunFinished { outcome, exit_status, message, hints, duration } => {
                (self.finished, self.duration_ms) = (Some(at), Some(millis(duration)));
                (self.outcome, self.exit_status) = (Some(outcome), Some(exit_status));
                (self.message, self.hints) = (Some(message), hints);
            }
        }
    }

    fn wait(&mut self, at: Timestamp, step: terms::Step, reason: String) {
        let shape = shape(&reason);
        let full = self.waits.len() >= SHAPES;
        let same = self.waits.iter().position(|w| w.step == step && w.shape == shape);
        match same.or(if full { self.waits.len().checked_sub(1) } else { None }) {
            Some(place) => {
                let wait = &mut self.waits[place];
                (wait.reason, wait.last, wait.shape, wait.step) = (reason, at, shape, step);
                wait.times += 1;
            }
            None => self.waits.push(Wait { step, reason, times: 1, first: at, last: at, shape }),
        }
    }
}

impl Plugin {
    fn take(&mut self, at: Timestamp, (verdict, would): (VerdictKind, Option<VerdictKind>), reason: String, usage: &Usage) {
        self.usage.add(usage);
        let shape = shape(&reason);
        let full = self.verdicts.len() >= SHAPES;
        let same = self.verdicts.iter().position(|s| (s.verdict, s.would) == (verdict, would) && s.shape == shape);
        // Where there is no room for another wording, the latest of the same verdict is replaced; a new verdict always has room.
        let instead =
            || if full { self.verdicts.iter().rposition(|s| (s.verdict, s.would) == (verdict, would)) } else { None };
        match same.or_else(instead) {
            Some(place) => {
                let said = &mut self.verdicts[place];
                (said.reason, said.last, said.shape) = (reason, at, shape);
                said.times += 1;
            }
            None => self.verdicts.push(Said { verdict, would, reason, times: 1, first: at, last: at, shape }),
        }
    }
}

impl Total {
    fn add(&mut self, usage: &Usage) {
        self.calls += 1;
        self.cpu_us += micros(usage.cpu);
        self.wall_us += micros(usage.wall);
        self.longest_wall_us = self.longest_wall_us.max(micros(usage.wall));
        self.most_memory = self.most_memory.max(usage.memory);
        self.host_calls = self.host_calls.saturating_add(usage.host_calls);
        self.bytes_in = self.bytes_in.saturating_add(usage.bytes_in);
        self.bytes_out = self.bytes_out.saturating_add(usage.bytes_out);
    }
}

fn millis(duration: Duration) -> u64 {
    duration.as_millis() as u64
}

fn micros(duration: Duration) -> u64 {
    duration.as_micros() as u64
}

fn between(from: Timestamp, to: Timestamp) -> u64 {
    Duration::try_from(to.duration_since(from)).map(millis).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::fixture;
    use super::*;

    fn record(events: Vec<Event>) -> RunRecord {
        let record = RunRecord::new();
        events.into_iter().for_each(|e| record.emit(e));
        record
    }

    fn parsed(record: &RunRecord) -> serde_json::Value {
        serde_json::from_str(&record.to_json()).unwrap()
    }

    #[test]
    fn a_stuck_run() {
        insta::assert_snapshot!(record(fixture::stuck()).to_json(), @r#"
        {
          "recordVersion": 1,
          "run": "0195936e-7c1c-7000-8000-0a1b2c3d4e5f",
          "operation": "join",
          "member": "cp-3",
          "memberId": "8e9e05c52164694d",
          "started": "2026-03-14T09:26:53.5Z",
          "finished": "2026-03-14T09:28:04.336Z",
          "durationMs": 70836,
          "outcome": "stuck",
          "exitStatus": 16,
          "message": "the learner 8e9e05c52164694d is still in the member list",
          "hints": [
            "when the cluster has a leader again: `runner rollback`"
          ],
          "steps": [
            {
              "name": "discover",
              "started": "2026-03-14T09:26:53.5Z",
              "state": "done",
              "durationMs": 12,
              "summary": "2 members, leader cp-1, etcd 3.6.4",
              "error": null
            },
            {
              "name": "check",
              "started": "2026-03-14T09:26:53.512Z",
              "state": "done",
              "durationMs": 40,
              "summary": "16 checks, 1 warning",
              "error": null
            },
            {
              "name": "lock",
              "started": "2026-03-14T09:26:53.552Z",
              "state": "done",
              "durationMs": 4020,
              "summary": "ours after 4.0 s",
              "error": null
            },
            {
              "name": "add-learner",
              "started": "2026-03-14T09:26:57.572Z",
              "state": "done",
              "durationMs": 14,
              "summary": "8e9e05c52164694d",
              "error": null
            },
            {
              "name": "start-member",
              "started": "2026-03-14T09:26:57.586Z",
              "state": "done",
              "durationMs": 640,
              "summary": "etcd 3.6.4, process 4711",
              "error": null
            },
            {
              "name": "sync",
              "started": "2026-03-14T09:26:58.226Z",
              "state": "failed",
              "durationMs": 60800,
              "summary": null,
              "error": "no progress for 60 s"
            }
          ],
          "findings": [
            {
              "source": "runner",
              "severity": "info",
              "code": "fault-tolerance",
              "message": "while cp-3 is a learner the cluster can lose no voter",
              "remedy": null,
              "member": "cp-2"
            },
            {
              "source": "version-window",
              "severity": "warning",
              "code": "patch-skew",
              "message": "cp-2 runs etcd 3.6.1, three patches behind the others",
              "remedy": "upgrade cp-2 to 3.6.4 when the join is done",
              "member": "cp-2"
            }
          ],
          "forecasts": [],
          "waits": [
            {
              "step": "lock",
              "reason": "behind the run of cp-4, which has held the lock for 74 s; 1 before us",
              "times": 4,
              "first": "2026-03-14T09:26:53.552Z",
              "last": "2026-03-14T09:26:56.552Z"
            }
          ],
          "sync": {
            "leaderIndex": 161803,
            "appliedIndex": 0,
            "lag": 161803,
            "bytes": 3240099,
            "bytesTotal": 108003328,
            "rate": 12897485.0,
            "snapshot": true,
            "etaMs": 8122
          },
          "plugins": {
            "run-summary": {
              "roles": [
                "notifier"
              ],
              "digest": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
              "notes": [],
              "verdicts": [],
              "usage": {
                "calls": 0,
                "cpuUs": 0,
                "wallUs": 0,
                "longestWallUs": 0,
                "mostMemory": 0,
                "hostCalls": 0,
                "bytesIn": 0,
                "bytesOut": 0
              }
            },
            "steady-sync": {
              "roles": [
                "promotion"
              ],
              "digest": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
              "notes": [
                "built for 0.1.3: `candidate.zone` is not in this runner and fails when called"
              ],
              "verdicts": [],
              "usage": {
                "calls": 0,
                "cpuUs": 0,
                "wallUs": 0,
                "longestWallUs": 0,
                "mostMemory": 0,
                "hostCalls": 0,
                "bytesIn": 0,
                "bytesOut": 0
              }
            },
            "version-window": {
              "roles": [
                "health-check"
              ],
              "digest": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
              "notes": [],
              "verdicts": [
                {
                  "verdict": "pass",
                  "reason": "",
                  "times": 1,
                  "first": "2026-03-14T09:26:53.543Z",
                  "last": "2026-03-14T09:26:53.543Z"
                }
              ],
              "usage": {
                "calls": 1,
                "cpuUs": 210,
                "wallUs": 380,
                "longestWallUs": 380,
                "mostMemory": 1179648,
                "hostCalls": 9,
                "bytesIn": 640,
                "bytesOut": 96
              }
            }
          },
          "undo": [
            {
              "step": "start-member",
              "started": "2026-03-14T09:27:59.026Z",
              "state": "done",
              "durationMs": 310,
              "summary": "stopped etcd, removed /var/lib/etcd",
              "error": null,
              "remedy": null
            },
            {
              "step": "add-learner",
              "started": "2026-03-14T09:27:59.336Z",
              "state": "failed",
              "durationMs": 5000,
              "summary": null,
              "error": "etcdserver: no leader (at https://10.0.0.1:2379)",
              "remedy": "bring back a quorum, then `etcdctl member remove 8e9e05c52164694d`"
            }
          ]
        }
        "#);
    }

    #[test]
    fn an_undo_without_a_word_had_nothing_to_do() {
        let mut events = fixture::rolled_back();
        events.retain(|e| !matches!(e.kind, EventKind::Undone { step: terms::Step::AddLearner, .. }));
        let undo = parsed(&record(events))["undo"].clone();
        assert_eq!(
            (&undo[0]["state"], &undo[1]["state"], &undo[2]["state"]),
            (&"done".into(), &"nothing".into(), &"done".into())
        );
    }

    #[test]
    fn repeated_verdicts_are_counted_and_usage_is_summed() {
        let json = parsed(&record(fixture::joined()));
        let plugin = &json["plugins"]["steady-sync"];
        let times: u64 = plugin["verdicts"].as_array().unwrap().iter().map(|v| v["times"].as_u64().unwrap()).sum();
        assert_eq!((times, &plugin["usage"]["calls"]), (19, &19.into()));
        assert_eq!(plugin["usage"]["cpuUs"], 19 * 210);
        assert_eq!(plugin["verdicts"].as_array().unwrap().len(), 3, "two wordings of wait, and approve");
        assert_eq!((&json["outcome"], &json["exitStatus"]), (&"joined".into(), &0.into()));
        assert_eq!(json["waits"][0]["times"], 4);
    }

    #[test]
    fn a_chatty_plugin_does_not_make_it_grow() {
        let record = RunRecord::new();
        let at = fixture::joined()[0].at;
        for n in 0..50_000 {
            let reason: String = format!("{n}").chars().map(|c| char::from(c as u8 - b'0' + b'a')).collect();
            let wait = EventKind::Waiting { step: terms::Step::Sync, reason: reason.clone(), left: None };
            record.emit(Event { at, kind: wait });
            let usage = Usage::default();
            record.emit(Event {
                at,
                kind: EventKind::PluginVerdict {
                    plugin: "p".into(),
                    verdict: VerdictKind::Wait,
                    would: None,
                    reason,
                    usage,
                },
            });
        }
        let json = parsed(&record);
        assert_eq!(json["waits"].as_array().unwrap().len(), SHAPES);
        assert_eq!(json["plugins"]["p"]["verdicts"].as_array().unwrap().len(), SHAPES);
    }

    #[test]
    fn the_file_is_whole_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record.json");
        let record = record(fixture::refused());
        record.write(&path).unwrap();
        record.write(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, record.to_json() + "\n");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
        assert!(record.write(&folder.path().join("absent/record.json")).is_err());
    }
}
