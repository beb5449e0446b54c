//! Events for logs and pipes: one plain line for each that is worth one.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::human;
use super::phrases;
use super::printer::Style;
use super::text::{sanitize_lines, shape};
use crate::event::{Event, EventKind, EventSink, Progress};
use crate::terms::{LogLevel, Step, VerdictKind};

/// No more than this many messages are told apart within a step; further ones share one allowance.
const SHAPES: usize = 64;

/// How lines are written.
#[derive(Clone, Copy, Debug)]
pub struct LinesOptions {
    /// Colour and alphabet.
    pub style: Style,
    /// Whether each line begins with its UTC time in milliseconds.
    pub timestamps: bool,
    /// Whether plugins' debug lines and passing verdicts are shown.
    pub verbose: bool,
    /// Progress and repeats come at most this often, and whenever a sync has come 10 % further.
    pub interval: Duration,
}

/// Writes plain lines, with progress thinned and repeats collapsed.
///
/// A reader that goes away ends the writing and nothing else. A slow one blocks [`emit`](EventSink::emit); put a
/// [`Background`](super::Background) before it.
pub struct Lines {
    inner: Mutex<Inner>,
}

struct Inner {
    out: Option<Box<dyn Write + Send>>,
    options: LinesOptions,
    repeats: HashMap<(String, String), Repeat>,
    waits: HashMap<String, u64>,
    logs: HashMap<String, usize>,
    progress: Option<(Timestamp, f64)>,
    began: Option<Timestamp>,
    steps: Vec<(Step, Duration)>,
}

/// When a message of this shape was last shown, and how often it has been held back since.
struct Repeat {
    shown: Timestamp,
    held: u64,
}

impl Default for LinesOptions {
    fn default() -> Self {
        Self { style: Style::PLAIN, timestamps: false, verbose: false, interval: Duration::from_secs(10) }
    }
}

impl Lines {
    /// Writes to `out`.
    pub fn new(out: impl Write + Send + 'static, options: LinesOptions) -> Self {
        Self {
            inner: Mutex::new(Inner {
                out: Some(Box::new(out)),
                options,
                repeats: HashMap::new(),
                waits: HashMap::new(),
                logs: HashMap::new(),
                progress: None,
                began: None,
                steps: Vec::new(),
            }),
        }
    }

    /// Writes to the process's stderr: lines are talk, not data.
    pub fn stderr(options: LinesOptions) -> Self {
        Self::new(io::stderr(), options)
    }
}

impl EventSink for Lines {
    fn emit(&self, event: Event) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).take(&event);
    }
}

impl Inner {
    fn take(&mut self, event: &Event) {
        let (at, style) = (event.at, self.options.style);
        match &event.kind {
            EventKind::RunStarted { run, operation, member } => {
                self.line(at, &format!("{operation} {}: run {}", style.clean(member), style.clean(run)));
            }
            EventKind::PluginCompiling { plugin, bytes } => {
                let size = human::bytes(*bytes);
                self.line(at, &format!("plugin {}: compiling {size}; its code is kept", style.clean(plugin)));
            }
            EventKind::PluginLoaded { plugin, roles, digest, notes } => {
                let plugin = style.clean(plugin);
                let roles = style.clean(&roles.join(", "));
                self.line(at, &format!("plugin {plugin}: {roles}, {}", phrases::digest(digest, style)));
                for note in notes {
                    self.line(at, &format!("plugin {plugin}: note: {}", style.clean(note)));
                }
            }
            EventKind::PluginLog { plugin, level, message } => self.log(at, plugin, *level, message),
            EventKind::PluginVerdict { plugin, verdict, would, reason, .. } => {
                self.verdict(at, plugin, (*verdict, *would), reason);
            }
            EventKind::StepStarted { step } => {
                self.repeats.clear();
                self.waits.clear();
                self.logs.clear();
                self.progress = None;
                self.began = Some(at);
                self.line(at, &format!("{step}: started"));
            }
            EventKind::StepFinished { step, duration, summary } => {
                self.steps.push((*step, *duration));
                let summary = style.clean(summary);
                let joint = if summary.is_empty() { "" } else { ": " };
                self.line(at, &format!("{step}: done in {}{joint}{summary}", human::duration(*duration)));
            }
            EventKind::StepFailed { step, error } => {
                if let Some(began) = self.began.take() {
                    self.steps.push((*step, passed(began, at)));
                }
                self.line(at, &format!("{step}: {}: {}", style.red("failed"), style.clean(error)));
            }
            EventKind::Finding { source, severity, code, message, remedy, member, waived, monitored } => {
                let severity = match (waived, monitored) {
                    (Some(_), _) => style.yellow(&format!("waived {severity}")),
                    (None, true) => style.yellow(&format!("monitored {severity}")),
                    (None, false) => dressed(severity.name(), style),
                };
                let source = phrases::source(source, style);
                let message = phrases::finding(message, member.as_deref(), style);
                self.line(at, &format!("{severity}: {source}{message} [{}]", style.clean(code)));
                if let Some(reason) = waived {
                    self.line(at, &format!("{severity}: because {}", style.clean(reason)));
                }
                if let Some(remedy) = remedy {
                    self.line(at, &format!("{severity}: remedy: {}", style.clean(remedy)));
                }
            }
            EventKind::Waiting { step, reason, left } => {
                if let Some(held) = self.repeated(at, step.name(), reason) {
                    self.line(at, &format!("{step}: waiting: {}{held}", phrases::waiting(reason, *left, style)));
                }
            }
            EventKind::Forecast(forecast) => {
                self.line(at, &format!("forecast: {}", phrases::forecast(forecast, style)));
                if let Some(fix) = &forecast.fix {
                    self.line(at, &format!("forecast: remedy: {}", style.clean(fix)));
                }
            }
            EventKind::MemberAdded { id } => self.line(at, &format!("member {id} added as a learner")),
            EventKind::SyncProgress(progress) => self.progress(at, progress),
            EventKind::Undoing { step } => self.line(at, &format!("undo {step}: started")),
            EventKind::Undone { step, summary } => self.line(at, &format!("undo {step}: {}", style.clean(summary))),
            EventKind::UndoFailed { step, error, remedy } => {
                self.line(at, &format!("undo {step}: {}: {}", style.alarm("failed"), style.clean(error)));
                self.line(at, &format!("undo {step}: do this: {}", style.clean(remedy)));
            }
            EventKind::RunFinished { outcome, exit_status, message, hints, duration } => {
                let outcome = outcome.name();
                let outcome = if *exit_status == 0 { style.green(outcome) } else { style.alarm(outcome) };
                let message = style.clean(message);
                self.line(at, &format!("{outcome} after {}: {message}", human::duration(*duration)));
                let shares = phrases::shares(&self.steps, *duration);
                if !shares.is_empty() {
                    self.line(at, &format!("time: {}", shares.join(", ")));
                }
                for hint in hints {
                    self.line(at, &super::printer::hint(hint, style));
                }
            }
        }
    }

    fn log(&mut self, at: Timestamp, plugin: &str, level: LogLevel, message: &str) {
        if level == LogLevel::Debug && !self.options.verbose {
            return;
        }
        let style = self.options.style;
        let plugin = &style.clean(plugin);
        // What differs in a number only may be a table: lines of a log are never taken for repeats, only counted.
        let said = self.logs.entry(plugin.clone()).or_default();
        *said += 1;
        if *said > phrases::LOG_MESSAGES {
            if *said == phrases::LOG_MESSAGES + 1 {
                self.line(at, &format!("{plugin} says more than is shown here"));
            }
            return;
        }
        let level = if level == LogLevel::Info { String::new() } else { format!("{}: ", dressed(level.name(), style)) };
        for line in sanitize_lines(message, phrases::LOG_LINES) {
            self.line(at, &format!("{plugin} says: {level}{}", style.letters(&line)));
        }
    }

    fn verdict(&mut self, at: Timestamp, plugin: &str, (verdict, would): phrases::Said, reason: &str) {
        let style = self.options.style;
        let said = phrases::verdict((verdict, would), reason, style);
        let Some(held) = self.repeated(at, plugin, &said) else {
            if verdict == VerdictKind::Wait {
                *self.waits.entry(plugin.to_owned()).or_default() += 1;
            }
            return;
        };
        let note = if verdict == VerdictKind::Wait {
            *self.waits.entry(plugin.to_owned()).or_default() += 1;
            held
        } else {
            phrases::after_waits(self.waits.remove(plugin).unwrap_or_default())
        };
        if verdict == VerdictKind::Told && reason.is_empty() && !self.options.verbose {
            return;
        }
        let said = match verdict {
            VerdictKind::Reject | VerdictKind::Failed => style.red(&said),
            VerdictKind::Ignored => style.yellow(&said),
            VerdictKind::Monitored if matches!(would, Some(VerdictKind::Reject | VerdictKind::Failed)) => {
                style.yellow(&said)
            }
            _ => said,
        };
        self.line(at, &format!("{}: {said}{note}", style.clean(plugin)));
    }

    fn progress(&mut self, at: Timestamp, progress: &Progress) {
        let fraction = phrases::fraction(progress);
        let due = self.progress.is_none_or(|(shown, before)| {
            passed(shown, at) >= self.options.interval || fraction - before >= 0.1 || (fraction >= 1.0 && before < 1.0)
        });
        if due {
            self.progress = Some((at, fraction));
            let figures = phrases::figures(progress, self.options.style).join(", ");
            self.line(at, &format!("sync: {:.0} %, {figures}", (fraction * 100.0).floor()));
        }
    }

    /// None where a message like this was shown a moment ago; else what to say of those that were held back.
    fn repeated(&mut self, at: Timestamp, source: &str, message: &str) -> Option<String> {
        let shape = if self.repeats.len() < SHAPES { shape(message) } else { String::new() };
        match self.repeats.get_mut(&(source.to_owned(), shape.clone())) {
            Some(repeat) if passed(repeat.shown, at) < self.options.interval => {
                repeat.held += 1;
                None
            }
            Some(repeat) => {
                let held = std::mem::take(&mut repeat.held);
                repeat.shown = at;
                Some(if held == 0 { String::new() } else { format!(" ({held} more like this)") })
            }
            None => {
                self.repeats.insert((source.to_owned(), shape), Repeat { shown: at, held: 0 });
                Some(String::new())
            }
        }
    }

    fn line(&mut self, at: Timestamp, text: &str) {
        let Some(out) = self.out.as_mut() else { return };
        let line = if self.options.timestamps { format!("{at:.3} {text}\n") } else { format!("{text}\n") };
        if out.write_all(line.as_bytes()).and_then(|()| out.flush()).is_err() {
            self.out = None;
        }
    }
}

/// A severity or log level in its colour.
fn dressed(severity: &str, style: Style) -> String {
    match severity {
        "error" => style.red("error"),
        "warning" | "warn" => style.yellow("warning"),
        other => style.clean(other),
    }
}

/// The time from one moment to a later one; zero where it is not later.
fn passed(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{self, Shared};
    use super::*;

    fn lines(options: LinesOptions, events: Vec<Event>) -> String {
        let shared = Shared::default();
        let lines = Lines::new(shared.clone(), options);
        events.into_iter().for_each(|e| lines.emit(e));
        shared.text()
    }

    #[test]
    fn a_join_that_ends_well() {
        insta::assert_snapshot!(lines(LinesOptions::default(), fixture::joined()), @r#"
        join cp-3: run 0195936e-7c1c-7000-8000-0a1b2c3d4e5f
        plugin version-window: health-check, sha256:9f86d081884c
        plugin run-summary: notifier, sha256:9f86d081884c
        plugin steady-sync: promotion, sha256:9f86d081884c
        plugin steady-sync: note: built for 0.1.3: `candidate.zone` is not in this runner and fails when called
        discover: started
        discover: done in 12 ms: 2 members, leader cp-1, etcd 3.6.4
        check: started
        info: while cp-3 is a learner the cluster can lose no voter (member cp-2) [fault-tolerance]
        warning: version-window: cp-2 runs etcd 3.6.1, three patches behind the others [patch-skew]
        warning: remedy: upgrade cp-2 to 3.6.4 when the join is done
        version-window: passes
        check: done in 40 ms: 16 checks, 1 warning
        lock: started
        lock: waiting: behind the run of cp-4, which has held the lock for 71 s; 1 before us (5 m 00 s left)
        lock: done in 4.0 s: ours after 4.0 s
        add-learner: started
        member 8e9e05c52164694d added as a learner
        add-learner: done in 14 ms: 8e9e05c52164694d
        start-member: started
        start-member: done in 640 ms: etcd 3.6.4, process 4711
        sync: started
        sync: 0 %, 0 B of 103.0 MiB, lag 161,803, ETA 9 s, 12.3 MiB/s, snapshot
        steady-sync: not yet, because it is 161803 entries behind, at most 10 are allowed
        sync: 11 %, 12.4 of 103.0 MiB, lag 161,803, ETA 8 s, 12.3 MiB/s, snapshot
        sync: 26 %, 27.8 of 103.0 MiB, lag 161,803, ETA 7 s, 12.3 MiB/s, snapshot
        sync: 44 %, 46.3 of 103.0 MiB, lag 161,803, ETA 5 s, 12.3 MiB/s, snapshot
        sync: 62 %, 64.9 of 103.0 MiB, lag 161,803, ETA 4 s, 12.3 MiB/s, snapshot
        sync: 80 %, 83.4 of 103.0 MiB, lag 161,803, ETA 2 s, 12.3 MiB/s, snapshot
        sync: 98 %, 102.0 of 103.0 MiB, lag 161,803, ETA 1 s, 12.3 MiB/s, snapshot
        steady-sync: not yet, because it has been within 10 entries for 1600 ms of 2 s
        sync: 100 %, 103.0 of 103.0 MiB, lag 0, 47.1 KiB/s
        steady-sync: approves (after 18 waits)
        sync: done in 11.6 s: 103.0 MiB, steady for 2.0 s
        promote: started
        promote: done in 14 ms: voter in term 7
        verify: started
        verify: done in 45 ms: 3 of 3 members agree, read through cp-3
        announce: started
        run-summary says: cp-3 joined the cluster
        run-summary says: 3 members, quorum 2
        announce: done in 3.0 ms: 1 notifier told
        joined after 16.4 s: cp-3 is a voter of the cluster
        time: sync 11.6 s (71 %), lock 4.0 s (25 %), start-member 640 ms (4 %), 6 more 128 ms
        "#);
    }

    #[test]
    fn a_join_that_is_refused() {
        let options = LinesOptions { timestamps: true, ..LinesOptions::default() };
        insta::assert_snapshot!(lines(options, fixture::refused()), @r#"
        2026-03-14T09:26:53.500Z join cp-3: run 0195936e-7c1c-7000-8000-0a1b2c3d4e5f
        2026-03-14T09:26:53.500Z plugin version-window: health-check, sha256:9f86d081884c
        2026-03-14T09:26:53.500Z discover: started
        2026-03-14T09:26:53.512Z discover: done in 12 ms: 2 members, leader cp-1, etcd 3.6.4
        2026-03-14T09:26:53.512Z check: started
        2026-03-14T09:26:53.552Z error: the database of cp-2 has reached its quota (alarm NOSPACE) [alarm-nospace]
        2026-03-14T09:26:53.552Z error: remedy: compact and defragment, then `etcdctl alarm disarm`
        2026-03-14T09:26:53.552Z version-window: passes
        2026-03-14T09:26:53.552Z check: failed: 1 of 16 checks found an error
        2026-03-14T09:26:53.552Z check-refused after 52 ms: the join was refused before anything was changed
        2026-03-14T09:26:53.552Z time: check 40 ms (77 %), discover 12 ms (23 %)
        2026-03-14T09:26:53.552Z hint: fix what the checks found, then join again
        "#);
    }

    #[test]
    fn a_join_that_is_rolled_back() {
        insta::assert_snapshot!(lines(LinesOptions::default(), fixture::rolled_back()), @r#"
        join cp-3: run 0195936e-7c1c-7000-8000-0a1b2c3d4e5f
        plugin version-window: health-check, sha256:9f86d081884c
        plugin run-summary: notifier, sha256:9f86d081884c
        plugin steady-sync: promotion, sha256:9f86d081884c
        plugin steady-sync: note: built for 0.1.3: `candidate.zone` is not in this runner and fails when called
        discover: started
        discover: done in 12 ms: 2 members, leader cp-1, etcd 3.6.4
        check: started
        info: while cp-3 is a learner the cluster can lose no voter (member cp-2) [fault-tolerance]
        warning: version-window: cp-2 runs etcd 3.6.1, three patches behind the others [patch-skew]
        warning: remedy: upgrade cp-2 to 3.6.4 when the join is done
        version-window: passes
        check: done in 40 ms: 16 checks, 1 warning
        lock: started
        lock: waiting: behind the run of cp-4, which has held the lock for 71 s; 1 before us (5 m 00 s left)
        lock: done in 4.0 s: ours after 4.0 s
        add-learner: started
        member 8e9e05c52164694d added as a learner
        add-learner: done in 14 ms: 8e9e05c52164694d
        start-member: started
        start-member: done in 640 ms: etcd 3.6.4, process 4711
        sync: started
        sync: 0 %, 0 B of 103.0 MiB, lag 161,803, ETA 9 s, 12.3 MiB/s, snapshot
        steady-sync: not yet, because it is 161803 entries behind, at most 10 are allowed
        sync: 11 %, 12.4 of 103.0 MiB, lag 161,803, ETA 8 s, 12.3 MiB/s, snapshot
        sync: 26 %, 27.8 of 103.0 MiB, lag 161,803, ETA 7 s, 12.3 MiB/s, snapshot
        sync: 44 %, 46.3 of 103.0 MiB, lag 161,803, ETA 5 s, 12.3 MiB/s, snapshot
        sync: 62 %, 64.9 of 103.0 MiB, lag 161,803, ETA 4 s, 12.3 MiB/s, snapshot
        sync: 80 %, 83.4 of 103.0 MiB, lag 161,803, ETA 2 s, 12.3 MiB/s, snapshot
        sync: 98 %, 102.0 of 103.0 MiB, lag 161,803, ETA 1 s, 12.3 MiB/s, snapshot
        steady-sync: not yet, because it has been within 10 entries for 1600 ms of 2 s
        sync: 100 %, 103.0 of 103.0 MiB, lag 0, 47.1 KiB/s
        steady-sync says: error: panicked at src/lib.rs:12: no zone
        steady-sync says: error: note: run with RUST_BACKTRACE=1
        steady-sync: refuses, because cp-3 is in zone b, which has two members already (after 18 waits)
        sync: failed: steady-sync refuses the promotion
        undo start-member: started
        undo start-member: stopped etcd, removed /var/lib/etcd
        undo add-learner: started
        undo add-learner: removed member 8e9e05c52164694d
        undo lock: started
        undo lock: released
        plugin-refused after 16.3 s: steady-sync refused cp-3; everything was undone and the cluster is as it was
        time: sync 11.2 s (69 %), lock 4.0 s (25 %), start-member 640 ms (4 %), 3 more 66 ms
        hint: ask whoever owns the plugin steady-sync, or join a node of another zone
        "#);
    }

    #[test]
    fn a_join_that_is_stuck() {
        insta::assert_snapshot!(lines(LinesOptions::default(), fixture::stuck()), @r#"
        join cp-3: run 0195936e-7c1c-7000-8000-0a1b2c3d4e5f
        plugin version-window: health-check, sha256:9f86d081884c
        plugin run-summary: notifier, sha256:9f86d081884c
        plugin steady-sync: promotion, sha256:9f86d081884c
        plugin steady-sync: note: built for 0.1.3: `candidate.zone` is not in this runner and fails when called
        discover: started
        discover: done in 12 ms: 2 members, leader cp-1, etcd 3.6.4
        check: started
        info: while cp-3 is a learner the cluster can lose no voter (member cp-2) [fault-tolerance]
        warning: version-window: cp-2 runs etcd 3.6.1, three patches behind the others [patch-skew]
        warning: remedy: upgrade cp-2 to 3.6.4 when the join is done
        version-window: passes
        check: done in 40 ms: 16 checks, 1 warning
        lock: started
        lock: waiting: behind the run of cp-4, which has held the lock for 71 s; 1 before us (5 m 00 s left)
        lock: done in 4.0 s: ours after 4.0 s
        add-learner: started
        member 8e9e05c52164694d added as a learner
        add-learner: done in 14 ms: 8e9e05c52164694d
        start-member: started
        start-member: done in 640 ms: etcd 3.6.4, process 4711
        sync: started
        sync: 2 %, 3.1 of 103.0 MiB, lag 161,803, ETA 9 s, 12.3 MiB/s, snapshot
        sync: failed: no progress for 60 s
        undo start-member: started
        undo start-member: stopped etcd, removed /var/lib/etcd
        undo add-learner: started
        undo add-learner: failed: etcdserver: no leader (at https://10.0.0.1:2379)
        undo add-learner: do this: bring back a quorum, then `etcdctl member remove 8e9e05c52164694d`
        stuck after 1 m 11 s: the learner 8e9e05c52164694d is still in the member list
        time: sync 1 m 01 s (86 %), lock 4.0 s (6 %), 4 more 706 ms
        hint: when the cluster has a leader again: `runner rollback`
        "#);
    }

    #[test]
    fn a_flood_of_log_lines_is_dammed() {
        let message =
            |n| EventKind::PluginLog { plugin: "p".to_owned(), level: LogLevel::Info, message: format!("line {n}") };
        let at = fixture::joined()[0].at;
        let text = lines(LinesOptions::default(), (0..10_000).map(|n| Event { at, kind: message(n) }).collect());
        assert_eq!(text.lines().count(), 51);
        assert!(text.ends_with("p says: line 49\np says more than is shown here\n"), "{text}");
    }

    #[test]
    fn color_changes_no_word() {
        let style = Style { color: true, unicode: true };
        for events in [fixture::joined(), fixture::refused(), fixture::rolled_back(), fixture::stuck()] {
            let plain =
                lines(LinesOptions { style: Style { color: false, ..style }, ..LinesOptions::default() }, events.clone());
            let colored = lines(LinesOptions { style, ..LinesOptions::default() }, events);
            assert!(!plain.contains('\u{1b}'));
            assert_eq!(console::strip_ansi_codes(&colored), plain);
        }
    }

    #[test]
    fn a_day_of_waiting_is_told_in_moderation() {
        let mut events = Vec::new();
        let first = fixture::joined()
            .into_iter()
            .find(|e| matches!(e.kind, EventKind::PluginVerdict { verdict: VerdictKind::Wait, .. }))
            .unwrap();
        for second in 0..86_400_i64 {
            let mut event = first.clone();
            event.at += jiff::SignedDuration::from_secs(second);
            events.push(event);
        }
        let text = lines(LinesOptions { interval: Duration::from_secs(600), ..LinesOptions::default() }, events);
        assert_eq!(text.lines().count(), 144);
        assert!(text.lines().last().unwrap().ends_with("(599 more like this)"), "{text}");
    }
}
