//! Who reads a run's events: the terminal, a log, a machine; and the run's record.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::own_name::OwnName;
use super::{Frame, Output};
use crate::event::{Event, EventKind, EventSink};
use crate::report::{Background, Fanout, Json, RunRecord};

/// How long a reader that does not read may hold up the end of the command.
const PATIENCE: Duration = Duration::from_secs(2);

/// Plugins are loaded while the run is still being made: what they say before its first event is told after it.
struct StartFirst {
    readers: Arc<dyn EventSink>,
    /// What came too early; none once the run has started.
    early: Mutex<Option<Vec<Event>>>,
}

/// The readers of one run.
pub(super) struct Readers {
    /// What the run emits into.
    pub(super) sink: Arc<dyn EventSink>,
    record: Arc<RunRecord>,
    background: Arc<Background>,
}

impl Readers {
    /// The readers that the command line asks for.
    pub(super) fn new(frame: &Frame) -> Self {
        let background = Arc::new(match frame.global.output {
            Output::Json => Background::spawn(Json::stdout()),
            Output::Text => Background::for_people(&frame.printer, frame.global.verbose > 0),
        });
        let record = Arc::new(RunRecord::new());
        let sink = Fanout(vec![background.clone() as Arc<dyn EventSink>, record.clone()]);
        let sink = OwnName::before(Arc::new(sink), frame.defaults.distribution.name());
        let sink = Arc::new(StartFirst { readers: sink, early: Mutex::new(Some(Vec::new())) });
        Self { sink, record, background }
    }

    /// Waits until everything is shown.
    pub(super) fn flush(&self) {
        self.background.flush(PATIENCE);
    }

    /// Waits until everything is shown, and writes the run's record.
    pub(super) fn close(&self, record: &Path) -> std::io::Result<()> {
        self.flush();
        self.record.write(record)
    }
}

impl EventSink for StartFirst {
    fn emit(&self, event: Event) {
        // Held while passing on, so that nothing overtakes what was early. Readers do not block.
        let mut early = self.early.lock().unwrap_or_else(PoisonError::into_inner);
        let starts = matches!(event.kind, EventKind::RunStarted { .. });
        match early.as_mut() {
            Some(early) if !starts => early.push(event),
            _ => {
                self.readers.emit(event);
                early.take().into_iter().flatten().for_each(|event| self.readers.emit(event));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Buffer;
    use crate::terms::{LogLevel, RunKind};

    #[test]
    fn the_run_starts_before_its_plugins_are_loaded() {
        let buffer = Arc::new(Buffer::default());
        let sink = StartFirst { readers: buffer.clone(), early: Mutex::new(Some(Vec::new())) };
        let log = |message: &str| EventKind::PluginLog {
            plugin: "p".to_owned(),
            level: LogLevel::Info,
            message: message.to_owned(),
        };
        sink.emit(Event::now(log("early")));
        sink.emit(Event::now(EventKind::RunStarted {
            run: "r".to_owned(),
            operation: RunKind::Join,
            member: "cp-2".to_owned(),
        }));
        sink.emit(Event::now(log("later")));
        let names: Vec<String> = buffer.events().iter().map(Event::name).collect();
        assert_eq!(names, ["run-started", "plugin-log", "plugin-log"]);
    }
}
