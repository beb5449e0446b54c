//! Notifier: tells how a run ended, in one readable message through the plugin's log.
//!
//! ```text
//! join of node-3: joined in 4.2 s: node-3 is a voter
//!   check       12 ms  3 members, leader node-0
//!   promote     3.1 s
//!   waited: steady-sync, 3 times, last: lag 120 > 100
//!   warning: version-window: the etcd version of node-2 is unknown: it does not answer (bring it back)
//! ```
//!
//! | setting | default | meaning |
//! | --- | --- | --- |
//! | `detail` | `full` | `short`: the first line only; `full`: steps, waits, findings and undos too |
//!
//! It speaks when a run has ended (`run-finished`), and is silent for events before that. The message's level is `info` for a run
//! that ended well, `error` for one that needs a person, else `warn`. Kinds of events that it does not know are ignored.

use runner_plugin::prelude::*;
use serde::Deserialize;

use event::Kind;
use story::Story;

mod event;
mod story;

/// The exit status of a run that is stuck: a person is needed.
const STUCK: u8 = 16;

/// The notifier and its settings.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RunSummary {
    /// How much to tell.
    pub detail: Detail,
}

/// How much to tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Detail {
    /// One line.
    Short,
    /// Steps, waits, findings and undos too.
    #[default]
    Full,
}

impl Plugin for RunSummary {}

impl Notifier for RunSummary {
    fn notify(&self, events: &[Event]) -> Result<()> {
        let mut story = Story::default();
        for event in events {
            let end = match event.parse()? {
                Kind::RunFinished(end) => end,
                kind => {
                    story.add(kind);
                    continue;
                }
            };
            let level = match end.exit_status {
                0 => log::Level::Info,
                STUCK => log::Level::Error,
                _ => log::Level::Warn,
            };
            let message = match self.detail {
                Detail::Short => story.headline(&end),
                Detail::Full => story.tell(&end),
            };
            log::log(level, message);
            story = Story::default();
        }
        Ok(())
    }
}

runner_plugin::export!(RunSummary: Notifier);

#[cfg(test)]
mod tests {
    use log::Level;
    use runner_plugin::fake;
    use runner_plugin::settings::{plugin, problems};

    use super::*;

    fn told(settings: &str, events: &[&str]) -> Vec<(Level, String)> {
        let events: Vec<Event> = events.iter().map(|json| event(json)).collect();
        plugin::<RunSummary>(settings).unwrap().notify(&events).unwrap();
        fake::take_log()
    }

    fn event(json: &str) -> Event {
        let kind = json.split("\"kind\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        Event { kind: kind.to_owned(), at_ms: fake::START_MS, json: json.to_owned() }
    }

    const STARTED: &str =
        r#"{"at":"2027-01-15T08:00:00Z","kind":"run-started","run":"0199","operation":"join","member":"node-3"}"#;
    const JOINED: &str = r#"{"at":"2027-01-15T08:00:04.2Z","kind":"run-finished","outcome":"joined","exitStatus":0,
        "message":"node-3 is a voter","hints":[],"durationMs":4200}"#;

    #[test]
    fn a_joined_run_is_told_step_by_step() {
        let wait = r#"{"kind":"plugin-verdict","plugin":"steady-sync","verdict":"wait","reason":"lag 120 > 100","usage":{"cpuUs":20}}"#;
        let log = told(
            "{}",
            &[
                STARTED,
                r#"{"kind":"step-finished","step":"check","durationMs":12,"summary":"3 members, leader node-0"}"#,
                r#"{"kind":"finding","source":"version-window","severity":"warning","code":"version-unknown",
                    "message":"the etcd version of node-2 is unknown: it does not answer","remedy":"bring it back","member":"ff"}"#,
                r#"{"kind":"finding","source":"runner","severity":"info","code":"x","message":"fine","remedy":null,"member":null}"#,
                r#"{"kind":"sync-progress","lag":3}"#,
                wait,
                wait,
                wait,
                r#"{"kind":"plugin-verdict","plugin":"steady-sync","verdict":"approve","reason":"","usage":{}}"#,
                r#"{"kind":"step-finished","step":"promote","durationMs":3100,"summary":""}"#,
                r#"{"kind":"something-of-a-later-release","whatever":[1]}"#,
                JOINED,
            ],
        );
        let text = "\
join of node-3: joined in 4.2 s: node-3 is a voter
  check       12 ms  3 members, leader node-0
  promote     3.1 s
  waited: steady-sync, 3 times, last: lag 120 > 100
  warning: version-window: the etcd version of node-2 is unknown: it does not answer (bring it back)";
        assert_eq!(log, [(Level::Info, text.to_owned())]);
    }

    #[test]
    fn a_failed_run_says_what_was_undone_and_what_to_do() {
        let log = told(
            "{}",
            &[
                r#"{"kind":"step-failed","step":"start","error":"etcd ended with status 1"}"#,
                r#"{"kind":"undone","step":"add","summary":"removed ff"}"#,
                r#"{"kind":"undo-failed","step":"lock","error":"no leader","remedy":"delete the key"}"#,
                r#"{"kind":"run-finished","outcome":"stuck","exitStatus":16,"message":"cannot undo","hints":["see the log"],
                    "durationMs":850}"#,
            ],
        );
        let text = "\
stuck in 850 ms: cannot undo
  failed: start: etcd ended with status 1
  undone: add: removed ff
  not undone: lock: no leader; to do: delete the key
  hint: see the log";
        assert_eq!(log, [(Level::Error, text.to_owned())]);
    }

    #[test]
    fn a_plugins_no_is_told_as_a_warning() {
        let no = r#"{"kind":"plugin-verdict","plugin":"odd","verdict":"reject","reason":"a fourth voter","usage":{}}"#;
        let end = r#"{"kind":"run-finished","outcome":"rolled-back","exitStatus":11,"message":"refused","hints":[],"durationMs":9}"#;
        let text = "rolled-back in 9 ms: refused\n  reject: odd: a fourth voter";
        assert_eq!(told("{}", &[no, end]), [(Level::Warn, text.to_owned())]);
    }

    #[test]
    fn short_is_one_line_and_every_run_has_its_own() {
        let joined = (Level::Info, "join of node-3: joined in 4.2 s: node-3 is a voter".to_owned());
        let untitled = (Level::Info, "joined in 4.2 s: node-3 is a voter".to_owned());
        assert_eq!(told(r#"{"detail": "short"}"#, &[STARTED, JOINED, JOINED]), [joined, untitled]);
    }

    #[test]
    fn nothing_is_said_before_the_end() {
        assert_eq!(told("{}", &[STARTED]), []);
    }

    #[test]
    fn an_event_that_lacks_something_is_an_error() {
        let error = RunSummary::default().notify(&[event(r#"{"kind":"run-started"}"#)]).unwrap_err();
        assert!(error.to_string().starts_with("cannot read the event run-started: missing field"), "{error}");
    }

    #[test]
    fn bad_settings_are_refused_by_path() {
        assert_eq!(problems::<RunSummary>("{}"), []);
        let text = "unknown variant `long`, expected `short` or `full`";
        assert_eq!(problems::<RunSummary>(r#"{"detail": "long"}"#), [Problem::new("detail", text)]);
        let text = "unknown field `details`, expected `detail`";
        assert_eq!(problems::<RunSummary>(r#"{"details": 1}"#), [Problem::new("details", text)]);
    }
}
