//! What happened in a run, as far as a message tells it.

use runner_plugin::prelude::*;
use serde::Deserialize;
use serde_json::Value;

/// So many lines are told, and so many characters of each: chat messages have limits, and readers too.
const MOST_LINES: usize = 20;
const LONGEST_LINE: usize = 500;

/// A run.
#[derive(Debug, Default)]
pub(crate) struct Story {
    pub(crate) start: Option<Start>,
    pub(crate) end: Option<End>,
    /// What a person should know, in order.
    pub(crate) lines: Vec<String>,
    /// Every event, by its kind.
    pub(crate) events: Vec<(String, Value)>,
}

/// How it began.
#[derive(Debug, Deserialize)]
pub(crate) struct Start {
    pub(crate) run: String,
    pub(crate) operation: String,
    pub(crate) member: String,
}

/// How it ended.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct End {
    pub(crate) outcome: String,
    pub(crate) exit_status: u8,
    pub(crate) message: String,
    #[serde(default)]
    pub(crate) hints: Vec<String>,
    pub(crate) duration_ms: u64,
}

#[derive(Deserialize)]
struct Found {
    source: String,
    severity: String,
    message: String,
    remedy: Option<String>,
    /// Why it does not count, where the policy waives it.
    #[serde(default)]
    waived: Option<String>,
    /// Of a plugin that has no say.
    #[serde(default)]
    monitored: bool,
}

#[derive(Deserialize)]
struct Trouble {
    step: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    summary: String,
    #[serde(default)]
    remedy: String,
}

impl Story {
    /// Reads the events; kinds that it does not know are only kept.
    pub(crate) fn of(events: &[Event]) -> Result<Self> {
        let mut story = Self::default();
        for event in events {
            story.add(event)?;
            story.events.push((event.kind.clone(), event.parse()?));
        }
        if let Some(end) = &story.end {
            let hints: Vec<_> = end.hints.iter().map(|hint| format!("hint: {hint}")).collect();
            hints.into_iter().for_each(|line| story.line(line));
        }
        if story.lines.len() > MOST_LINES {
            let more = story.lines.len() - MOST_LINES;
            story.lines.truncate(MOST_LINES);
            story.lines.push(format!("… and {more} more"));
        }
        Ok(story)
    }

    /// `join of cp-4 in prod-1: joined in 4.2 s: cp-4 is a voter`; none where the run has not ended.
    pub(crate) fn headline(&self, cluster: Option<&str>) -> Option<String> {
        let end = self.end.as_ref()?;
        let run = self.start.as_ref().map(|start| format!("{} of {}", start.operation, start.member));
        let run = run.unwrap_or_else(|| "run".to_owned());
        let place = cluster.map(|name| format!(" in {name}")).unwrap_or_default();
        let took = format!("{}.{} s", end.duration_ms / 1000, end.duration_ms % 1000 / 100);
        Some(cut(format!("{run}{place}: {} in {took}: {}", end.outcome, end.message)))
    }

    /// Whether it has ended well.
    pub(crate) fn went_well(&self) -> bool {
        self.end.as_ref().is_some_and(|end| end.exit_status == 0)
    }

    fn add(&mut self, event: &Event) -> Result<()> {
        match event.kind.as_str() {
            "run-started" => self.start = Some(event.parse()?),
            "run-finished" => self.end = Some(event.parse()?),
            "finding" => {
                let found: Found = event.parse()?;
                if found.severity != "info" {
                    let remedy = found.remedy.map(|text| format!(" ({text})")).unwrap_or_default();
                    let aside = match found.waived {
                        Some(reason) => format!(", waived ({reason})"),
                        None if found.monitored => ", only monitored".to_owned(),
                        None => String::new(),
                    };
                    self.line(format!("{}{aside}: {}: {}{remedy}", found.severity, found.source, found.message));
                }
            }
            "step-failed" => {
                let Trouble { step, error, .. } = event.parse()?;
                self.line(format!("failed: {step}: {error}"));
            }
            "undone" => {
                let Trouble { step, summary, .. } = event.parse()?;
                self.line(format!("undone: {step}: {summary}"));
            }
            "undo-failed" => {
                let Trouble { step, error, remedy, .. } = event.parse()?;
                self.line(format!("not undone: {step}: {error}; to do: {remedy}"));
            }
            _ => {}
        }
        Ok(())
    }

    fn line(&mut self, line: String) {
        self.lines.push(cut(line));
    }
}

/// One line that is not too long.
fn cut(text: String) -> String {
    let text = text.replace(['\n', '\r'], " ");
    match text.char_indices().nth(LONGEST_LINE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
