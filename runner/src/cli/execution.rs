//! One run from the command line: readers, interrupts, the pipeline, the record.

use super::output::Readers;
use super::setup::Setup;
use super::state_dir::MemberState;
use super::{Ended, Frame, ended, signals};
use crate::pipeline::{Interrupt, JoinPlan, Journal, Operation, execute};

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
    let parts = setup.parts(&plan, readers.sink.clone(), move |text| printer.say(&text))?;
    let interrupt: Interrupt = signals::listen(printer);
    let run = plan.run.clone();
    let kept = serde_json::to_value(setup).unwrap_or_default();
    let conclusion = execute(operation, plan, kept, parts, journal, interrupt).await;
    let record = state.record_file(&run);
    if let Err(error) = readers.close(&record) {
        printer.print_warning(&format!("the run's record could not be written to {}: {error}", record.display()));
    }
    ended(&conclusion)
}
