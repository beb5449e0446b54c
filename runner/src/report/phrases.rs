//! The words for events, shared by every reader that is meant for people. Text of others is cleaned here.

use std::fmt::Display;
use std::time::Duration;

use super::human;
use super::printer::Style;
use crate::cluster::oracle::{Answer, Forecast, Tolerance};
use crate::event::Progress;
use crate::terms::VerdictKind;

/// How many lines of one plugin's log message are shown.
pub(super) const LOG_LINES: usize = 40;

/// How many log messages of one plugin are shown in one step.
pub(super) const LOG_MESSAGES: usize = 50;

/// How far a sync is, from 0 to 1; never 1 while entries are missing.
///
/// Bytes tell while a snapshot comes, the index while the log is replayed: the farther one counts.
pub(super) fn fraction(progress: &Progress) -> f64 {
    if progress.lag == 0 && progress.leader_index > 0 && progress.applied_index >= progress.leader_index {
        return 1.0;
    }
    let part = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    part(progress.bytes, progress.bytes_total).max(part(progress.applied_index, progress.leader_index)).clamp(0.0, 0.99)
}

/// The figures of a sync, most important first.
pub(super) fn figures(progress: &Progress, style: Style) -> Vec<String> {
    let mut figures = Vec::new();
    if progress.bytes > 0 || progress.bytes_total > 0 {
        // A database's size is an estimate of what has to come: the log comes on top.
        figures.push(human::bytes_of(progress.bytes, progress.bytes_total.max(progress.bytes)));
    }
    figures.push(format!("lag {}", style.count(progress.lag)));
    if let Some(eta) = progress.eta {
        figures.push(format!("ETA {}", human::left(eta)));
    }
    if progress.rate > 0.0 {
        figures.push(human::rate(progress.rate));
    }
    if progress.snapshot {
        figures.push("snapshot".to_owned());
    }
    figures
}

/// A verdict, and what it would have been of a plugin that has no say.
pub(super) type Said = (VerdictKind, Option<VerdictKind>);

/// A plugin's verdict in words: "not yet, because …"; "would refuse, because … (monitored)" of one that has no say.
pub(super) fn verdict((verdict, would): Said, reason: &str, style: Style) -> String {
    let reason = style.clean(reason);
    if verdict == VerdictKind::Monitored {
        let (said, joint) = match would {
            Some(VerdictKind::Pass) => ("would pass", ": "),
            Some(VerdictKind::Approve) => ("would approve", ": "),
            Some(VerdictKind::Wait) => ("would wait", ", because "),
            Some(VerdictKind::Reject) => ("would refuse", ", because "),
            _ => ("failed", ": "),
        };
        let because = if reason.is_empty() { String::new() } else { format!("{joint}{reason}") };
        return format!("{said}{because} (monitored)");
    }
    let (said, joint) = match verdict {
        VerdictKind::Pass => ("passes", ": "),
        VerdictKind::Approve => ("approves", ": "),
        VerdictKind::Wait => ("not yet", ", because "),
        VerdictKind::Reject => ("refuses", ", because "),
        VerdictKind::Told | VerdictKind::Monitored => (verdict.name(), ": "),
        VerdictKind::Failed => ("failed", ": "),
        VerdictKind::Ignored => ("failed and is ignored", ": "),
    };
    if reason.is_empty() { said.to_owned() } else { format!("{said}{joint}{reason}") }
}

/// "after 12 waits", for the verdict that ends them; empty where there were none.
pub(super) fn after_waits(waits: u64) -> String {
    match waits {
        0 => String::new(),
        1 => " (after 1 wait)".to_owned(),
        n => format!(" (after {n} waits)"),
    }
}

/// What the run waits for, and how long it still will.
pub(super) fn waiting(reason: &str, left: Option<Duration>, style: Style) -> String {
    let reason = style.clean(reason);
    match left {
        Some(left) => format!("{reason} ({} left)", human::left(left)),
        None => reason,
    }
}

/// What the oracle says of a change: `promote m4: accepted: …; more losses survived: 1 now, 1 afterwards, 0 if …`.
pub(super) fn forecast(forecast: &Forecast, style: Style) -> String {
    let answer = match forecast.answer {
        Answer::Accepted => "accepted".to_owned(),
        Answer::Refused(_) => style.yellow("will be refused"),
        Answer::Unanswered(_) => style.yellow("cannot be done now"),
    };
    let left = |left: Option<usize>, when: &str| match left {
        Some(left) => format!("{left} {when}"),
        None => format!("no quorum {when}"),
    };
    let Tolerance { now, after, newcomer_dead } = forecast.tolerance;
    let mut losses = vec![left(now, "now"), left(after, "afterwards")];
    if newcomer_dead != after {
        losses.push(left(newcomer_dead, "if the newcomer fails"));
    }
    let (change, why) = (style.clean(&forecast.change), style.clean(&forecast.why));
    format!("{change}: {answer}: {why}; more losses survived: {}", losses.join(", "))
}

/// The subject of a finding or log line, where it is not runner itself: `version-window: `.
pub(super) fn source(source: &str, style: Style) -> String {
    if source == "runner" { String::new() } else { format!("{}: ", style.clean(source)) }
}

/// A finding's message, with the member that it is about unless the message names it.
pub(super) fn finding(message: &str, member: Option<&str>, style: Style) -> String {
    let message = style.clean(message);
    match member.map(|m| style.clean(m)) {
        Some(member) if !message.contains(&member) => format!("{message} (member {member})"),
        _ => message,
    }
}

/// A digest short enough to look at: `sha256:1f2e3d4c5b6a`.
pub(super) fn digest(digest: &str, style: Style) -> String {
    let digest = style.clean(digest);
    match digest.split_once(':') {
        Some((kind, hex)) => format!("{kind}:{}", hex.chars().take(12).collect::<String>()),
        None => digest.chars().take(12).collect(),
    }
}

/// Where the time went, the longest first, what is short lumped together: `sync 12.3 s (81 %), start-member 1.2 s (8 %)`.
pub(super) fn shares<T: Display>(steps: &[(T, Duration)], total: Duration) -> Vec<String> {
    const SHOWN: usize = 4;
    let mut sorted: Vec<_> = steps.iter().filter(|(_, took)| !took.is_zero()).collect();
    sorted.sort_by_key(|(_, took)| std::cmp::Reverse(*took));
    let share = |took: Duration| if total.is_zero() { 0.0 } else { took.as_secs_f64() / total.as_secs_f64() };
    let shown = sorted.iter().take(SHOWN).take_while(|(_, took)| share(*took) >= 0.01).count().max(1).min(sorted.len());
    let mut parts: Vec<String> = sorted[..shown]
        .iter()
        .map(|(step, took)| format!("{step} {} ({:.0} %)", human::duration(*took), 100.0 * share(*took)))
        .collect();
    if sorted.len() > shown {
        let rest: Duration = sorted[shown..].iter().map(|(_, took)| *took).sum();
        parts.push(format!("{} more {}", sorted.len() - shown, human::duration(rest)));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_is_never_complete_while_entries_are_missing() {
        let mut p = Progress {
            leader_index: 1_000,
            applied_index: 10,
            lag: 990,
            bytes: 200,
            bytes_total: 100,
            rate: 0.0,
            snapshot: true,
            eta: None,
        };
        assert_eq!(fraction(&p), 0.99);
        p.bytes = 50;
        assert_eq!(fraction(&p), 0.5);
        (p.applied_index, p.lag) = (1_000, 0);
        assert_eq!(fraction(&p), 1.0);
        (p.leader_index, p.applied_index, p.bytes, p.bytes_total) = (0, 0, 0, 0);
        assert_eq!(fraction(&p), 0.0);
    }

    #[test]
    fn the_longest_steps_come_first() {
        let steps: Vec<_> = [("a", 10), ("b", 700), ("c", 40), ("d", 30), ("e", 20), ("f", 1)]
            .map(|(n, ms)| (n, Duration::from_millis(ms)))
            .into();
        insta::assert_snapshot!(shares(&steps, Duration::from_millis(1_000)).join(", "), @"b 700 ms (70 %), c 40 ms (4 %), d 30 ms (3 %), e 20 ms (2 %), 2 more 11 ms");
        assert!(shares::<&str>(&[], Duration::ZERO).is_empty());
    }

    #[test]
    fn a_verdict_cannot_paint_the_screen() {
        assert_eq!(verdict((VerdictKind::Wait, None), "lag \u{1b}[2Jis 3", Style::PLAIN), "not yet, because lag is 3");
        assert_eq!(verdict((VerdictKind::Approve, None), "", Style::PLAIN), "approves");
        assert_eq!(
            verdict((VerdictKind::Monitored, Some(VerdictKind::Reject)), "too old", Style::PLAIN),
            "would refuse, because too old (monitored)"
        );
    }
}
