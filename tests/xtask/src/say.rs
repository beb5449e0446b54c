//! What xtask tells the person who called it. Talk goes to stderr, data to stdout.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the one place of xtask that prints")]

use std::time::{Duration, Instant};

/// One line of talk.
pub(crate) fn line(text: &str) {
    eprintln!("xtask: {text}");
}

/// A line as it is, for tables.
pub(crate) fn plain(text: &str) {
    eprintln!("{text}");
}

/// A line on stdout, for other programs.
pub(crate) fn data(text: &str) {
    println!("{text}");
}

/// The error with its causes, as the last thing said.
pub(crate) fn failure(error: &anyhow::Error) {
    eprintln!("xtask: error: {error:#}");
}

/// Says that something starts that may take a while, does it, and says how long it took.
pub(crate) fn timed<T>(what: &str, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    line(&format!("{what} ..."));
    let start = Instant::now();
    let result = work();
    let outcome = if result.is_ok() { "done" } else { "failed" };
    line(&format!("{what}: {outcome} in {}", duration(start.elapsed())));
    result
}

/// A duration for people: `0.4 s`, `2 min 5 s`.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 60.0 { format!("{seconds:.1} s") } else { format!("{} min {} s", time.as_secs() / 60, time.as_secs() % 60) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        assert_eq!(duration(Duration::from_millis(421)), "0.4 s");
        assert_eq!(duration(Duration::from_secs(125)), "2 min 5 s");
    }
}
