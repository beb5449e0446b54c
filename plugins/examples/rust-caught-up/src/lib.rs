//! Promotion: the candidate has caught up once its newest samples are close to one and the same leader.

use runner_plugin::prelude::*;
use serde::Deserialize;

/// A term is an election; so many in one window and the cluster is not fit for another voter.
const MOST_TERMS: u64 = 5;

/// When to ask again, in milliseconds.
const RETRY_MS: u64 = 500;

/// What an operator can set.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CaughtUp {
    /// How many entries behind is close enough.
    max_lag: u64,
    /// How many of the newest samples must be good.
    samples: u32,
}

impl Default for CaughtUp {
    fn default() -> Self {
        Self { max_lag: 100, samples: 5 }
    }
}

impl Plugin for CaughtUp {
    fn validate(&self) -> Vec<Problem> {
        if (2..=100).contains(&self.samples) {
            return Vec::new();
        }
        vec![Problem::new("samples", format!("{} is not in 2 to 100", self.samples))]
    }
}

impl Promotion for CaughtUp {
    fn evaluate(&self, _: &Cluster, _: &Member, window: &Samples) -> Result<Verdict> {
        if let (Some(first), Some(newest)) = (window.iter().next(), window.last()) {
            let terms = newest.term().saturating_sub(first.term());
            if terms > MOST_TERMS {
                return Ok(Verdict::reject(format!("elections all the time: {terms} terms")));
            }
        }
        let wait = |reason: String| Ok(Verdict::wait_ms(reason, RETRY_MS));
        if window.len() < self.samples {
            return wait(format!("{} of {} samples", window.len(), self.samples));
        }
        let newest_first: Vec<Sample> = window.iter().rev().take(self.samples as usize).collect();
        if !newest_first.iter().all(|sample| sample.is_reachable()) {
            return wait("does not answer".to_owned());
        }
        if let Some(lag) = newest_first.iter().map(|sample| sample.lag()).find(|lag| *lag > self.max_lag) {
            return wait(format!("{lag} entries behind, at most {} allowed", self.max_lag));
        }
        let leader = newest_first[0].leader();
        if leader.is_none() || newest_first.iter().any(|sample| sample.leader() != leader) {
            return wait("the leader changed".to_owned());
        }
        Ok(Verdict::Approve)
    }
}

runner_plugin::export!(CaughtUp: Promotion);

#[cfg(test)]
mod tests {
    use super::*;
    use runner_plugin::fake;

    fn verdict(window: fake::Samples) -> Verdict {
        let (cluster, candidate) = (fake::Cluster::new().build(), fake::Member::learner("node-4").build());
        CaughtUp::default().evaluate(&cluster, &candidate, &window.build()).unwrap()
    }

    #[test]
    fn five_close_samples_are_enough() {
        assert_eq!(verdict(fake::Samples::new().every_ms(100, [9000, 100, 7, 0, 3, 100])), Verdict::Approve);
        let waiting = Verdict::wait_ms("101 entries behind, at most 100 allowed", RETRY_MS);
        assert_eq!(verdict(fake::Samples::new().every_ms(100, [0, 900, 0, 101, 0])), waiting);
    }
}
