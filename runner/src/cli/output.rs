//! Who reads a run's events: the terminal, a log, a machine; and the run's record.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::{Frame, Output};
use crate::event::EventSink;
use crate::report::{Background, Fanout, Json, RunRecord};

/// How long a reader that does not read may hold up the end of the command.
const PATIENCE: Duration = Duration::from_secs(2);

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
        let sink = Arc::new(Fanout(vec![background.clone() as Arc<dyn EventSink>, record.clone()]));
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
