//! The message, put together from what happened.

use std::fmt::Write;

use crate::event::{End, Kind};

/// What a run's events have told so far.
#[derive(Debug, Default)]
pub(crate) struct Story {
    /// `join of node-3`; empty where the run's start was not told.
    title: String,
    steps: Vec<(String, u64, String)>,
    /// Who was waited for, how often, and the last reason. All of them would be one line a sample.
    waits: Vec<(String, u32, String)>,
    notes: Vec<String>,
}

/// More notes than this are not read.
const NOTES: usize = 100;

impl Story {
    pub(crate) fn add(&mut self, kind: Kind) {
        match kind {
            Kind::RunStarted { operation, member } => self.title = format!("{operation} of {member}"),
            Kind::StepFinished { step, duration_ms, summary } => self.steps.push((step, duration_ms, summary)),
            Kind::StepFailed { step, error } => self.notes.push(format!("failed: {step}: {error}")),
            Kind::PluginVerdict { plugin, verdict, would, reason } => match verdict.as_str() {
                "monitored" if matches!(would.as_deref(), Some("reject" | "failed")) => {
                    let would = if would.as_deref() == Some("reject") { "would refuse" } else { "failed" };
                    self.note_once(format!("monitored: {plugin} {would}: {reason}"));
                }
                "wait" => self.waited(plugin, reason),
                "reject" | "failed" | "ignored" => self.notes.push(format!("{verdict}: {plugin}: {reason}")),
                _ => {}
            },
            Kind::Finding { source, severity, message, remedy, waived, monitored } if severity != "info" => {
                let waived = waived.map(|why| format!("waived, because {why}: ")).unwrap_or_default();
                let monitored = if monitored { "monitored: " } else { "" };
                let remedy = remedy.map(|text| format!(" ({text})")).unwrap_or_default();
                self.notes.push(format!("{waived}{monitored}{severity}: {source}: {message}{remedy}"));
            }
            Kind::Undone { step, summary } => self.notes.push(format!("undone: {step}: {summary}")),
            Kind::UndoFailed { step, error, remedy } => {
                self.notes.push(format!("not undone: {step}: {error}; to do: {remedy}"));
            }
            Kind::Finding { .. } | Kind::RunFinished(_) | Kind::Unknown => {}
        }
    }

    /// The first line.
    pub(crate) fn headline(&self, end: &End) -> String {
        let of = if self.title.is_empty() { String::new() } else { format!("{}: ", self.title) };
        format!("{of}{} in {}: {}", end.outcome, duration(end.duration_ms), end.message)
    }

    /// The whole message.
    pub(crate) fn tell(&self, end: &End) -> String {
        let mut text = self.headline(end);
        let width = self.steps.iter().map(|(step, ..)| step.len()).max().unwrap_or_default();
        for (step, took, summary) in &self.steps {
            let line = format!("  {step:width$}  {:>8}  {summary}", duration(*took));
            let _ = write!(text, "\n{}", line.trim_end());
        }
        for (plugin, times, reason) in &self.waits {
            let _ = write!(text, "\n  waited: {plugin}, {}, last: {reason}", counted(*times));
        }
        for note in &self.notes {
            let _ = write!(text, "\n  {note}");
        }
        for hint in &end.hints {
            let _ = write!(text, "\n  hint: {hint}");
        }
        text
    }

    /// A verdict that has no consequence may come with every sample.
    fn note_once(&mut self, note: String) {
        if !self.notes.contains(&note) && self.notes.len() < NOTES {
            self.notes.push(note);
        }
    }

    fn waited(&mut self, plugin: String, reason: String) {
        match self.waits.iter_mut().find(|(known, ..)| *known == plugin) {
            Some((_, times, last)) => (*times, *last) = (*times + 1, reason),
            None => self.waits.push((plugin, 1, reason)),
        }
    }
}

/// `850 ms`, `4.2 s`, `3 min 20 s`.
fn duration(ms: u64) -> String {
    match ms {
        0..1000 => format!("{ms} ms"),
        1000..60_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        _ => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1000),
    }
}

fn counted(times: u32) -> String {
    match times {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        _ => format!("{times} times"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_readable() {
        assert_eq!(
            [0, 999, 1000, 4290, 59_999, 200_500].map(duration),
            ["0 ms", "999 ms", "1.0 s", "4.2 s", "59.9 s", "3 min 20 s"]
        );
    }
}
