//! Windows and freezes as an operator writes them.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime, Time, Weekday};
use serde::Deserialize;

/// A stretch of every week.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Window {
    /// The days on which it begins.
    #[serde(default = "every_day")]
    pub(crate) days: Vec<Day>,
    /// When it begins.
    pub(crate) from: TimeOfDay,
    /// When it ends; on the following day, where this is not after `from`.
    pub(crate) to: TimeOfDay,
    /// Where these days and times are meant; the plugin's own where nothing is said.
    pub(crate) time_zone: Option<String>,
}

/// A stretch in which nothing may begin.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Freeze {
    /// The first moment of it.
    pub(crate) from: Moment,
    /// The last day of it, or the first moment after it.
    pub(crate) to: Moment,
    /// What for; shown to whoever is refused.
    pub(crate) reason: Option<String>,
    /// Where these times are meant; the plugin's own where nothing is said.
    pub(crate) time_zone: Option<String>,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Day {
    #[serde(alias = "monday")]
    Mon,
    #[serde(alias = "tuesday")]
    Tue,
    #[serde(alias = "wednesday")]
    Wed,
    #[serde(alias = "thursday")]
    Thu,
    #[serde(alias = "friday")]
    Fri,
    #[serde(alias = "saturday")]
    Sat,
    #[serde(alias = "sunday")]
    Sun,
}

/// A time of day to the minute, up to `24:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct TimeOfDay {
    hour: i8,
    minute: i8,
}

/// A day, or a local time on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum Moment {
    /// `2026-12-20`
    Day(Date),
    /// `2026-12-20T18:00`
    Time(DateTime),
}

fn every_day() -> Vec<Day> {
    vec![Day::Mon, Day::Tue, Day::Wed, Day::Thu, Day::Fri, Day::Sat, Day::Sun]
}

impl Day {
    /// The same for the calendar.
    pub(crate) fn weekday(self) -> Weekday {
        match self {
            Self::Mon => Weekday::Monday,
            Self::Tue => Weekday::Tuesday,
            Self::Wed => Weekday::Wednesday,
            Self::Thu => Weekday::Thursday,
            Self::Fri => Weekday::Friday,
            Self::Sat => Weekday::Saturday,
            Self::Sun => Weekday::Sunday,
        }
    }
}

impl TimeOfDay {
    /// This time on that day; none past the end of the calendar.
    pub(crate) fn on(self, date: Date) -> Option<DateTime> {
        match self.hour {
            24 => Some(date.tomorrow().ok()?.at(0, 0, 0, 0)),
            hour => Some(date.to_datetime(Time::new(hour, self.minute, 0, 0).ok()?)),
        }
    }
}

impl Moment {
    /// Where it begins.
    pub(crate) fn begin(self) -> DateTime {
        match self {
            Self::Day(date) => date.at(0, 0, 0, 0),
            Self::Time(time) => time,
        }
    }

    /// Where it is over: a day at its end, a time at once. None past the end of the calendar.
    pub(crate) fn end(self) -> Option<DateTime> {
        match self {
            Self::Day(date) => Some(date.tomorrow().ok()?.at(0, 0, 0, 0)),
            Self::Time(time) => Some(time),
        }
    }
}

impl FromStr for TimeOfDay {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is not a time of day; write it like `22:30`, in quotes");
        let (hour, minute) = text.split_once(':').ok_or_else(bad)?;
        let number = |part: &str| match part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit()) {
            true => part.parse::<i8>().ok(),
            false => None,
        };
        match (number(hour), number(minute)) {
            (Some(24), Some(0)) => Ok(Self { hour: 24, minute: 0 }),
            (Some(hour @ 0..24), Some(minute @ 0..60)) => Ok(Self { hour, minute }),
            _ => Err(bad()),
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let day = (text.len() == 10).then(|| text.parse().map(Self::Day).ok()).flatten();
        let time = || (text.len() > 10).then(|| text.parse().map(Self::Time).ok()).flatten();
        // A local time that brings its own offset would contradict the time zone.
        let local = !text.contains(['Z', 'z', '+', '[']);
        let bad = || format!("`{text}` is not a day or local time; write it like `2026-12-20` or `2026-12-20T18:00`");
        day.or_else(time).filter(|_| local).ok_or_else(bad)
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl TryFrom<String> for Moment {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.hour, self.minute)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_are_read_and_shown() {
        for text in ["00:00", "09:05", "23:59", "24:00"] {
            assert_eq!(text.parse::<TimeOfDay>().unwrap().to_string(), text);
        }
        for text in ["", "9:00", "24:01", "12:60", "12", "12:00:00", "-1:00", "+1:00", "ab:cd"] {
            assert!(text.parse::<TimeOfDay>().is_err(), "{text}");
        }
    }

    #[test]
    fn days_and_local_times_are_told_apart() {
        assert!(matches!("2026-12-20".parse(), Ok(Moment::Day(_))));
        assert!(matches!("2026-12-20T18:00".parse(), Ok(Moment::Time(_))));
        assert!(matches!("2026-12-20 18:00".parse(), Ok(Moment::Time(_))));
        for text in
            ["", "2026-13-01", "2026-02-30", "20 Dec 2026", "2026-12-20T25:00", "2026-12-20T18:00Z", "2026-12-20T18:00+01"]
        {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
    }
}
