//! What a plugin says during one call: cleaned, shown within its budget, counted beyond it, and the last lines kept for a fault.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::blot::Blot;
use super::limits::Limits;
use crate::event::{Event, EventKind, EventSink};
use crate::terms::LogLevel;

/// Longest line that is shown, in characters; the rest of it is cut.
const MAX_LINE: usize = 1000;

/// Lines kept for a fault: what fits on a screen beside the rest.
const TAIL: usize = 20;

/// The log of one call. Clones share it: the guest reaches it by several ways.
#[derive(Clone)]
pub(super) struct GuestLog(Arc<Mutex<Inner>>);

struct Inner {
    plugin: String,
    sink: Arc<dyn EventSink>,
    blot: Blot,
    lines_left: usize,
    bytes_left: usize,
    dropped: u64,
    tail: VecDeque<String>,
}

impl GuestLog {
    pub(super) fn new(plugin: &str, limits: &Limits, sink: Arc<dyn EventSink>, blot: Blot) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            plugin: plugin.to_owned(),
            sink,
            blot,
            lines_left: limits.log_lines,
            bytes_left: limits.log_bytes,
            dropped: 0,
            tail: VecDeque::new(),
        })))
    }

    /// Takes one message; each of its lines is a line of its own.
    pub(super) fn say(&self, level: LogLevel, message: &str) {
        let mut inner = self.lock();
        // Before it is taken apart: a secret may have several lines.
        let message = inner.blot.out(message.to_owned());
        for line in message.lines().filter(|l| !l.trim().is_empty()) {
            inner.line(level, line);
        }
    }

    /// The last lines, oldest first. They include lines that were not shown.
    pub(super) fn tail(&self) -> Vec<String> {
        self.lock().tail.iter().cloned().collect()
    }

    /// Says how many lines were not shown, if any.
    pub(super) fn finish(&self) {
        let mut inner = self.lock();
        let dropped = std::mem::take(&mut inner.dropped);
        if dropped > 0 {
            inner.emit(
                LogLevel::Warn,
                format!("{dropped} more lines of this call are not shown: over the plugin's log budget"),
            );
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn line(&mut self, level: LogLevel, line: &str) {
        // Beyond the budget only the tail is kept up, so that a flood costs little.
        let text = self.blot.line(line, MAX_LINE);
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(text.clone());
        if self.lines_left == 0 || self.bytes_left < text.len() {
            self.lines_left = 0;
            self.dropped += 1;
            return;
        }
        self.lines_left -= 1;
        self.bytes_left -= text.len();
        self.emit(level, text);
    }

    fn emit(&self, level: LogLevel, message: String) {
        self.sink.emit(Event::now(EventKind::PluginLog { plugin: self.plugin.clone(), level, message }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Seen(Mutex<Vec<(String, String)>>);

    impl EventSink for Seen {
        fn emit(&self, event: Event) {
            if let EventKind::PluginLog { level, message, .. } = event.kind {
                self.0.lock().unwrap().push((level.name().to_owned(), message));
            }
        }
    }

    #[test]
    fn a_flood_is_cut_and_counted_and_its_end_is_kept() {
        let seen = Arc::new(Seen::default());
        let log = GuestLog::new("p", &Limits { log_lines: 3, ..Limits::default() }, seen.clone(), Blot::default());
        log.say(LogLevel::Info, "a\n\nb\u{1b}[2J");
        (0..100).for_each(|i| log.say(LogLevel::Warn, &format!("line {i}")));
        log.finish();
        log.finish();
        let seen = seen.0.lock().unwrap();
        let texts: Vec<_> = seen.iter().map(|(_, text)| text.as_str()).collect();
        let end = "99 more lines of this call are not shown: over the plugin's log budget";
        assert_eq!(texts, ["a", "b", "line 0", end]);
        assert_eq!(log.tail().len(), TAIL);
        assert_eq!(log.tail().last().unwrap(), "line 99");
    }

    #[test]
    fn bytes_have_a_budget_too() {
        let seen = Arc::new(Seen::default());
        let log = GuestLog::new("p", &Limits { log_bytes: 10, ..Limits::default() }, seen.clone(), Blot::default());
        ["12345", "67890", "1"].iter().for_each(|line| log.say(LogLevel::Info, line));
        assert_eq!(seen.0.lock().unwrap().len(), 2);
    }
}
