//! Health check: a join may begin only inside a maintenance window and outside a change freeze.
//!
//! | setting | default | meaning |
//! | --- | --- | --- |
//! | `timeZone` | `UTC` | IANA name, for example `Europe/Berlin`; what windows and freezes without one of their own are in |
//! | `windows` | none: any time | weekly windows: `days` (`mon` … `sun`; default all), `from`, `to` (`HH:MM`), `timeZone` |
//! | `freezes` | none | stretches in which nothing may begin: `from`, `to`, `reason`, `timeZone` |
//! | `minutesLeft` | 0 | refuse also when less than so many minutes are left before the window closes or a freeze begins |
//!
//! At least one window or one freeze must be given.
//!
//! A window whose `to` is not after its `from` ends on the following day; its `days` are those on which it begins. `24:00` is
//! midnight at the end of the day. A freeze's `from` and `to` are days (`2026-12-20`; `to` is frozen to its end) or local times
//! (`2026-12-20T18:00`).
//!
//! When clocks go forward, a window that would begin or end in the hour that is left out begins or ends where that hour is. When
//! clocks go back, a window begins and ends the first time that the clock shows the time, and a freeze begins the first time and
//! ends the second time.
//!
//! It needs no grants: it knows the time that runner gives. Time zones are part of the component, so that every node knows the
//! same; a country that changes its rules needs a newer component.
//!
//! It does *not* end a join that has begun when the window closes, and it knows no exceptions: for those, the policy has waivers.

use jiff::Timestamp;
use runner_plugin::prelude::*;
use serde::Deserialize;

use calendar::{Calendar, Closed};
use settings::{Freeze, Window};

mod calendar;
mod settings;

/// The most minutes that may have to be left: a week has no more.
const WEEK_MINUTES: u32 = 7 * 24 * 60;

/// The check and its settings.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct MaintenanceWindow {
    time_zone: Option<String>,
    windows: Option<Vec<Window>>,
    freezes: Option<Vec<Freeze>>,
    minutes_left: u32,
}

impl Plugin for MaintenanceWindow {
    fn validate(&self) -> Vec<Problem> {
        let mut problems = Calendar::new(self).err().unwrap_or_default();
        match &self.windows {
            Some(windows) if windows.is_empty() => {
                let text = "an empty list would allow no time at all: leave `windows` out for any time";
                problems.push(Problem::new("windows", text));
            }
            None if self.freezes.is_none() => {
                problems.push(Problem::new("", "give `windows`, `freezes` or both: without them every join is let through"));
            }
            _ => {}
        }
        if self.minutes_left > WEEK_MINUTES {
            problems
                .push(Problem::new("minutesLeft", format!("{} is more than a week ({WEEK_MINUTES})", self.minutes_left)));
        }
        problems
    }
}

impl HealthCheck for MaintenanceWindow {
    fn check(&self, _: &Cluster, newcomer: &Newcomer) -> Result<Vec<Finding>> {
        let calendar = Calendar::new(self).map_err(|problems| Error::new(listed(&problems)))?;
        let now = Timestamp::from_millisecond(clock::now_ms().cast_signed())?;
        let Err(closed) = calendar.open_at(now) else { return Ok(Vec::new()) };

        let shown = calendar.show(now);
        let (code, message) = match closed {
            Closed::Outside => ("outside-window", format!("it is {shown}, outside the maintenance windows")),
            Closed::Frozen { reason, until } => {
                let until = calendar.show(until);
                let why = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
                ("change-freeze", format!("it is {shown}, in a change freeze{why} until {until}"))
            }
            Closed::TooLate { until } => {
                let left = (until.as_millisecond() - now.as_millisecond()) / 60_000;
                let text = format!("it is {shown}: {left} of the required {} minutes are left", self.minutes_left);
                ("window-closing", text)
            }
        };
        let name = newcomer.name();
        let remedy = match calendar.next_opening(now) {
            Some(opening) => format!("join {name} from {} on", calendar.show(opening)),
            None => "no opening is left in these windows and freezes: correct them".to_owned(),
        };
        Ok(vec![Finding::error(code, message).remedy(remedy)])
    }
}

fn listed(problems: &[Problem]) -> String {
    let texts: Vec<_> = problems.iter().map(|p| format!("{}: {}", p.path, p.message)).collect();
    format!("bad settings: {}", texts.join("; "))
}

runner_plugin::export!(MaintenanceWindow: HealthCheck);

#[cfg(test)]
mod tests;
