//! Several measurements in five numbers.

use std::time::Duration;

use crate::surroundings::Latency;

/// Sums these up. Percentiles are by nearest rank: each is a time that was measured, and at least that share was no longer.
/// Nothing measured is nothing but zeros.
pub(super) fn of(mut times: Vec<Duration>) -> Latency {
    times.sort_unstable();
    let at = |percent: usize| {
        let rank = (times.len() * percent).div_ceil(100).max(1);
        times.get(rank - 1).map_or(0, |time| u32::try_from(time.as_micros()).unwrap_or(u32::MAX))
    };
    Latency {
        count: u32::try_from(times.len()).unwrap_or(u32::MAX),
        min_us: at(0),
        median_us: at(50),
        p90_us: at(90),
        p99_us: at(99),
        max_us: at(100),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(times: impl IntoIterator<Item = u64>) -> Vec<Duration> {
        times.into_iter().map(Duration::from_micros).collect()
    }

    #[test]
    fn percentiles_are_measured_times() {
        let all = |l: Latency| [l.count, l.min_us, l.median_us, l.p90_us, l.p99_us, l.max_us];
        assert_eq!(all(of(micros((1..=100).rev()))), [100, 1, 50, 90, 99, 100]);
        assert_eq!(all(of(micros((1..=1000).rev()))), [1000, 1, 500, 900, 990, 1000]);
        assert_eq!(all(of(micros([30, 10, 20]))), [3, 10, 20, 30, 30, 30]);
        assert_eq!(all(of(micros([7]))), [1, 7, 7, 7, 7, 7]);
        assert_eq!(all(of(micros([]))), [0; 6]);
        assert_eq!(of(vec![Duration::from_secs(5000)]).max_us, u32::MAX);
    }
}
