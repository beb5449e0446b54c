//! Made-up windows of samples.

use super::START_MS;

/// One made-up sample. Its fields are the facts of the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// The leader's committed raft index.
    pub leader_index: u64,
    /// The candidate's applied raft index.
    pub applied_index: u64,
    /// The leader's id.
    pub leader: Option<String>,
    /// The raft term.
    pub term: u64,
    /// Whether the candidate answered.
    pub reachable: bool,
}

/// A made-up window: samples are added at the end, and the last ones can be changed.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    /// The samples, oldest first.
    pub samples: Vec<Sample>,
}

impl Samples {
    /// No samples.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, with a sample for each of these lags, `step_ms` apart, from [`START_MS`] or the last one on; of a candidate
    /// that answers, under the same leader and term.
    #[must_use]
    pub fn every_ms(mut self, step_ms: u64, lags: impl IntoIterator<Item = u64>) -> Self {
        for lag in lags {
            let next = match self.samples.last() {
                Some(last) => Sample {
                    at_ms: last.at_ms + step_ms,
                    leader_index: last.leader_index + 10,
                    applied_index: (last.leader_index + 10).saturating_sub(lag),
                    ..last.clone()
                },
                None => Sample {
                    at_ms: START_MS,
                    leader_index: 1_000_000,
                    applied_index: 1_000_000_u64.saturating_sub(lag),
                    leader: Some("8e9e05c52164694d".to_owned()),
                    term: 2,
                    reachable: true,
                },
            };
            self.samples.push(next);
        }
        self
    }

    /// The same, with the last sample changed; further samples follow from it. Does nothing without samples.
    #[must_use]
    pub fn change_last(mut self, change: impl FnOnce(&mut Sample)) -> Self {
        if let Some(last) = self.samples.last_mut() {
            change(last);
        }
        self
    }

    /// The fact as a plugin gets it.
    pub fn build(self) -> crate::Samples {
        crate::Samples(source::Samples(self.samples))
    }
}

/// The same methods as the bindings of the contract's resource have. Past the end they panic, as the host's trap.
pub(crate) mod source {
    use super::Sample;

    #[derive(Debug)]
    pub(crate) struct Samples(pub(crate) Vec<Sample>);

    impl Samples {
        fn at(&self, i: u32) -> &Sample {
            &self.0[i as usize]
        }

        pub(crate) fn len(&self) -> u32 {
            self.0.len() as u32
        }

        pub(crate) fn at_ms(&self, i: u32) -> u64 {
            self.at(i).at_ms
        }

        pub(crate) fn leader_index(&self, i: u32) -> u64 {
            self.at(i).leader_index
        }

        pub(crate) fn applied_index(&self, i: u32) -> u64 {
            self.at(i).applied_index
        }

        pub(crate) fn lag(&self, i: u32) -> u64 {
            self.leader_index(i).saturating_sub(self.applied_index(i))
        }

        pub(crate) fn leader(&self, i: u32) -> Option<String> {
            self.at(i).leader.clone()
        }

        pub(crate) fn term(&self, i: u32) -> u64 {
            self.at(i).term
        }

        pub(crate) fn reachable(&self, i: u32) -> bool {
            self.at(i).reachable
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_follow_from_the_one_before() {
        let window = Samples::new().every_ms(50, [7, 3]).change_last(|s| s.term = 9).every_ms(10, [0]).build();
        let seen: Vec<_> = window.iter().map(|s| (s.index(), s.at_ms() - START_MS, s.lag(), s.term())).collect();
        assert_eq!(seen, [(0, 0, 7, 2), (1, 50, 3, 9), (2, 60, 0, 9)]);
        assert_eq!(window.last().unwrap().index(), 2);
        assert!(window.get(3).is_none());
    }
}
