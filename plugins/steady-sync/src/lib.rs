//! Promotion criterion: the candidate has been close to the leader for a while, and nothing moved meanwhile.
//!
//! It approves when in the last `samples` consecutive samples, which span at least `forMs` milliseconds, the candidate answered,
//! was at most `maxLag` entries behind, and the leader and the raft term stayed the same. Otherwise it waits and says for what.
//!
//! | setting | default | meaning |
//! | --- | --- | --- |
//! | `maxLag` | 100 | how many entries behind is close enough |
//! | `samples` | 5 | how many samples in a row |
//! | `forMs` | 200 | how many milliseconds they must span: 5 samples every 50 ms just do |
//! | `rejectAfterMs` | none | give up, and have the join undone, when it still is not steady so long after it first was close |
//!
//! Without `rejectAfterMs` it never refuses: how long a join may take is for runner to say.

use runner_plugin::prelude::*;
use serde::Deserialize;

/// The longest stretch that may be asked for: ten minutes.
const LONGEST_MS: u64 = 600_000;

/// The most samples that may be asked for. Runner keeps the newest 600 of them whatever happens, older ones not all.
const MOST_SAMPLES: u32 = 600;

/// The criterion and its settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SteadySync {
    /// How many entries behind is close enough.
    pub max_lag: u64,
    /// How many samples in a row.
    pub samples: u32,
    /// How many milliseconds they must span.
    pub for_ms: u64,
    /// Give up when it still is not steady so many milliseconds after it first was close.
    pub reject_after_ms: Option<u64>,
}

impl Default for SteadySync {
    fn default() -> Self {
        Self { max_lag: 100, samples: 5, for_ms: 200, reject_after_ms: None }
    }
}

impl Plugin for SteadySync {
    fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if !(1..=MOST_SAMPLES).contains(&self.samples) {
            problems.push(Problem::new("samples", format!("{} is not in 1 to {MOST_SAMPLES}", self.samples)));
        }
        if self.for_ms > LONGEST_MS {
            problems.push(Problem::new("forMs", format!("{} is more than {LONGEST_MS} (ten minutes)", self.for_ms)));
        }
        if let Some(after) = self.reject_after_ms.filter(|after| *after <= self.for_ms) {
            let text = format!("{after} must be more than forMs ({}), or nothing is ever approved", self.for_ms);
            problems.push(Problem::new("rejectAfterMs", text));
        }
        problems
    }
}

impl Promotion for SteadySync {
    fn evaluate(&self, _: &Cluster, _: &Member, window: &Samples) -> Result<Verdict> {
        let Some(last) = window.last() else { return Ok(Verdict::wait("no sample yet")) };
        match (self.judge(window, last), self.reject_after_ms) {
            (Verdict::Wait { reason, .. }, Some(after)) if self.tried_ms(window, last) >= after => {
                Ok(Verdict::reject(format!("not steady {after} ms after it first was close: {reason}")))
            }
            (verdict, _) => Ok(verdict),
        }
    }
}

/// What ends a steady stretch, looking back from the last sample.
enum Break {
    /// The candidate did not answer.
    Silent,
    /// There was no leader.
    NoLeader,
    /// It was too far behind.
    Lag,
    /// Another leader.
    Leader,
    /// Another term (and perhaps the same leader, elected again).
    Term,
}

impl SteadySync {
    fn judge(&self, window: &Samples, last: Sample<'_>) -> Verdict {
        let (leader, term, now) = (last.leader(), last.term(), last.at_ms());
        let (mut steady, mut since, mut broken) = (0_u32, now, None);
        for sample in window.iter().rev() {
            broken = self.breaks(sample, leader.as_deref(), term);
            if broken.is_some() {
                break;
            }
            (steady, since) = (steady + 1, sample.at_ms());
            if steady >= self.samples && now.saturating_sub(since) >= self.for_ms {
                return Verdict::Approve;
            }
        }

        let steady_ms = now.saturating_sub(since);
        let to_go = self.for_ms.saturating_sub(steady_ms);
        match broken {
            Some(Break::Silent) if steady == 0 => Verdict::wait("it did not answer the last request"),
            Some(Break::NoLeader) if steady == 0 => Verdict::wait("the cluster has no leader"),
            Some(Break::Lag) if steady < self.samples => Verdict::wait(self.lag_reason(window)),
            Some(Break::Leader | Break::NoLeader) => {
                self.not_yet(format!("leader changed {steady_ms} ms ago"), steady, to_go)
            }
            Some(Break::Term) => self.not_yet(format!("new election {steady_ms} ms ago"), steady, to_go),
            Some(Break::Silent) => self.not_yet(format!("it answers since {steady_ms} ms"), steady, to_go),
            Some(Break::Lag) | None => self.not_yet(format!("steady for {steady_ms} ms"), steady, to_go),
        }
    }

    fn breaks(&self, sample: Sample<'_>, leader: Option<&str>, term: u64) -> Option<Break> {
        let its_leader = sample.leader();
        match sample.lag() {
            _ if !sample.is_reachable() => Some(Break::Silent),
            _ if its_leader.is_none() => Some(Break::NoLeader),
            _ if its_leader.as_deref() != leader => Some(Break::Leader),
            _ if sample.term() != term => Some(Break::Term),
            lag if lag > self.max_lag => Some(Break::Lag),
            _ => None,
        }
    }

    /// How long ago the candidate was close for the first time; 0 where it never was.
    fn tried_ms(&self, window: &Samples, last: Sample<'_>) -> u64 {
        let close = window.iter().find(|sample| sample.is_reachable() && sample.lag() <= self.max_lag);
        close.map_or(0, |first| last.at_ms().saturating_sub(first.at_ms()))
    }

    /// The worst of the samples that count, and how many were too far behind.
    fn lag_reason(&self, window: &Samples) -> String {
        let counted = self.samples.min(window.len());
        let lags = window.iter().rev().take(counted as usize).map(|s| s.lag());
        let behind: Vec<u64> = lags.filter(|lag| *lag > self.max_lag).collect();
        let worst = behind.iter().max().copied().unwrap_or_default();
        let lag = format!("lag {worst} > {}", self.max_lag);
        if counted == 1 { lag } else { format!("{lag} in {} of the last {counted} samples", behind.len()) }
    }

    /// Steady now, but not for long enough: waits for the time that is missing, or for the next sample.
    fn not_yet(&self, what: String, steady: u32, to_go: u64) -> Verdict {
        match to_go {
            0 => Verdict::wait(format!("{what}: {steady} of {} samples", self.samples)),
            _ => Verdict::wait_ms(format!("{what}: {to_go} ms to go"), to_go),
        }
    }
}

runner_plugin::export!(SteadySync: Promotion);

#[cfg(test)]
mod tests {
    use runner_plugin::fake;
    use runner_plugin::settings::problems;

    use super::*;

    fn verdict(settings: SteadySync, window: fake::Samples) -> Verdict {
        let (cluster, candidate) = (fake::Cluster::new().build(), fake::Member::learner("node-3").build());
        settings.evaluate(&cluster, &candidate, &window.build()).unwrap()
    }

    fn window(lags: impl IntoIterator<Item = u64>) -> fake::Samples {
        fake::Samples::new().every_ms(50, lags)
    }

    fn one_second() -> SteadySync {
        SteadySync { max_lag: 50, for_ms: 1000, ..SteadySync::default() }
    }

    #[test]
    fn five_close_samples_over_200_ms_are_enough() {
        assert_eq!(verdict(SteadySync::default(), window([9000, 100, 7, 0, 3, 100])), Verdict::Approve);
    }

    #[test]
    fn the_number_and_the_time_must_both_be_reached() {
        assert_eq!(
            verdict(SteadySync::default(), window([1, 1, 1, 1])),
            Verdict::wait_ms("steady for 150 ms: 50 ms to go", 50)
        );
        let slow = fake::Samples::new().every_ms(500, [1, 1, 1]);
        assert_eq!(verdict(SteadySync::default(), slow), Verdict::wait("steady for 1000 ms: 3 of 5 samples"));
        let fast = fake::Samples::new().every_ms(1, vec![0; 100]);
        assert_eq!(verdict(SteadySync::default(), fast), Verdict::wait_ms("steady for 99 ms: 101 ms to go", 101));
    }

    #[test]
    fn lag_in_the_stretch_is_named_with_the_worst() {
        let settings = SteadySync { max_lag: 50, ..SteadySync::default() };
        let wait = Verdict::wait("lag 120 > 50 in 2 of the last 5 samples");
        assert_eq!(verdict(settings.clone(), window([900, 0, 60, 0, 120, 0])), wait);
        assert_eq!(verdict(settings, window([51])), Verdict::wait("lag 51 > 50"));
    }

    #[test]
    fn a_new_leader_starts_the_stretch_anew() {
        let moved = window([0; 30])
            .change_last(|s| {
                s.leader = Some("91bc3c398fb3c146".to_owned());
                s.term += 1;
            })
            .every_ms(100, [0; 3]);
        assert_eq!(verdict(one_second(), moved.clone()), Verdict::wait_ms("leader changed 300 ms ago: 700 ms to go", 700));
        assert_eq!(verdict(one_second(), moved.every_ms(100, [0; 7])), Verdict::Approve);
    }

    #[test]
    fn the_same_leader_of_a_new_term_starts_the_stretch_anew() {
        let elected = window([0; 30]).change_last(|s| s.term += 1).every_ms(100, [0; 4]);
        assert_eq!(verdict(one_second(), elected), Verdict::wait_ms("new election 400 ms ago: 600 ms to go", 600));
    }

    #[test]
    fn no_leader_and_no_answer_are_said() {
        let headless = window([0; 30]).change_last(|s| s.leader = None);
        assert_eq!(verdict(SteadySync::default(), headless), Verdict::wait("the cluster has no leader"));
        let silent = window([0; 30]).change_last(|s| s.reachable = false);
        assert_eq!(verdict(SteadySync::default(), silent.clone()), Verdict::wait("it did not answer the last request"));
        let back = silent.every_ms(60, [0]).change_last(|s| s.reachable = true).every_ms(60, [0]);
        assert_eq!(verdict(SteadySync::default(), back), Verdict::wait_ms("it answers since 60 ms: 140 ms to go", 140));
    }

    #[test]
    fn it_gives_up_only_where_told_to() {
        // Far for 5 s, then close in every second sample for 3 s.
        let restless = window([5000; 100]).every_ms(50, (0..61).map(|i| 5000 * (i % 2)));
        assert!(matches!(verdict(SteadySync::default(), restless.clone()), Verdict::Wait { .. }));
        let settings = |after| SteadySync { reject_after_ms: Some(after), ..SteadySync::default() };
        let text = "not steady 3000 ms after it first was close: lag 5000 > 100 in 2 of the last 5 samples";
        assert_eq!(verdict(settings(3000), restless.clone()), Verdict::reject(text));
        assert!(matches!(verdict(settings(3001), restless.clone()), Verdict::Wait { .. }));
        assert_eq!(verdict(settings(3000), restless.every_ms(50, [0; 5])), Verdict::Approve);
        assert!(matches!(verdict(settings(300), window([5000; 100])), Verdict::Wait { .. }));
    }

    #[test]
    fn nothing_is_judged_without_samples() {
        assert_eq!(verdict(SteadySync::default(), fake::Samples::new()), Verdict::wait("no sample yet"));
    }

    #[test]
    fn bad_settings_are_refused_by_path() {
        assert_eq!(problems::<SteadySync>("{}"), []);
        assert_eq!(problems::<SteadySync>(r#"{"maxLag": 0, "samples": 20, "forMs": 900, "rejectAfterMs": 901}"#), []);
        let paths = |json| problems::<SteadySync>(json).into_iter().map(|p| p.path).collect::<Vec<_>>();
        assert_eq!(paths(r#"{"maxLag": -1}"#), ["maxLag"]);
        assert_eq!(paths(r#"{"maxlag": 1}"#), ["maxlag"]);
        assert_eq!(paths(r#"{"samples": 1.5}"#), ["samples"]);
        assert_eq!(
            paths(r#"{"samples": 0, "forMs": 600001, "rejectAfterMs": 600001}"#),
            ["samples", "forMs", "rejectAfterMs"]
        );
    }
}
