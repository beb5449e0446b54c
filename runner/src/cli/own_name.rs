//! Hints name commands as runner's; a vendor's program answers to its own name.

use std::sync::Arc;

use crate::event::{Event, EventKind, EventSink};

/// The text with every command in it (they stand in backquotes) under this program's name.
pub(super) fn own_name(text: &str, name: &str) -> String {
    text.replace("`runner ", &format!("`{name} "))
}

/// Passes a run's events on with what runner itself says in them under the program's name. What plugins say stays.
pub(super) struct OwnName {
    name: &'static str,
    reader: Arc<dyn EventSink>,
}

impl OwnName {
    /// In front of this reader; the reader itself where the name is runner's.
    pub(super) fn before(reader: Arc<dyn EventSink>, name: &'static str) -> Arc<dyn EventSink> {
        if name == "runner" { reader } else { Arc::new(Self { name, reader }) }
    }
}

impl EventSink for OwnName {
    fn emit(&self, mut event: Event) {
        let own = |text: &mut String| *text = own_name(text, self.name);
        match &mut event.kind {
            EventKind::Finding { source, message, remedy, .. } if source == "runner" => {
                own(message);
                remedy.as_mut().map(own);
            }
            EventKind::Waiting { reason, .. } => own(reason),
            EventKind::StepFailed { error, .. } => own(error),
            EventKind::UndoFailed { error, remedy, .. } => {
                own(error);
                own(remedy);
            }
            EventKind::RunFinished { message, hints, .. } => {
                own(message);
                hints.iter_mut().for_each(own);
            }
            _ => {}
        }
        self.reader.emit(event);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::report::Buffer;
    use crate::terms::Outcome;

    #[test]
    fn hints_of_a_run_name_the_program() {
        let end = |hint: &str| EventKind::RunFinished {
            outcome: Outcome::Interrupted,
            exit_status: 130,
            message: "m".to_owned(),
            hints: vec![hint.to_owned()],
            duration: Duration::ZERO,
        };
        let buffer = Arc::new(Buffer::default());
        OwnName::before(buffer.clone(), "acme-join").emit(Event::now(end("`runner resume` goes on, runner waits")));
        assert!(
            matches!(&buffer.events()[0].kind, EventKind::RunFinished { hints, .. } if hints[0] == "`acme-join resume` goes on, runner waits")
        );
    }
}
