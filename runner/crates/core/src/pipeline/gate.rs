//! The built-in promotion gate: stricter than etcd's own rule, and asked before any plugin.
//!
//! etcd promotes a learner whose replicated index is 90 % of the leader's, counted from the cluster's first entry: at index
//! 10,000,000 that is a learner a million entries behind, and it is replicated, not applied, and the learner may have died since.
//! So: what the learner has *applied*, an absolute lag, over a window of time, alive in every sample.

use std::collections::VecDeque;
use std::time::Duration;

use super::plan::Gate;
use super::policy::Sample;

/// The gate's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opinion {
    /// The learner may be promoted, for all that the gate knows.
    Open,
    /// Not yet.
    Closed {
        /// Why.
        reason: String,
    },
}

/// How many samples are kept for the gate and the plugins. When there are more, the older half is thinned to every second one:
/// the newest half minute stays complete at the default interval, and a plugin that asks for hours of steadiness has them too.
const KEPT: usize = 1200;

/// The shortest pause before a sample: that of tokio's timer.
const SHORTEST: Duration = Duration::from_millis(1);

/// The samples so far, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Window {
    samples: VecDeque<Sample>,
}

impl Window {
    /// Takes one more sample, and thins the older half when there are too many.
    pub fn push(&mut self, sample: Sample) {
        self.samples.push_back(sample);
        if self.samples.len() > KEPT {
            let mut place = 0;
            self.samples.retain(|_| {
                place += 1;
                place > KEPT / 2 || place % 2 == 1
            });
        }
    }

    /// The newest sample.
    pub fn last(&self) -> Option<&Sample> {
        self.samples.back()
    }

    /// All samples, oldest first.
    pub fn to_vec(&self) -> Vec<Sample> {
        self.samples.iter().copied().collect()
    }

    /// Judges the newest stretch of samples.
    ///
    /// Open when, over at least `gate.stability` and at least three samples, the learner answered each time, was never more than
    /// `gate.max_lag` behind, no election took place, and by the last sample it had applied what the leader had committed at the
    /// first.
    pub fn judge(&self, gate: &Gate) -> Opinion {
        let Some(last) = self.samples.back() else { return closed("no sample yet") };
        if !last.reachable {
            return closed("the learner does not answer");
        }
        if last.leader.is_none() {
            return closed("there is no leader");
        }
        if last.lag() > gate.max_lag {
            return closed(format!("{} entries behind, at most {} allowed", last.lag(), gate.max_lag));
        }
        let (first, count) = self.stretch(gate).unwrap_or((last, 1));
        let lasted = Duration::try_from(last.at.duration_since(first.at)).unwrap_or_default();
        if count < 3 || lasted < gate.stability {
            let seen = lasted.as_millis();
            return closed(format!("steady for {seen} ms, {} ms asked for", gate.stability.as_millis()));
        }
        if last.applied_index < first.leader_index {
            return closed(format!(
                "has not applied entry {}, committed {seen} ms ago",
                first.leader_index,
                seen = lasted.as_millis()
            ));
        }
        Opinion::Open
    }

    /// When the next sample is worth taking: after the gate's interval, or as soon as the steady stretch is long enough. With the
    /// interval alone every join would wait for up to one interval more than it was asked to.
    pub fn next_sample(&self, gate: &Gate) -> Duration {
        let Some(((first, _), last)) = self.stretch(gate).zip(self.samples.back()) else { return gate.interval };
        let lasted = Duration::try_from(last.at.duration_since(first.at)).unwrap_or_default();
        let left = gate.stability.saturating_sub(lasted);
        if left.is_zero() { gate.interval } else { left.clamp(SHORTEST.min(gate.interval), gate.interval) }
    }

    /// The first of the newest samples that are all steady, and how many these are; none where the last is not.
    fn stretch(&self, gate: &Gate) -> Option<(&Sample, usize)> {
        let last = self.samples.back()?;
        let leader = last.leader?;
        let steady = |s: &&Sample| s.reachable && s.lag() <= gate.max_lag && s.leader == Some(leader) && s.term == last.term;
        self.samples.iter().rev().take_while(steady).zip(1..).last()
    }
}

fn closed(reason: impl Into<String>) -> Opinion {
    Opinion::Closed { reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::cluster::MemberId;

    fn sample(at_ms: i64, leader_index: u64, applied_index: u64) -> Sample {
        let at = Timestamp::UNIX_EPOCH + SignedDuration::from_millis(at_ms);
        Sample { at, leader_index, applied_index, leader: Some(MemberId(1)), term: 2, reachable: true }
    }

    fn gate() -> Gate {
        Gate { max_lag: 10, stability: Duration::from_millis(100), interval: Duration::from_millis(50) }
    }

    fn window(samples: impl IntoIterator<Item = Sample>) -> Window {
        let mut window = Window::default();
        samples.into_iter().for_each(|s| window.push(s));
        window
    }

    fn reason(window: &Window) -> String {
        match window.judge(&gate()) {
            Opinion::Open => "open".to_owned(),
            Opinion::Closed { reason } => reason,
        }
    }

    #[test]
    fn a_steady_learner_opens_it() {
        let steady = window([sample(0, 1000, 999), sample(50, 1010, 1009), sample(100, 1020, 1019)]);
        assert_eq!(reason(&steady), "open");
    }

    #[test]
    fn etcds_ninety_percent_are_not_enough() {
        let behind = window([
            sample(0, 10_000_000, 9_100_000),
            sample(50, 10_000_000, 9_100_000),
            sample(100, 10_000_000, 9_100_000),
        ]);
        assert_eq!(reason(&behind), "900000 entries behind, at most 10 allowed");
    }

    #[test]
    fn one_bad_sample_starts_the_stretch_anew() {
        let mut w =
            window([sample(0, 1000, 1000), sample(50, 1020, 1000), sample(100, 1020, 1020), sample(150, 1020, 1020)]);
        assert_eq!(reason(&w), "steady for 50 ms, 100 ms asked for");
        w.push(sample(200, 1020, 1020));
        assert_eq!(reason(&w), "open");
    }

    #[test]
    fn the_last_sample_comes_as_soon_as_the_stretch_is_long_enough() {
        let next = |w: &Window| w.next_sample(&gate()).as_millis();
        assert_eq!(next(&window([])), 50);
        assert_eq!(next(&window([sample(0, 1000, 1000)])), 50);
        assert_eq!(next(&window([sample(0, 1000, 1000), sample(58, 1000, 1000)])), 42);
        assert_eq!(next(&window([sample(0, 1000, 1000), sample(58, 1000, 1000), sample(100, 1000, 1000)])), 50);
    }

    #[test]
    fn an_election_starts_the_stretch_anew() {
        let mut later = sample(150, 1000, 1000);
        later.term = 3;
        later.leader = Some(MemberId(7));
        let w = window([sample(0, 1000, 1000), sample(50, 1000, 1000), sample(100, 1000, 1000), later]);
        assert_eq!(reason(&w), "steady for 0 ms, 100 ms asked for");
    }

    #[test]
    fn a_dead_learner_keeps_it_closed() {
        let mut dead = sample(150, 1000, 1000);
        dead.reachable = false;
        let w = window([sample(0, 1000, 1000), sample(50, 1000, 1000), sample(100, 1000, 1000), dead]);
        assert_eq!(reason(&w), "the learner does not answer");
    }

    #[test]
    fn a_learner_that_stands_still_within_the_lag_keeps_it_closed() {
        let w = window([sample(0, 1000, 995), sample(50, 1002, 995), sample(100, 1004, 995)]);
        assert_eq!(reason(&w), "has not applied entry 1000, committed 100 ms ago");
    }
}
