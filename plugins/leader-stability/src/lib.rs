//! Promotion criterion and health check: the cluster keeps its leader, and does not elect again and again.
//!
//! | setting | default | meaning |
//! | --- | --- | --- |
//! | `quietSeconds` | 5 | promotion: no other leader, no other raft term and no missing leader for so long |
//! | `maxElections` | 3 | promotion: more elections than this in `withinSeconds` undo the join; each new raft term is one |
//! | `withinSeconds` | 60 | the stretch in which elections are counted |
//! | `commitSeconds` | none | promotion: the leader must have committed something within the last so many seconds |
//!
//! As a promotion criterion it judges runner's samples. A new vote in a cluster that has trouble to keep its leader makes it
//! worse: one more member must be heard in time. `commitSeconds` shows that the leader still gets a majority to agree; leave it
//! out where nobody may be writing (below Kubernetes somebody always is).
//!
//! As a health check, before anything is changed, it refuses a join while there is no leader, and while members that answer are in
//! different raft terms: an election is going on, or one of them is cut off from the others.
//!
//! It needs no grants. It does *not* look at how the candidate keeps up (that is `steady-sync`), and it knows nothing of elections
//! before the first sample.

use runner_plugin::prelude::*;
use serde::Deserialize;

/// The longest stretch: an hour. Runner keeps only some of the samples that are older than its newest 600.
const LONGEST_SECONDS: u32 = 3600;

/// The criterion and its settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LeaderStability {
    /// For how long the leader and the term must have been the same.
    pub quiet_seconds: u32,
    /// So many elections are borne.
    pub max_elections: u32,
    /// The stretch in which they are counted.
    pub within_seconds: u32,
    /// How long ago the leader's commit index may have moved last.
    pub commit_seconds: Option<u32>,
}

impl Default for LeaderStability {
    fn default() -> Self {
        Self { quiet_seconds: 5, max_elections: 3, within_seconds: 60, commit_seconds: None }
    }
}

impl Plugin for LeaderStability {
    fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut bound = |path: &str, seconds: u32, least: u32| {
            if !(least..=LONGEST_SECONDS).contains(&seconds) {
                problems.push(Problem::new(path, format!("{seconds} is not in {least} to {LONGEST_SECONDS}")));
            }
        };
        bound("quietSeconds", self.quiet_seconds, 0);
        bound("withinSeconds", self.within_seconds, 1);
        if let Some(seconds) = self.commit_seconds {
            bound("commitSeconds", seconds, 1);
        }
        problems
    }
}

impl HealthCheck for LeaderStability {
    fn check(&self, cluster: &Cluster, _: &Newcomer) -> Result<Vec<Finding>> {
        let mut findings = Vec::new();
        if cluster.leader().is_none() {
            let remedy =
                "wait until the members have elected one; if they do not, more than half of them cannot reach each other";
            findings.push(Finding::error("no-leader", "the cluster has no leader").remedy(remedy));
        }
        let members = cluster.members();
        let terms: Vec<_> = members.iter().filter_map(|m| Some((m, m.raft_term()?))).collect();
        let newest = terms.iter().max_by_key(|(_, term)| *term);
        let oldest = terms.iter().min_by_key(|(_, term)| *term);
        if let (Some((ahead, high)), Some((behind, low))) = (newest, oldest)
            && high != low
        {
            let (ahead, name) = (ahead.display_name(), behind.display_name());
            let text =
                format!("{ahead} is in raft term {high} and {name} in {low}: an election is going on, or one is cut off");
            let remedy = format!("join again in a moment; if it stays so, look at the network between {ahead} and {name}");
            findings.push(Finding::error("raft-terms-differ", text).remedy(remedy).about(behind));
        }
        Ok(findings)
    }
}

impl Promotion for LeaderStability {
    fn evaluate(&self, _: &Cluster, _: &Member, window: &Samples) -> Result<Verdict> {
        let Some(last) = window.last() else { return Ok(Verdict::wait("no sample yet")) };
        let elections = self.elections(window, last);
        if elections > self.max_elections.into() {
            let (most, seconds) = (self.max_elections, self.within_seconds);
            return Ok(Verdict::reject(format!("{elections} elections in {seconds} s, at most {most} are borne")));
        }
        if last.leader().is_none() {
            return Ok(Verdict::wait("the cluster has no leader"));
        }
        Ok(self.restless(window, last).or_else(|| self.stuck(window, last)).unwrap_or(Verdict::Approve))
    }
}

impl LeaderStability {
    /// How many terms began within the stretch. Terms count every election, also those between two samples.
    fn elections(&self, window: &Samples, last: Sample<'_>) -> u64 {
        let since = last.at_ms().saturating_sub(millis(self.within_seconds));
        let first = window.iter().find(|sample| sample.at_ms() >= since).unwrap_or(last);
        last.term().saturating_sub(first.term())
    }

    /// Waits while the quiet stretch is too short.
    fn restless(&self, window: &Samples, last: Sample<'_>) -> Option<Verdict> {
        let (leader, term, now, quiet) = (last.leader(), last.term(), last.at_ms(), millis(self.quiet_seconds));
        let (mut since, mut what) = (now, "watched");
        for sample in window.iter().rev() {
            if now - since >= quiet {
                return None;
            }
            let its_leader = sample.leader();
            what = match its_leader {
                None => "a leader",
                _ if its_leader != leader => "another leader",
                _ if sample.term() != term => "a new raft term",
                _ => {
                    since = sample.at_ms();
                    continue;
                }
            };
            break;
        }
        let steady = now - since;
        if steady >= quiet {
            return None;
        }
        Some(Verdict::wait_ms(format!("{what} for {steady} ms: {} ms to go", quiet - steady), quiet - steady))
    }

    /// Waits while nothing is committed.
    fn stuck(&self, window: &Samples, last: Sample<'_>) -> Option<Verdict> {
        let (seconds, index) = (self.commit_seconds?, last.leader_index());
        let since = last.at_ms().saturating_sub(millis(seconds));
        let recent = || window.iter().rev().take_while(|sample| sample.at_ms() >= since);
        let moved = recent().any(|sample| sample.leader_index() != index);
        (!moved).then(|| match recent().last() {
            // So old a sample is needed to tell.
            Some(first) if first.index() == 0 => Verdict::wait(format!("the commit index is still {index}")),
            _ => Verdict::wait(format!("the commit index has been {index} for {seconds} s")),
        })
    }
}

fn millis(seconds: u32) -> u64 {
    u64::from(seconds) * 1000
}

runner_plugin::export!(LeaderStability: HealthCheck, Promotion);

#[cfg(test)]
mod tests {
    use runner_plugin::fake;
    use runner_plugin::settings::{plugin, problems};

    use super::*;

    fn verdict(settings: &str, window: fake::Samples) -> Verdict {
        let (cluster, candidate) = (fake::Cluster::new().build(), fake::Member::learner("cp-4").build());
        plugin::<LeaderStability>(settings).unwrap().evaluate(&cluster, &candidate, &window.build()).unwrap()
    }

    /// Ten samples a second.
    fn seconds(seconds: usize) -> fake::Samples {
        fake::Samples::new().every_ms(100, vec![0; seconds * 10 + 1])
    }

    #[test]
    fn five_quiet_seconds_are_enough() {
        assert_eq!(verdict("{}", seconds(5)), Verdict::Approve);
        assert_eq!(verdict("{}", seconds(4)), Verdict::wait_ms("watched for 4000 ms: 1000 ms to go", 1000));
        assert_eq!(verdict(r#"{"quietSeconds": 0}"#, seconds(0)), Verdict::Approve);
        assert_eq!(verdict("{}", fake::Samples::new()), Verdict::wait("no sample yet"));
    }

    #[test]
    fn what_moved_starts_the_stretch_anew() {
        let other = seconds(9).change_last(|s| s.leader = Some("91bc3c398fb3c146".to_owned()));
        let wait = Verdict::wait_ms("another leader for 2000 ms: 3000 ms to go", 3000);
        assert_eq!(verdict("{}", other.clone().every_ms(100, [0; 20])), wait);
        assert_eq!(verdict("{}", other.every_ms(100, [0; 50])), Verdict::Approve);

        let elected = seconds(9).change_last(|s| s.term += 1).every_ms(100, [0; 7]);
        assert_eq!(verdict("{}", elected), Verdict::wait_ms("a new raft term for 700 ms: 4300 ms to go", 4300));

        let headless = seconds(9).change_last(|s| s.leader = None);
        assert_eq!(verdict("{}", headless.clone()), Verdict::wait("the cluster has no leader"));
        let back = headless.every_ms(100, [0]).change_last(|s| s.leader = Some("8e9e05c52164694d".to_owned()));
        assert_eq!(verdict("{}", back.every_ms(100, [0; 3])), Verdict::wait_ms("a leader for 300 ms: 4700 ms to go", 4700));
    }

    #[test]
    fn repeated_elections_undo_the_join() {
        let four = (0..4).fold(seconds(1), |window, _| window.change_last(|s| s.term += 1).every_ms(1000, [0; 5]));
        let no = Verdict::reject("4 elections in 60 s, at most 3 are borne");
        assert_eq!(verdict("{}", four.clone()), no);
        assert_eq!(verdict(r#"{"maxElections": 4}"#, four.clone().every_ms(1000, [0])), Verdict::Approve);
        // They are forgotten with time, and terms between two samples count.
        assert_eq!(verdict("{}", four.every_ms(1000, [0; 60])), Verdict::Approve);
        let unseen = seconds(1).change_last(|s| s.term += 5);
        assert_eq!(verdict("{}", unseen), Verdict::reject("5 elections in 60 s, at most 3 are borne"));
    }

    #[test]
    fn a_leader_that_commits_nothing_is_waited_for() {
        let settings = r#"{"commitSeconds": 3}"#;
        assert_eq!(verdict(settings, seconds(5)), Verdict::Approve);
        let mut still = seconds(9);
        still.samples.iter_mut().for_each(|s| s.leader_index = s.leader_index.min(1_000_200));
        let wait = Verdict::wait("the commit index has been 1000200 for 3 s");
        assert_eq!(verdict(settings, still.clone()), wait);
        assert_eq!(verdict("{}", still), Verdict::Approve);
        let short = r#"{"commitSeconds": 3, "quietSeconds": 0}"#;
        assert_eq!(verdict(short, seconds(0)), Verdict::wait("the commit index is still 1000000"));
    }

    #[test]
    fn a_cluster_that_elects_is_not_joined() {
        let check = |members: [fake::Member; 2]| {
            let cluster = members.into_iter().fold(fake::Cluster::new(), fake::Cluster::member).build();
            LeaderStability::default().check(&cluster, &fake::Newcomer::new("cp-4").build()).unwrap()
        };
        let (a, b) = (fake::Member::voter("a"), fake::Member::voter("b"));
        assert_eq!(check([a.clone().leader(), b.clone()]), []);
        assert_eq!(check([a.clone(), b.clone()])[0].code, "no-leader");
        let ahead = fake::Member { raft_term: 7, ..b.clone() };
        let found = check([a.clone().leader(), ahead.clone()]);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].code.as_str(), found[0].member.as_ref()), ("raft-terms-differ", Some(&a.id)));
        let text = "b is in raft term 7 and a in 2: an election is going on, or one is cut off";
        assert_eq!(found[0].message, text);
        // Who does not answer has no term.
        assert_eq!(check([a.leader(), ahead.unreachable()]), []);
    }

    #[test]
    fn bad_settings_are_refused_by_path() {
        assert_eq!(problems::<LeaderStability>("{}"), []);
        let paths = |json| problems::<LeaderStability>(json).into_iter().map(|p| p.path).collect::<Vec<_>>();
        assert_eq!(paths(r#"{"quietSecond": 1}"#), ["quietSecond"]);
        assert_eq!(paths(r#"{"maxElections": -1}"#), ["maxElections"]);
        let all = r#"{"quietSeconds": 3601, "withinSeconds": 0, "commitSeconds": 0}"#;
        assert_eq!(paths(all), ["quietSeconds", "withinSeconds", "commitSeconds"]);
    }
}
