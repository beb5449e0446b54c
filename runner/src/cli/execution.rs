//! One run from the command line: readers, interrupts, the pipeline, the record.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::output::Readers;
use super::setup::Setup;
use super::state_dir::MemberState;
use super::{Ended, Frame, ended, signals};
use crate::event::EventSink;
use crate::pipeline::{Interrupt, JoinPlan, Journal, Operation, execute};
use crate::plugins::Recorder;
use crate::recording::FileRecorder;
use crate::report::{Fanout, Printer};

/// How long the end of the command may be held up by a slow disk.
const PATIENCE: Duration = Duration::from_secs(2);

/// Executes the run and shows how it ended.
pub(super) async fn execute_run(
    operation: Operation,
    plan: JoinPlan,
    setup: &Setup,
    journal: Journal,
    state: &MemberState,
    frame: &Frame,
) -> Ended {
    let readers = Readers::new(frame);
    let printer = frame.printer;
    let recording = state.recording_file(&plan.run);
    let recorder = recorder(&recording, &plan.run, setup, printer);
    let to = recorder.clone().map(|recorder| recorder as Arc<dyn Recorder>);
    let side = setup.side(&plan, operation != Operation::Join, readers.sink.clone());
    let sink: Arc<dyn EventSink> = match &side {
        Some(side) => Arc::new(Fanout(vec![readers.sink.clone(), side.herald()])),
        None => readers.sink.clone(),
    };
    let program = &frame.defaults.distribution;
    let parts = setup.parts(&plan, program, sink, to, side.as_ref(), move |text| printer.say(&text))?;
    let interrupt: Interrupt = signals::listen(printer);
    let run = plan.run.clone();
    let kept = serde_json::to_value(setup).unwrap_or_default();
    let conclusion = execute(operation, plan, kept, parts, journal, interrupt).await;
    if let Some(side) = side {
        // A journal that cannot be read is for a person to look at.
        side.close(state.journal().map_or(true, |journal| journal.state().unfinished())).await;
    }
    let record = state.record_file(&run);
    if let Err(error) = readers.close(&record) {
        printer.print_warning(&format!("the run's record could not be written to {}: {error}", record.display()));
    }
    if let Some(why) = recorder.and_then(|recorder| recorder.finish(PATIENCE)) {
        printer.print_warning(&format!("{} is not whole: {why}; the run cannot be replayed from it", recording.display()));
    }
    ended(&conclusion)
}

/// Who writes down what the plugins are asked. A run does not depend on it.
fn recorder(path: &Path, run: &str, setup: &Setup, printer: Printer) -> Option<Arc<FileRecorder>> {
    if setup.plugins.is_empty() {
        return None;
    }
    match FileRecorder::start(path, run) {
        Ok(recorder) => Some(Arc::new(recorder)),
        Err(error) => {
            printer.print_warning(&format!("what the plugins are asked is not recorded in {}: {error}", path.display()));
            None
        }
    }
}
