//! Notifier: posts how a run ended to a URL, as JSON for a program, or as a message to Slack or Microsoft Teams.
//!
//! | setting | default | meaning |
//! | --- | --- | --- |
//! | `format` | `json` | `json`, `slack` (incoming webhook) or `teams` (a workflow's webhook; an Adaptive Card) |
//! | `urlSecret` | `url` | the name of the granted secret that holds the URL |
//! | `authorizationSecret` | none | the name of a secret for the header `authorization`, for example `Bearer …` |
//! | `when` | `always` | `trouble`: only of runs that did not end well |
//! | `kinds` | see below | `json`: the kinds of events that are sent along |
//! | `cluster` | none | what to call the cluster in messages |
//! | `attempts` | 3 | how often it is tried (1 to 5) |
//! | `timeoutMs` | 1000 | how long the first attempt may take; each further one may take twice as long as the one before |
//!
//! `kinds` are `run-started`, `finding`, `step-failed`, `undone`, `undo-failed` and `run-finished` unless said otherwise.
//!
//! Runner tells notifiers once, at the end of a run, so that there is one message a run. The URL is a secret: whoever has it can
//! post, so it comes from the grants, and it never appears in a log, an error or a message. It needs these grants:
//!
//! ```yaml
//! grants:
//!   http:
//!     - hosts: [hooks.slack.com]
//!       methods: [POST]
//!   secrets:
//!     url: { file: /etc/runner/slack-url }
//! ```
//!
//! Whatever may pass is tried again: no connection, no answer in time, and the statuses 429 and 5xx. A plugin cannot sleep, and
//! sees one time for all of a call; so attempts follow each other at once, and what grows is their patience. The defaults come to 7
//! s at the most, below the 10 s of a call. `Retry-After` is *not* waited for; what could not be told is not told later; the run
//! never fails by it.

use runner_plugin::prelude::*;
use runner_plugin::{http, secrets};
use serde::Deserialize;

use story::Story;

mod body;
mod story;

/// The longest that all attempts together may wait.
const LONGEST_MS: u64 = 60_000;

/// The notifier and its settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Webhook {
    /// What is posted.
    pub format: Format,
    /// The secret that holds the URL.
    pub url_secret: String,
    /// The secret that holds the header `authorization`.
    pub authorization_secret: Option<String>,
    /// Which runs are told of.
    pub when: When,
    /// Which events are sent along in JSON.
    pub kinds: Vec<String>,
    /// What to call the cluster.
    pub cluster: Option<String>,
    /// How often it is tried.
    pub attempts: u32,
    /// How long the first attempt may take.
    pub timeout_ms: u32,
}

/// What is posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// The run and its events, for a program.
    Json,
    /// A message for Slack's incoming webhooks.
    Slack,
    /// An Adaptive Card for a workflow of Microsoft Teams.
    Teams,
}

/// Which runs are told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// All.
    Always,
    /// Those that did not end well.
    Trouble,
}

impl Default for Webhook {
    fn default() -> Self {
        let kinds = ["run-started", "finding", "step-failed", "undone", "undo-failed", "run-finished"];
        Self {
            format: Format::Json,
            url_secret: "url".to_owned(),
            authorization_secret: None,
            when: When::Always,
            kinds: kinds.map(str::to_owned).to_vec(),
            cluster: None,
            attempts: 3,
            timeout_ms: 1000,
        }
    }
}

impl Plugin for Webhook {
    fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (path, name) in
            [("urlSecret", Some(&self.url_secret)), ("authorizationSecret", self.authorization_secret.as_ref())]
        {
            if name.is_some_and(|name| name.is_empty()) {
                problems.push(Problem::new(path, "give the name of a granted secret"));
            } else if name.is_some_and(|name| name.contains("://")) {
                let text = "give the name of a granted secret, not the URL itself: settings are shown and kept with the run";
                problems.push(Problem::new(path, text));
            }
        }
        if !(1..=5).contains(&self.attempts) {
            problems.push(Problem::new("attempts", format!("{} is not in 1 to 5", self.attempts)));
        } else {
            let all: u64 = (1..=self.attempts).map(|attempt| u64::from(self.patience_ms(attempt))).sum();
            if self.timeout_ms == 0 || all > LONGEST_MS {
                let text = format!(
                    "{} attempts from {} ms on come to {all} ms; give 1 to {LONGEST_MS} in all",
                    self.attempts, self.timeout_ms
                );
                problems.push(Problem::new("timeoutMs", text));
            }
        }
        problems
    }
}

impl Notifier for Webhook {
    fn notify(&self, events: &[Event]) -> Result<()> {
        let story = Story::of(events)?;
        let Some(body) = body::of(self, &story) else { return Ok(()) };
        let url = secrets::get(&self.url_secret)?.reveal();
        let url = url.trim();
        if !url.starts_with("https://") && !url.starts_with("http://") {
            return Err(Error::new(format!("the secret {:?} is not a URL", self.url_secret)));
        }
        let mut request = http::post(url).json(&body);
        if let Some(name) = &self.authorization_secret {
            request = request.header("authorization", secrets::get(name)?.reveal().trim());
        }
        self.post(request, url)
    }
}

impl Webhook {
    fn post(&self, request: http::Request, url: &str) -> Result<()> {
        let mut attempt = 1;
        loop {
            let sent = request.clone().timeout_ms(self.patience_ms(attempt)).send();
            let (why, may_pass) = match sent {
                Ok(response) if response.is_success() => return Ok(()),
                Ok(response) => (format!("it answered {}", response.status), matches!(response.status, 429 | 500..)),
                Err(failure) => (discreet(&failure, url), failure.may_pass()),
            };
            if !may_pass || attempt >= self.attempts {
                let tried = if attempt == 1 { String::new() } else { format!(" in {attempt} attempts") };
                return Err(Error::new(format!("the webhook took no message{tried}: {why}")));
            }
            log::info(format!("attempt {attempt} failed: {why}"));
            attempt += 1;
        }
    }

    /// Each attempt waits twice as long as the one before.
    fn patience_ms(&self, attempt: u32) -> u32 {
        self.timeout_ms.saturating_mul(1 << (attempt - 1).min(5))
    }
}

/// What went wrong, without any part of the URL that is secret: everything after the host.
fn discreet(failure: &Failure, url: &str) -> String {
    let secret = url.split_once("://").and_then(|(_, rest)| rest.split_once(['/', '?'])).map_or("", |(_, path)| path);
    let told = secret.split(['/', '?', '&', '=']).any(|part| part.len() > 3 && failure.message.contains(part));
    if told || failure.message.contains(url) { failure.kind.to_string() } else { failure.to_string() }
}

runner_plugin::export!(Webhook: Notifier);

#[cfg(test)]
mod tests;
