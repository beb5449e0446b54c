//! Between the run and its readers: one event for many readers, and a thread for those that may be slow.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{Lines, LinesOptions, Printer, Terminal, TerminalOptions};
use crate::event::{Event, EventKind, EventSink};
use crate::terms::VerdictKind;

/// So many events wait for a slow reader before the ones that the next of their kind outdates are dropped.
const QUEUE: usize = 10_000;

/// How long a dropped [`Background`] waits for its reader.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Gives every event to each reader, in order.
#[derive(Clone, Default)]
pub struct Fanout(pub Vec<Arc<dyn EventSink>>);

/// Gives events to a reader on a thread of its own, so that a full pipe or a stopped terminal (Ctrl-S) cannot hold up the run.
///
/// Nothing is lost on a reader that keeps up. For one that does not, progress, repeated waiting and plugin logs are dropped once
/// 10 000 events wait; everything else is kept.
pub struct Background {
    shared: Arc<Shared>,
    /// Asked by the caller itself where there is no thread.
    reader: Arc<dyn EventSink>,
    threaded: bool,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    events: VecDeque<Event>,
    busy: bool,
    closed: bool,
}

impl Background {
    /// Starts the thread for `reader`. Where the system gives no thread, the reader is asked directly.
    pub fn spawn(reader: impl EventSink + 'static) -> Self {
        let shared = Arc::new(Shared { queue: Mutex::default(), changed: Condvar::new() });
        let reader: Arc<dyn EventSink> = Arc::new(reader);
        let work = {
            let (shared, reader) = (shared.clone(), reader.clone());
            move || {
                while let Some(event) = shared.next() {
                    reader.emit(event)
                }
            }
        };
        let thread = thread::Builder::new().name("report".to_owned()).spawn(work).ok();
        Self { shared, reader, threaded: thread.is_some(), thread }
    }

    /// The reader for people, on stderr: a [`Terminal`] where there is one, else [`Lines`] with their times.
    ///
    /// `verbose` also shows plugins' debug lines and notifiers that have nothing to say.
    pub fn for_people(printer: &Printer, verbose: bool) -> Self {
        let style = printer.stderr.style;
        if printer.stderr.terminal {
            Self::spawn(Terminal::stderr(TerminalOptions { style, verbose }))
        } else {
            Self::spawn(Lines::stderr(LinesOptions { style, verbose, timestamps: true, ..LinesOptions::default() }))
        }
    }

    /// Waits until the reader has taken everything, or the time is over; says whether it has.
    pub fn flush(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let mut queue = self.shared.lock();
        while !queue.events.is_empty() || queue.busy {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            queue = self.shared.changed.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next event; none when there will be no more.
    fn next(&self) -> Option<Event> {
        let mut queue = self.lock();
        queue.busy = false;
        self.changed.notify_all();
        loop {
            if let Some(event) = queue.events.pop_front() {
                queue.busy = true;
                return Some(event);
            }
            if queue.closed {
                return None;
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl EventSink for Fanout {
    fn emit(&self, event: Event) {
        if let Some((last, others)) = self.0.split_last() {
            others.iter().for_each(|sink| sink.emit(event.clone()));
            last.emit(event);
        }
    }
}

impl EventSink for Background {
    fn emit(&self, event: Event) {
        if !self.threaded {
            return self.reader.emit(event);
        }
        let mut queue = self.shared.lock();
        if queue.events.len() >= QUEUE && passing(&event.kind) {
            return;
        }
        queue.events.push_back(event);
        self.shared.changed.notify_all();
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
        let done = self.flush(LAST_WORDS);
        if let (true, Some(thread)) = (done, self.thread.take()) {
            let _ = thread.join();
        }
    }
}

/// Whether the next event of its kind outdates this one.
fn passing(kind: &EventKind) -> bool {
    match kind {
        EventKind::SyncProgress(_) | EventKind::Waiting { .. } | EventKind::PluginLog { .. } => true,
        EventKind::PluginVerdict { verdict, would, .. } => {
            matches!(would.unwrap_or(*verdict), VerdictKind::Wait | VerdictKind::Approve)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::super::Json;
    use super::super::fixture::{self, Shared as Stream};
    use super::*;

    #[test]
    fn every_reader_gets_every_event_in_order() {
        let (a, b) = (Stream::default(), Stream::default());
        let fanout = Fanout(vec![Arc::new(Json::new(a.clone())), Arc::new(Background::spawn(Json::new(b.clone())))]);
        fixture::joined().into_iter().for_each(|e| fanout.emit(e));
        drop(fanout);
        assert_eq!(a.text(), b.text());
        assert_eq!(a.text().lines().count(), fixture::joined().len());
        Fanout::default().emit(fixture::joined().remove(0));
    }

    #[test]
    fn a_reader_that_stops_reading_does_not_hold_up_the_run() {
        /// Takes nothing until it is told to.
        struct Stopped(Mutex<mpsc::Receiver<()>>, Lines);
        impl EventSink for Stopped {
            fn emit(&self, event: Event) {
                let _ = self.0.lock().unwrap().recv();
                self.1.emit(event);
            }
        }
        let (go, stop) = mpsc::channel();
        let out = Stream::default();
        let lines = Lines::new(out.clone(), LinesOptions::default());
        let background = Background::spawn(Stopped(Mutex::new(stop), lines));
        let events = fixture::joined();
        let (finish, progress) = (events.last().unwrap(), events.iter().find(|e| passing(&e.kind)).unwrap());
        for _ in 0..3 * QUEUE {
            background.emit(progress.clone());
        }
        background.emit(finish.clone());
        assert!(!background.flush(Duration::from_millis(20)));
        assert!(background.shared.lock().events.len() <= QUEUE + 1);
        drop(go);
        assert!(background.flush(Duration::from_secs(20)));
        assert!(out.text().contains("joined after"), "what cannot be missed was kept");
    }
}
