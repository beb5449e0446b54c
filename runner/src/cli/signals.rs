//! Ctrl-C and SIGTERM: the first undoes, the second leaves everything as it is.

use tokio::signal::unix::{SignalKind, signal};

use crate::pipeline::Interrupt;
use crate::report::Printer;

/// Listens from now on, and says what an interrupt does.
pub(super) fn listen(printer: Printer) -> Interrupt {
    let kinds = [SignalKind::interrupt(), SignalKind::terminate()];
    let first = "interrupted: undoing what can be undone (once more leaves everything as it is, to be resumed)";
    tell(printer, &kinds, [first, "interrupted again: leaving everything as it is"])
}

/// The same for the demo, whose whole work is undone even when its terminal is closed: nobody would come back to it.
pub(super) fn listen_for_demo(printer: Printer) -> Interrupt {
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let first = "interrupted: stopping and removing everything";
    tell(printer, &kinds, [first, "interrupted again: the join under way is not waited for"])
}

fn tell(printer: Printer, kinds: &[SignalKind], words: [&'static str; 2]) -> Interrupt {
    let interrupt = Interrupt::default();
    let ours = interrupt.clone();
    // Without a handler the default applies: the process ends, and its journal can be resumed.
    let Ok(signals) = kinds.iter().map(|kind| signal(*kind)).collect::<Result<Vec<_>, _>>() else { return interrupt };
    tokio::spawn(async move {
        let mut signals = signals;
        for (words, token) in words.into_iter().zip([ours.undo, ours.leave]) {
            let next = signals.iter_mut().map(|signal| Box::pin(signal.recv()));
            futures::future::select_all(next).await;
            printer.say(words);
            token.cancel();
        }
        // The handlers stay, so that a third does not end the process in the middle of its work.
        std::future::pending::<()>().await;
    });
    interrupt
}
