//! Event sequences of whole runs, with fixed times, and a stream to write into.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::cluster::MemberId;
use crate::event::{Event, EventKind, Progress, Usage};
use crate::terms::{LogLevel, Outcome, RunKind, Severity, Step, VerdictKind};

/// A stream whose content can be looked at.
#[derive(Clone, Default)]
pub(super) struct Shared(Arc<Mutex<Vec<u8>>>);

/// Builds a sequence; time moves as told.
pub(super) struct Script {
    at: Timestamp,
    started: Timestamp,
    events: Vec<Event>,
}

impl Shared {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Shared {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Script {
    fn new() -> Self {
        let at: Timestamp = "2026-03-14T09:26:53.5Z".parse().unwrap();
        Self { at, started: at, events: Vec::new() }
    }

    fn begin() -> Self {
        let mut script = Self::new();
        let run = "0195936e-7c1c-7000-8000-0a1b2c3d4e5f".to_owned();
        script.push(EventKind::RunStarted { run, operation: RunKind::Join, member: "cp-3".to_owned() });
        script
    }

    fn wait(&mut self, ms: u64) -> &mut Self {
        self.at += SignedDuration::from_millis(ms as i64);
        self
    }

    fn push(&mut self, kind: EventKind) -> &mut Self {
        self.events.push(Event { at: self.at, kind });
        self
    }

    fn step(&mut self, step: Step, ms: u64, summary: &str) -> &mut Self {
        self.push(EventKind::StepStarted { step }).done(step, ms, summary)
    }

    fn done(&mut self, step: Step, ms: u64, summary: &str) -> &mut Self {
        let started = self.events.iter().rev().find(|e| matches!(e.kind, EventKind::StepStarted { step: s } if s == step));
        let since = started.map(|e| self.at.duration_since(e.at)).unwrap_or_default();
        let duration = Duration::try_from(since).unwrap() + Duration::from_millis(ms);
        self.wait(ms).push(EventKind::StepFinished { step, duration, summary: summary.to_owned() })
    }

    fn loaded(&mut self, plugin: &str, role: &str, notes: &[&str]) -> &mut Self {
        self.push(EventKind::PluginLoaded {
            plugin: plugin.to_owned(),
            roles: vec![role.to_owned()],
            digest: "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned(),
            notes: notes.iter().map(|n| (*n).to_owned()).collect(),
        })
    }

    fn says(&mut self, plugin: &str, level: LogLevel, message: &str) -> &mut Self {
        self.push(EventKind::PluginLog { plugin: plugin.to_owned(), level, message: message.to_owned() })
    }

    fn verdict(&mut self, plugin: &str, verdict: VerdictKind, reason: &str) -> &mut Self {
        let usage = Usage {
            cpu: Duration::from_micros(210),
            wall: Duration::from_micros(380),
            memory: 1_179_648,
            host_calls: 9,
            bytes_in: 640,
            bytes_out: 96,
        };
        self.push(EventKind::PluginVerdict {
            plugin: plugin.to_owned(),
            verdict,
            would: None,
            reason: reason.to_owned(),
            usage,
        })
    }

    fn finding(&mut self, source: &str, severity: Severity, code: &str, message: &str, remedy: Option<&str>) -> &mut Self {
        self.push(EventKind::Finding {
            source: source.to_owned(),
            severity,
            code: code.to_owned(),
            message: message.to_owned(),
            remedy: remedy.map(str::to_owned),
            member: Some("cp-2".to_owned()),
            waived: None,
            monitored: false,
        })
    }

    fn progress(&mut self, percent: u64, lag: u64, snapshot: bool) -> &mut Self {
        let total = 108_003_328;
        let bytes = total / 100 * percent;
        let rate = if percent < 100 { 12_897_485.0 } else { 48_230.0 };
        self.push(EventKind::SyncProgress(Progress {
            leader_index: 161_803,
            applied_index: if snapshot { 0 } else { 161_803 - lag },
            lag,
            bytes,
            bytes_total: total,
            rate,
            snapshot,
            eta: (percent < 100).then(|| Duration::from_secs_f64((total - bytes) as f64 / rate)),
        }))
    }

    fn undo(&mut self, step: Step, ms: u64, summary: &str) -> &mut Self {
        self.push(EventKind::Undoing { step }).wait(ms).push(EventKind::Undone { step, summary: summary.to_owned() })
    }

    fn end(mut self, outcome: Outcome, exit_status: u8, message: &str, hints: &[&str]) -> Vec<Event> {
        let duration = Duration::try_from(self.at.duration_since(self.started)).unwrap();
        self.push(EventKind::RunFinished {
            outcome,
            exit_status,
            message: message.to_owned(),
            hints: hints.iter().map(|h| (*h).to_owned()).collect(),
            duration,
        });
        self.events
    }

    /// Up to and with the started member.
    fn started() -> Self {
        let mut s = Self::begin();
        s.loaded("version-window", "health-check", &[]).loaded("run-summary", "notifier", &[]);
        s.loaded(
            "steady-sync",
            "promotion",
            &["built for 0.1.3: `candidate.zone` is not in this runner and fails when called"],
        );
        s.step(Step::Discover, 12, "2 members, leader cp-1, etcd 3.6.4");
        s.push(EventKind::StepStarted { step: Step::Check }).wait(31);
        s.finding(
            "runner",
            Severity::Info,
            "fault-tolerance",
            "while cp-3 is a learner the cluster can lose no voter",
            None,
        );
        s.finding(
            "version-window",
            Severity::Warning,
            "patch-skew",
            "cp-2 runs etcd 3.6.1, three patches behind the others",
            Some("upgrade cp-2 to 3.6.4 when the join is done"),
        );
        s.verdict("version-window", VerdictKind::Pass, "").done(Step::Check, 9, "16 checks, 1 warning");
        s.push(EventKind::StepStarted { step: Step::Lock });
        for second in 0..4 {
            s.push(EventKind::Waiting {
                step: Step::Lock,
                reason: format!("behind the run of cp-4, which has held the lock for {} s; 1 before us", 71 + second),
                left: Some(Duration::from_secs(300 - second)),
            });
            s.wait(1_000);
        }
        s.done(Step::Lock, 20, "ours after 4.0 s");
        s.push(EventKind::StepStarted { step: Step::AddLearner }).wait(8);
        s.push(EventKind::MemberAdded { id: MemberId(0x8e9e05c52164694d) }).done(Step::AddLearner, 6, "8e9e05c52164694d");
        s.step(Step::StartMember, 640, "etcd 3.6.4, process 4711");
        s
    }

    /// On to a learner that has all data.
    fn synced() -> Self {
        let mut s = Self::started();
        s.push(EventKind::StepStarted { step: Step::Sync });
        for percent in [0, 3, 6, 12, 18, 27, 45, 63, 81, 99] {
            s.wait(800).progress(percent, 161_803, true);
            s.verdict(
                "steady-sync",
                VerdictKind::Wait,
                &format!("it is {} entries behind, at most 10 are allowed", 161_803 - percent),
            );
        }
        for lag in [812, 33, 4, 2, 1, 3, 0, 1] {
            s.wait(400).progress(100, lag, false);
            let steady = if lag > 10 {
                format!("it is {lag} entries behind, at most 10 are allowed")
            } else {
                format!("it has been within 10 entries for {} ms of 2 s", 400 * lag.min(4))
            };
            s.verdict("steady-sync", VerdictKind::Wait, &steady);
        }
        s
    }
}

/// A join that ends well.
pub(super) fn joined() -> Vec<Event> {
    let mut s = Script::synced();
    s.wait(400).progress(100, 0, false).verdict("steady-sync", VerdictKind::Approve, "");
    s.done(Step::Sync, 0, "103.0 MiB, steady for 2.0 s");
    s.step(Step::Promote, 14, "voter in term 7").step(Step::Verify, 45, "3 of 3 members agree, read through cp-3");
    s.push(EventKind::StepStarted { step: Step::Announce });
    s.says("run-summary", LogLevel::Info, "cp-3 joined the cluster\n3 members, quorum 2\n");
    s.verdict("run-summary", VerdictKind::Told, "").done(Step::Announce, 3, "1 notifier told");
    s.end(Outcome::Joined, 0, "cp-3 is a voter of the cluster", &[])
}

/// A join that a check refuses.
pub(super) fn refused() -> Vec<Event> {
    let mut s = Script::begin();
    s.loaded("version-window", "health-check", &[]);
    s.step(Step::Discover, 12, "2 members, leader cp-1, etcd 3.6.4");
    s.push(EventKind::StepStarted { step: Step::Check }).wait(40);
    s.finding(
        "runner",
        Severity::Error,
        "alarm-nospace",
        "the database of cp-2 has reached its quota (alarm NOSPACE)",
        Some("compact and defragment, then `etcdctl alarm disarm`"),
    );
    s.verdict("version-window", VerdictKind::Pass, "");
    s.push(EventKind::StepFailed { step: Step::Check, error: "1 of 16 checks found an error".to_owned() });
    s.end(
        Outcome::CheckRefused,
        10,
        "the join was refused before anything was changed",
        &["fix what the checks found, then join again"],
    )
}

/// A join that is undone.
pub(super) fn rolled_back() -> Vec<Event> {
    let mut s = Script::synced();
    s.says(
        "steady-sync",
        LogLevel::Error,
        "panicked at \u{1b}[31msrc/lib.rs:12\u{1b}[0m: no zone\u{7}\nnote: run with RUST_BACKTRACE=1",
    );
    s.verdict("steady-sync", VerdictKind::Reject, "cp-3 is in zone \u{1b}]0;pwned\u{7}b, which has two members already");
    s.push(EventKind::StepFailed { step: Step::Sync, error: "steady-sync refuses the promotion".to_owned() });
    s.undo(Step::StartMember, 310, "stopped etcd, removed /var/lib/etcd").undo(
        Step::AddLearner,
        12,
        "removed member 8e9e05c52164694d",
    );
    s.undo(Step::Lock, 4, "released");
    s.end(
        Outcome::PluginRefused,
        11,
        "steady-sync refused cp-3; everything was undone and the cluster is as it was",
        &["ask whoever owns the plugin steady-sync, or join a node of another zone"],
    )
}

/// A join that can neither go on nor be undone.
pub(super) fn stuck() -> Vec<Event> {
    let mut s = Script::started();
    s.push(EventKind::StepStarted { step: Step::Sync }).wait(800).progress(3, 161_803, true);
    s.wait(60_000).push(EventKind::StepFailed { step: Step::Sync, error: "no progress for 60 s".to_owned() });
    s.undo(Step::StartMember, 310, "stopped etcd, removed /var/lib/etcd");
    s.push(EventKind::Undoing { step: Step::AddLearner }).wait(5_000);
    s.push(EventKind::UndoFailed {
        step: Step::AddLearner,
        error: "etcdserver: no leader (at https://10.0.0.1:2379)".to_owned(),
        remedy: "bring back a quorum, then `etcdctl member remove 8e9e05c52164694d`".to_owned(),
    });
    s.end(
        Outcome::Stuck,
        16,
        "the learner 8e9e05c52164694d is still in the member list",
        &["when the cluster has a leader again: `runner rollback`"],
    )
}
