//! Keeps events for those who are told at the end, without growing with the time that a run waits.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::event::{Event, EventKind, EventSink};
use crate::terms::{Step, VerdictKind};

/// So many events of one repeating kind (a plugin's verdicts, a step's waiting, the progress) are kept; then every second one
/// goes, and so on: what is left is spread evenly over the whole time.
const KEPT: usize = 128;

/// So many log lines of one plugin are kept from the beginning and as many from the end: a trap's cause is in either.
const LOG_ENDS: usize = 128;

/// Keeps the events of a run for notifiers. Bounded: what repeats is thinned, the first and the last of it always stay.
#[derive(Default)]
pub struct Buffer {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    kept: Vec<Kept>,
    series: HashMap<Series, Thinned>,
}

struct Kept {
    event: Event,
    series: Option<(Series, usize)>,
}

/// What repeats.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Series {
    Progress,
    Waiting(Step),
    Verdict(String, VerdictKind),
    Log(String),
}

/// How a series is thinned: one in `stride` stays.
struct Thinned {
    seen: usize,
    kept: usize,
    stride: usize,
}

impl Buffer {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// The events kept so far, in order.
    pub fn events(&self) -> Vec<Event> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.kept.iter().map(|kept| kept.event.clone()).collect()
    }
}

impl EventSink for Buffer {
    fn emit(&self, event: Event) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).keep(event);
    }
}

impl Inner {
    fn keep(&mut self, event: Event) {
        let Some(series) = Series::of(&event.kind) else {
            self.kept.push(Kept { event, series: None });
            return;
        };
        let thinned = self.series.entry(series.clone()).or_insert(Thinned { seen: 0, kept: 0, stride: 1 });
        let number = thinned.seen;
        thinned.seen += 1;
        let before = number.checked_sub(1);
        let surplus = if let Series::Log(_) = series {
            number.checked_sub(LOG_ENDS).filter(|n| *n >= LOG_ENDS)
        } else {
            before.filter(|n| n % thinned.stride != 0)
        };
        // The latest is always kept; the one that was the latest goes now, unless it is one of those that stay.
        if let Some(surplus) = surplus {
            let mine = |kept: &Kept| kept.series.as_ref().is_some_and(|(s, n)| *n == surplus && *s == series);
            if let Some(place) = self.kept.iter().rposition(mine) {
                self.kept.remove(place);
                thinned.kept -= 1;
            }
        }
        thinned.kept += 1;
        let coarser = !matches!(series, Series::Log(_)) && thinned.kept > KEPT;
        if coarser {
            thinned.stride *= 2;
            let stride = thinned.stride;
            let stays = |kept: &Kept| !kept.series.as_ref().is_some_and(|(s, n)| *s == series && n % stride != 0);
            let count = self.kept.len();
            self.kept.retain(stays);
            thinned.kept -= count - self.kept.len();
        }
        self.kept.push(Kept { event, series: Some((series, number)) });
    }
}

impl Series {
    fn of(kind: &EventKind) -> Option<Self> {
        match kind {
            EventKind::SyncProgress(_) => Some(Self::Progress),
            EventKind::Waiting { step, .. } => Some(Self::Waiting(*step)),
            EventKind::PluginVerdict { plugin, verdict, .. } => Some(Self::Verdict(plugin.clone(), *verdict)),
            EventKind::PluginLog { plugin, .. } => Some(Self::Log(plugin.clone())),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use crate::terms::LogLevel;

    #[test]
    fn a_run_of_ordinary_length_is_kept_whole() {
        let buffer = Buffer::new();
        fixture::joined().into_iter().for_each(|e| buffer.emit(e));
        assert_eq!(buffer.events().len(), fixture::joined().len());
    }

    #[test]
    fn a_day_of_waiting_does_not_grow() {
        let buffer = Buffer::new();
        let at = fixture::joined()[0].at;
        let mut longest = 0;
        for n in 0..86_400_u64 {
            buffer.emit(Event { at, kind: EventKind::Waiting { step: Step::Sync, reason: format!("{n}"), left: None } });
            let log = EventKind::PluginLog { plugin: "p".to_owned(), level: LogLevel::Info, message: format!("{n}") };
            buffer.emit(Event { at, kind: log });
            longest = longest.max(buffer.inner.lock().unwrap().kept.len());
        }
        assert!(longest <= KEPT + 1 + 2 * LOG_ENDS + 1, "{longest}");
        let (mut waits, mut logs): (Vec<u64>, Vec<u64>) = (Vec::new(), Vec::new());
        for event in buffer.events() {
            match event.kind {
                EventKind::Waiting { reason, .. } => waits.push(reason.parse().unwrap()),
                EventKind::PluginLog { message, .. } => logs.push(message.parse().unwrap()),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((waits[0], *waits.last().unwrap()), (0, 86_399));
        assert!(waits.is_sorted() && waits.len() >= KEPT / 2, "{waits:?}");
        let gap = waits.windows(2).map(|w| w[1] - w[0]).max().unwrap();
        assert!(gap <= 86_400 / (KEPT as u64 / 2), "spread evenly, {gap}");
        let ends: Vec<u64> = (0..128).chain(86_400 - 128..86_400).collect();
        assert_eq!(logs, ends);
    }
}
