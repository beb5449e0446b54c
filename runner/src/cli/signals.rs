//! Ctrl-C and SIGTERM: the first undoes, the second leaves everything as it is.

use tokio::signal::unix::{SignalKind, signal};

use crate::pipeline::Interrupt;
use crate::report::Printer;

/// Listens from now on; `phase` says what the first one does.
pub(super) fn listen(printer: Printer) -> Interrupt {
    let interrupt = Interrupt::default();
    let ours = interrupt.clone();
    tokio::spawn(async move {
        next().await;
        printer.say("interrupted: undoing what can be undone (once more leaves everything as it is, to be resumed)");
        ours.undo.cancel();
        next().await;
        printer.say("interrupted again: leaving everything as it is");
        ours.leave.cancel();
    });
    interrupt
}

async fn next() {
    let (Ok(mut int), Ok(mut term)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else {
        // Without a handler the default applies: the process ends, and its journal can be resumed.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = int.recv() => {}
        _ = term.recv() => {}
    }
}
