//! The time. One clock for everything, so that a simulated run can move it.

use std::sync::OnceLock;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// The wall-clock time, carried on from the moment of the first call by tokio's monotonic clock.
///
/// It never jumps with the system's clock, and where tokio's clock is paused (simulated runs) it moves with that one.
pub fn now() -> Timestamp {
    static BASE: OnceLock<(Timestamp, Instant)> = OnceLock::new();
    let (wall, instant) = BASE.get_or_init(|| (Timestamp::now(), Instant::now()));
    let elapsed = Instant::now().saturating_duration_since(*instant);
    *wall + SignedDuration::try_from(elapsed).unwrap_or(SignedDuration::MAX)
}
