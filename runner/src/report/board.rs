//! What a terminal shows of a run, as text: lines that scroll up, and the lines under way at the bottom. No terminal in it.

use std::collections::HashMap;
use std::time::Duration;

use console::truncate_str;
use jiff::Timestamp;

use super::bar::sync_lines;
use super::detail::{Detail, Mark};
use super::human;
use super::phrases;
use super::printer::{self, Style};
use super::text::{pad, pad_left, sanitize_lines, shape, wrap, wrap_items};
use crate::event::{Event, EventKind, Progress};
use crate::terms::{LogLevel, Severity, Step, VerdictKind};

/// Room for a step's name, its time, and what stands before them.
const NAME: usize = 12;
const TIME: usize = 9;

/// No more than this many lines are shown below the step under way; all of them scroll up when it is done.
const LIVE_LINES: usize = 10;

/// So many differently worded verdicts of one plugin are told apart within a step; further ones replace the last.
const SHAPES: usize = 6;

/// A step that took so long and had to wait says for what.
const LONG: Duration = Duration::from_secs(1);

/// While a progress bar is shown, a reason for waiting stands below it for so long after it was last given.
const RECENT: Duration = Duration::from_secs(2);

/// The run as a terminal shows it.
pub(super) struct Board {
    style: Style,
    verbose: bool,
    running: Option<Running>,
    steps: Vec<(Step, Duration)>,
    logs: HashMap<String, usize>,
    touches: u64,
}

/// The step under way, or the undo.
struct Running {
    name: Step,
    undo: bool,
    began: Timestamp,
    doing: Doing,
    /// For what it waited last.
    waited: Option<(String, Timestamp)>,
    details: Vec<Detail>,
}

/// What the step under way is at.
enum Doing {
    Working,
    Waiting { reason: String, left: Option<Duration>, since: Timestamp },
    Syncing(Progress),
}

impl Board {
    pub(super) fn new(style: Style, verbose: bool) -> Self {
        Self { style, verbose, running: None, steps: Vec::new(), logs: HashMap::new(), touches: 0 }
    }

    /// Takes an event and returns the lines that are final now.
    pub(super) fn take(&mut self, event: &Event, width: usize) -> Vec<String> {
        let (at, style) = (event.at, self.style);
        match &event.kind {
            EventKind::RunStarted { run, operation, member } => {
                *self = Self::new(style, self.verbose);
                let title = style.bold(&format!("{operation} {}", style.clean(member)));
                return vec![format!("{title}  {}", style.dim(&format!("run {}", style.clean(run))))];
            }
            EventKind::PluginCompiling { plugin, bytes } => {
                let text =
                    format!("plugin {} ({}) is being compiled; its code is kept", style.clean(plugin), human::bytes(*bytes));
                return self.tell(Detail::new(Mark::Note, text), width);
            }
            EventKind::PluginLoaded { plugin, roles, digest, notes } => {
                let roles = style.clean(&roles.join(", "));
                let text = format!("plugin {} ({roles}) {}", style.clean(plugin), phrases::digest(digest, style));
                let more = notes.iter().map(|n| format!("note: {}", style.clean(n))).collect();
                return self.tell(Detail { more, ..Detail::new(Mark::Note, text) }, width);
            }
            EventKind::PluginLog { plugin, level, message } => return self.log(plugin, *level, message, width),
            EventKind::PluginVerdict { plugin, verdict, would, reason, .. } => {
                return self.verdict(plugin, (*verdict, *would), reason, width);
            }
            EventKind::Finding { source, severity, code, message, remedy, member, waived, monitored } => {
                let mark = match severity {
                    Severity::Error if waived.is_some() || *monitored => Mark::Warning,
                    Severity::Error => Mark::Bad,
                    Severity::Warning => Mark::Warning,
                    Severity::Info => Mark::Note,
                };
                let message = phrases::finding(message, member.as_deref(), style);
                let aside = if *monitored { " (monitored)" } else { "" };
                let text = format!("{}{message} [{}]{aside}", phrases::source(source, style), style.clean(code));
                let waived = waived.iter().map(|reason| format!("waived: {}", style.clean(reason)));
                let more = waived.chain(remedy.iter().map(|r| format!("remedy: {}", style.clean(r)))).collect();
                return self.tell(Detail { more, ..Detail::new(mark, text) }, width);
            }
            // The step's own line names it.
            EventKind::MemberAdded { .. } => {}
            EventKind::Forecast(forecast) if forecast.accepted() => {}
            EventKind::Forecast(forecast) => {
                let more = forecast.fix.iter().map(|fix| format!("remedy: {}", style.clean(fix))).collect();
                let text = phrases::forecast(forecast, style);
                return self.tell(Detail { more, ..Detail::new(Mark::Note, text) }, width);
            }
            EventKind::StepStarted { step } => return self.begin(*step, false, at, width),
            EventKind::Undoing { step } => return self.begin(*step, true, at, width),
            EventKind::Waiting { reason, left, .. } => {
                if let Some(running) = &mut self.running {
                    // A progress bar stays: the reason stands below it.
                    if !matches!(running.doing, Doing::Syncing(_)) {
                        running.doing = Doing::Waiting { reason: reason.clone(), left: *left, since: at };
                    }
                    running.waited = Some((reason.clone(), at));
                }
            }
            EventKind::SyncProgress(progress) => {
                if let Some(running) = &mut self.running {
                    running.doing = Doing::Syncing(*progress);
                }
            }
            EventKind::StepFinished { step, duration, summary } => {
                self.steps.push((*step, *duration));
                return self.end(Mark::Good, *step, *duration, summary, width);
            }
            EventKind::StepFailed { step, error } => {
                let took = self.took(at);
                self.steps.push((*step, took));
                return self.end(Mark::Bad, *step, took, error, width);
            }
            EventKind::Undone { step, summary } => return self.end(Mark::Undo, *step, self.took(at), summary, width),
            EventKind::UndoFailed { step, error, remedy } => {
                let text = format!("could not be undone: {error}");
                let mut lines = self.end(Mark::Bad, *step, self.took(at), &text, width);
                let remedy = format!("do this: {}", style.clean(remedy));
                lines.extend(wrap(&remedy, width.saturating_sub(4)).iter().map(|l| format!("    {}", style.bold(l))));
                return lines;
            }
            EventKind::RunFinished { outcome, exit_status, message, hints, duration } => {
                return self.close(outcome.name(), *exit_status, message, hints, *duration, width);
            }
        }
        Vec::new()
    }

    /// The lines for what is under way, none wider than `width`.
    pub(super) fn live(&self, now: Timestamp, width: usize) -> Vec<String> {
        let Some(running) = &self.running else { return Vec::new() };
        let style = self.style;
        let elapsed = passed(running.began, now);
        let seconds = format!("{}.{} s", elapsed.as_secs(), elapsed.subsec_millis() / 100);
        let time = if elapsed < Duration::from_secs(60) { seconds } else { human::duration(elapsed) };
        let head = format!(
            "{} {}{}",
            style.cyan(&self.spinner(elapsed)),
            pad(&style.bold(running.name.name()), NAME),
            style.dim(&pad_left(&time, TIME))
        );
        let room = width.saturating_sub(self.column());
        let tail = match &running.doing {
            Doing::Working if running.undo => vec!["undoing".to_owned()],
            Doing::Working => vec![String::new()],
            Doing::Waiting { reason, left, since } => {
                let left = left.map(|left| left.saturating_sub(passed(*since, now)));
                let text = phrases::waiting(reason, None, style);
                // The time left is not torn apart: its spaces do not break while lines are made.
                let left = left.map(|left| format!(" ({} left)", human::left(left)).replace(' ', "\u{a0}"));
                let text = format!("{text} {}", left.unwrap_or_default().trim_start());
                wrap(&text, room).iter().map(|line| style.yellow(&line.replace('\u{a0}', " "))).collect()
            }
            Doing::Syncing(progress) => {
                let mut lines = sync_lines(progress, room, style);
                if let Some((reason, _)) = running.waited.as_ref().filter(|(_, at)| passed(*at, now) < RECENT) {
                    lines.extend(wrap(&phrases::waiting(reason, None, style), room).iter().map(|line| style.yellow(line)));
                }
                lines
            }
        };
        let mut lines = Vec::new();
        for (i, tail) in tail.iter().take(LIVE_LINES).enumerate() {
            lines.push(if i == 0 { format!("{head}  {tail}") } else { format!("{}{tail}", " ".repeat(self.column())) });
        }

        // The details touched last, in their own order, as many as there is room for.
        let mut order: Vec<usize> = (0..running.details.len()).collect();
        order.sort_by_key(|i| std::cmp::Reverse(running.details[*i].touched));
        let mut shown: Vec<(usize, Vec<String>)> = Vec::new();
        let mut used = 0;
        for i in order {
            let detail = running.details[i].lines(style, width);
            used += detail.len();
            if used > LIVE_LINES && !shown.is_empty() {
                break;
            }
            shown.push((i, detail));
        }
        shown.sort_by_key(|(i, _)| *i);
        lines.extend(shown.into_iter().flat_map(|(_, detail)| detail));
        let cut = style.sign("…", "...");
        lines.iter().map(|line| truncate_str(line, width, cut).trim_end().to_owned()).collect()
    }

    /// A step or undo begins. One that never ended (it should not be) is ended first, so that nothing said is lost.
    fn begin(&mut self, name: Step, undo: bool, at: Timestamp, width: usize) -> Vec<String> {
        let lost = self.running.take().map(|r| details(&r, self.style, width)).unwrap_or_default();
        self.running = Some(Running { name, undo, began: at, doing: Doing::Working, waited: None, details: Vec::new() });
        self.logs.clear();
        lost
    }

    fn end(&mut self, mark: Mark, step: Step, took: Duration, text: &str, width: usize) -> Vec<String> {
        let style = self.style;
        let head = format!(
            "{} {}{}",
            mark.dressed(style),
            pad(&style.bold(step.name()), NAME),
            style.dim(&pad_left(&human::duration(took), TIME))
        );
        let column = self.column();
        let text = style.clean(text);
        let mut lines: Vec<String> = wrap(&text, width.saturating_sub(column))
            .iter()
            .enumerate()
            .map(|(i, line)| {
                let line = if mark == Mark::Bad { style.red(line) } else { line.clone() };
                if i == 0 { format!("{head}  {line}") } else { format!("{}{line}", " ".repeat(column)) }
            })
            .collect();
        if let Some(running) = self.running.take() {
            if let Some((reason, _)) = running.waited.as_ref().filter(|_| mark == Mark::Good && took >= LONG) {
                let text = format!("waited: {}", phrases::waiting(reason, None, style));
                lines.extend(Detail::new(Mark::Note, text).lines(style, width));
            }
            lines.extend(details(&running, style, width));
        }
        lines.iter_mut().for_each(|l| l.truncate(l.trim_end().len()));
        lines
    }

    fn close(
        &mut self,
        outcome: &str,
        exit: u8,
        message: &str,
        hints: &[String],
        took: Duration,
        width: usize,
    ) -> Vec<String> {
        let style = self.style;
        let mut lines = self.running.take().map(|r| details(&r, style, width)).unwrap_or_default();
        lines.push(String::new());
        let outcome = style.clean(outcome);
        let outcome = if exit == 0 { style.bold(&style.green(&outcome)) } else { style.alarm(&outcome) };
        let text = format!("{outcome} after {}: {}", human::duration(took), style.clean(message));
        lines.extend(wrap(&text, width));
        let shares = phrases::shares(&self.steps, took);
        let room = width.saturating_sub(6);
        for (i, line) in wrap_items(&shares, room).iter().filter(|l| !l.is_empty()).enumerate() {
            lines.push(style.dim(&format!("{}{line}", if i == 0 { "time: " } else { "      " })));
        }
        for hint in hints {
            lines.extend(wrap(&printer::hint(hint, style), width));
        }
        lines
    }

    fn log(&mut self, plugin: &str, level: LogLevel, message: &str, width: usize) -> Vec<String> {
        if level == LogLevel::Debug && !self.verbose {
            return Vec::new();
        }
        let style = self.style;
        let plugin = style.clean(plugin);
        let said = self.logs.entry(plugin.clone()).or_default();
        *said += 1;
        if *said > phrases::LOG_MESSAGES {
            let first = *said == phrases::LOG_MESSAGES + 1;
            let detail = Detail::new(Mark::Note, format!("{plugin} says more than is shown here"));
            return if first { self.tell(detail, width) } else { Vec::new() };
        }
        let mark = match level {
            LogLevel::Error => Mark::Bad,
            LogLevel::Warn => Mark::Warning,
            LogLevel::Debug | LogLevel::Info => Mark::Note,
        };
        let mut lines = sanitize_lines(message, phrases::LOG_LINES).into_iter().map(|l| style.letters(&l));
        // A message of many lines comes line by line: what follows at once belongs to the same.
        let last = self.running.as_mut().and_then(|r| r.details.last_mut());
        if let Some(last) = last.filter(|d| d.mark == mark && d.speaker.as_ref() == Some(&plugin)) {
            last.more.extend(lines);
            self.touches += 1;
            last.touched = self.touches;
            return Vec::new();
        }
        let text = format!("{plugin} says: {}", lines.next().unwrap_or_default());
        self.tell(Detail { more: lines.collect(), speaker: Some(plugin), ..Detail::new(mark, text) }, width)
    }

    fn verdict(&mut self, plugin: &str, said: phrases::Said, reason: &str, width: usize) -> Vec<String> {
        if said.0 == VerdictKind::Told && reason.is_empty() && !self.verbose {
            return Vec::new();
        }
        let style = self.style;
        let plugin = style.clean(plugin);
        let mark = match said.0 {
            VerdictKind::Pass | VerdictKind::Approve => Mark::Good,
            VerdictKind::Reject | VerdictKind::Failed => Mark::Bad,
            VerdictKind::Ignored => Mark::Warning,
            VerdictKind::Wait | VerdictKind::Told | VerdictKind::Monitored => Mark::Note,
        };
        let said = phrases::verdict(said, reason, style);
        let repeats = Some((plugin.clone(), shape(&said)));
        self.tell(Detail { repeats, ..Detail::new(mark, format!("{plugin}: {said}")) }, width)
    }

    /// Puts a detail below the step under way, in the place of one that it repeats; outside a step it is final at once.
    fn tell(&mut self, mut detail: Detail, width: usize) -> Vec<String> {
        self.touches += 1;
        detail.touched = self.touches;
        let Some(running) = &mut self.running else { return detail.lines(self.style, width) };
        if let Some((who, shape)) = &detail.repeats {
            let own = |d: &Detail| d.repeats.as_ref().is_some_and(|(w, _)| w == who);
            let same = running.details.iter().position(|d| own(d) && d.repeats.as_ref().is_some_and(|(_, s)| s == shape));
            let full = running.details.iter().filter(|d| own(d)).count() >= SHAPES;
            let place = same.or_else(|| if full { running.details.iter().rposition(own) } else { None });
            if let Some(place) = place {
                detail.times += running.details[place].times;
                running.details[place] = detail;
                return Vec::new();
            }
        }
        running.details.push(detail);
        Vec::new()
    }

    fn took(&self, at: Timestamp) -> Duration {
        self.running.as_ref().map(|r| passed(r.began, at)).unwrap_or_default()
    }

    /// Where the text of a step's line begins.
    fn column(&self) -> usize {
        Mark::Good.sign(self.style).chars().count() + 1 + NAME + TIME + 2
    }

    fn spinner(&self, elapsed: Duration) -> String {
        const UNICODE: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
        const ASCII: [&str; 4] = ["| ", "/ ", "- ", "\\ "];
        let frames: &[&str] = if self.style.unicode { &UNICODE } else { &ASCII };
        frames[(elapsed.as_millis() / 100) as usize % frames.len()].to_owned()
    }
}

/// All that was said during a step.
fn details(running: &Running, style: Style, width: usize) -> Vec<String> {
    running.details.iter().flat_map(|d| d.lines(style, width)).collect()
}

fn passed(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use console::{measure_text_width, strip_ansi_codes};

    use super::super::fixture;
    use super::*;
    use crate::event::Usage;

    const PLAIN: Style = Style { color: false, unicode: true };
    const COLORED: Style = Style { color: true, unicode: true };

    #[test]
    fn color_changes_no_word_and_every_line_fits() {
        for width in [30, 45, 60, 80, 100, 200] {
            for events in [fixture::joined(), fixture::refused(), fixture::rolled_back(), fixture::stuck()] {
                let (mut plain, mut colored) = (Board::new(PLAIN, true), Board::new(COLORED, true));
                for event in events {
                    let lines = [plain.take(&event, width), plain.live(event.at, width)].concat();
                    let dressed = [colored.take(&event, width), colored.live(event.at, width)].concat();
                    let stripped: Vec<_> = dressed.iter().map(|l| strip_ansi_codes(l).trim_end().to_owned()).collect();
                    assert_eq!(stripped, lines.iter().map(|l| l.trim_end().to_owned()).collect::<Vec<_>>());
                    assert!(!lines.concat().contains('\u{1b}'));
                    // Run ids in the title are left to the terminal to break.
                    let title = lines.first().is_some_and(|l| l.starts_with("join"));
                    let widest = lines.iter().map(|l| measure_text_width(l)).max().unwrap_or_default();
                    assert!(title || widest <= width.max(34), "{widest} > {width}: {lines:#?}");
                }
            }
        }
    }

    #[test]
    fn a_chatty_plugin_does_not_flood_the_screen() {
        let mut board = Board::new(PLAIN, false);
        let at = fixture::joined()[0].at;
        board.take(&Event { at, kind: EventKind::StepStarted { step: Step::Sync } }, 80);
        for n in 0..20_000 {
            let reason: String = format!("{n}").chars().map(|c| char::from(c as u8 - b'0' + b'a')).collect();
            let verdict = EventKind::PluginVerdict {
                plugin: "p".into(),
                verdict: VerdictKind::Wait,
                would: None,
                reason,
                usage: Usage::default(),
            };
            let log = EventKind::PluginLog { plugin: "p".into(), level: LogLevel::Info, message: format!("line {n}") };
            assert!(board.take(&Event { at, kind: verdict }, 80).is_empty());
            assert!(board.take(&Event { at, kind: log }, 80).is_empty());
        }
        assert!(board.live(at, 80).len() <= LIVE_LINES + 1);
        let failed = EventKind::StepFailed { step: Step::Sync, error: "enough".into() };
        let lines = board.take(&Event { at, kind: failed }, 80);
        assert_eq!(lines.len(), 1 + SHAPES + phrases::LOG_MESSAGES + 1);
        assert!(board.live(at, 80).is_empty());
    }

    #[test]
    fn an_undo_that_failed_says_what_to_do() {
        let mut board = Board::new(PLAIN, false);
        let lines: Vec<String> = fixture::stuck().iter().flat_map(|e| board.take(e, 80)).collect();
        assert!(lines.iter().any(|l| l.contains("do this: bring back a quorum")), "{lines:#?}");
    }
}
