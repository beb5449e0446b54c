//! Ctrl-C, SIGTERM and a closed terminal: the first undoes, the second leaves everything as it is.
//!
//! One listener serves a whole command, however many runs it has one after the other: a handler, once installed, stays, so a signal between
//! two runs must be heard, too, and a run that is over must not answer for the next.

use std::sync::{Mutex, Once, PoisonError};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::pipeline::{Failure, Interrupt};
use crate::report::Printer;

/// Who answers now.
static NOW: Mutex<Answers> = Mutex::new(Answers { run: None, heard: 0, quiet: false });

/// The listener is started once.
static STARTED: Once = Once::new();

struct Answers {
    /// The run that is interrupted, what is said of it, and how.
    run: Option<(Interrupt, [&'static str; 2], Printer)>,
    /// Signals since that run began, or since the last one ended.
    heard: usize,
    /// Somebody else answers: the member is supervised.
    quiet: bool,
}

/// Listens from now on, before the first run of a command that has several parts: a signal is for [`between`] to find.
pub(super) fn begin() {
    STARTED.call_once(|| {
        // Without a handler the default applies: the process ends, and its journal can be resumed.
        let signals: Result<Vec<_>, _> = kinds().into_iter().map(signal).collect();
        if let Ok(signals) = signals {
            tokio::spawn(hear(signals));
        }
    });
}

/// Listens from now on for a run, and says what an interrupt does.
pub(super) fn listen(printer: Printer) -> Interrupt {
    let first = "interrupted: undoing what can be undone (once more leaves everything as it is, to be resumed)";
    for_a_run(printer, [first, "interrupted again: leaving everything as it is"])
}

/// The same for the demo, whose whole work is undone.
pub(super) fn listen_for_demo(printer: Printer) -> Interrupt {
    let first = "interrupted: stopping and removing everything";
    for_a_run(printer, [first, "interrupted again: the join under way is not waited for"])
}

/// The run is over, and more of the command is to come. A signal from now on is for [`between`] to find.
pub(super) fn over() {
    let mut now = NOW.lock().unwrap_or_else(PoisonError::into_inner);
    (now.run, now.heard) = (None, 0);
}

/// The same for a run after which the command goes on only where nobody has interrupted it: fails where a signal came during it.
pub(super) fn over_undisturbed() -> Result<(), Failure> {
    let mut now = NOW.lock().unwrap_or_else(PoisonError::into_inner);
    let heard = std::mem::take(&mut now.heard);
    now.run = None;
    if heard > 0 { Err(Failure::interrupted()) } else { Ok(()) }
}

/// Between two parts of a command: fails where a signal came since the last one ended.
pub(super) fn between() -> Result<(), Failure> {
    let now = NOW.lock().unwrap_or_else(PoisonError::into_inner);
    if now.run.is_none() && now.heard > 0 { Err(Failure::interrupted()) } else { Ok(()) }
}

/// Somebody else hears the signals from now on, and does what is to be done.
pub(super) fn hand_over() {
    let mut now = NOW.lock().unwrap_or_else(PoisonError::into_inner);
    (now.run, now.quiet) = (None, true);
}

fn for_a_run(printer: Printer, words: [&'static str; 2]) -> Interrupt {
    let interrupt = Interrupt::default();
    {
        let mut now = NOW.lock().unwrap_or_else(PoisonError::into_inner);
        *now = Answers { run: Some((interrupt.clone(), words, printer)), heard: 0, quiet: false };
    }
    begin();
    interrupt
}

/// A terminal that is closed is an interrupt, except where the caller wants the command to outlive it (`nohup`).
fn kinds() -> Vec<SignalKind> {
    let mut kinds = vec![SignalKind::interrupt(), SignalKind::terminate()];
    if !hangup_is_ignored(&std::fs::read_to_string("/proc/self/status").unwrap_or_default()) {
        kinds.push(SignalKind::hangup());
    }
    kinds
}

/// By the mask of ignored signals in proc_pid_status(5): the first bit is SIGHUP's.
fn hangup_is_ignored(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

/// Hears signals until the program ends. A third one does not end it in the middle of its work.
async fn hear(mut signals: Vec<Signal>) {
    loop {
        let next = signals.iter_mut().map(|signal| Box::pin(signal.recv()));
        futures::future::select_all(next).await;
        let mut now = NOW.lock().unwrap_or_else(PoisonError::into_inner);
        now.heard += 1;
        if now.quiet {
            continue;
        }
        if let (Some((interrupt, words, printer)), heard @ (1 | 2)) = (&now.run, now.heard) {
            printer.say(words[heard - 1]);
            if heard == 1 { interrupt.undo.cancel() } else { interrupt.leave.cancel() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nohup_is_respected() {
        assert!(hangup_is_ignored("Name:\tx\nSigIgn:\t0000000000000001\n"));
        assert!(!hangup_is_ignored("SigIgn:\t0000000000001000\n"));
        assert!(!hangup_is_ignored(""));
    }
}
