//! The time: one clock for what is measured and told, which a simulated run can move, and the calendar's for what a date decides.

use std::sync::OnceLock;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// What the calendar says now: for the dates of certificates, and for plugins. It jumps with the system's clock: a machine
/// that booted with a wrong time and was then told the right one must not judge by the wrong one for as long as a run lasts. In simulated
/// runs it stands still.
pub fn today() -> Timestamp {
    Timestamp::now()
}

/// The wall-clock time, carried on from the moment of the first call by tokio's monotonic clock.
///
/// It never jumps with the system's clock, and where tokio's clock is paused (simulated runs) it moves with that one.
pub fn now() -> Timestamp {
    static BASE: OnceLock<(Timestamp, Instant)> = OnceLock::new();
    let (wall, instant) = BASE.get_or_init(|| (Timestamp::now(), Instant::now()));
    let elapsed = Instant::now().saturating_duration_since(*instant);
    *wall + SignedDuration::try_from(elapsed).unwrap_or(SignedDuration::MAX)
}
