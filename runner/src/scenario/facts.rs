//! The other facts: who joins, how far it has come, what has happened.

use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::cluster::{RAFT_INDEX, TERM, VERSION, hex};
use super::short::Time;
use crate::cluster::MemberId;
use crate::pipeline::{Newcomer, Sample};

/// The member that wants to join.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct NewcomerFacts {
    /// Its name.
    pub name: String,
    /// Where the other members will reach it; `https://NAME:2380` unless said.
    pub peer_urls: Option<Vec<String>>,
    /// Where clients will reach it; `https://NAME:2379` unless said.
    pub client_urls: Option<Vec<String>>,
    /// The etcd version it will run, or `unknown`.
    pub version: String,
}

/// A window of samples: in short, only the lags; or a list.
#[derive(Clone, Debug, PartialEq)]
pub enum SamplesFacts {
    /// One sample for each lag.
    Short(LagFacts),
    /// Each sample by itself.
    List(Vec<SampleFacts>),
}

/// Samples by their lags, evenly spaced; the last one was taken at `now`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LagFacts {
    /// Entries behind, oldest first.
    pub lag: Vec<u64>,
    /// The time between two samples.
    #[serde(default = "every")]
    pub every: Time,
    /// By how much the leader's log grows from sample to sample.
    #[serde(default = "growth")]
    pub growth: u64,
}

/// One sample. What is not said is as in the sample before, 100 ms later.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SampleFacts {
    /// Entries behind.
    pub lag: u64,
    /// Time since the sample before.
    pub after: Option<Time>,
    /// When it was taken.
    pub at: Option<Timestamp>,
    /// The leader's committed raft index.
    pub leader_index: Option<u64>,
    /// The candidate's applied raft index, in the place of the lag.
    pub applied_index: Option<u64>,
    /// The leader's name or id, or `none`.
    pub leader: Option<String>,
    /// The raft term.
    pub term: Option<u64>,
    /// Whether the candidate answered.
    pub reachable: Option<bool>,
}

impl Default for NewcomerFacts {
    fn default() -> Self {
        Self { name: "newcomer".to_owned(), peer_urls: None, client_urls: None, version: VERSION.to_owned() }
    }
}

impl NewcomerFacts {
    pub(super) fn newcomer(&self) -> Newcomer {
        let urls = |given: &Option<Vec<String>>, port: u16| {
            given.clone().unwrap_or_else(|| vec![format!("https://{}:{port}", self.name)])
        };
        Newcomer {
            name: self.name.clone(),
            peer_urls: urls(&self.peer_urls, 2380),
            client_urls: urls(&self.client_urls, 2379),
            version: Some(self.version.clone()).filter(|v| v != "unknown"),
        }
    }
}

impl<'de> Deserialize<'de> for SamplesFacts {
    // By hand: an untagged enum would lose where an error is.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListOrMap;

        impl<'de> Visitor<'de> for ListOrMap {
            type Value = SamplesFacts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of samples, or `lag: [5000, 100, 3, 0]`")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<SamplesFacts, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(SamplesFacts::List)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SamplesFacts, A::Error> {
                LagFacts::deserialize(MapAccessDeserializer::new(map)).map(SamplesFacts::Short)
            }
        }

        deserializer.deserialize_any(ListOrMap)
    }
}

impl SamplesFacts {
    /// The window. `find` knows the members.
    pub(super) fn window(
        &self,
        now: Timestamp,
        leader: Option<MemberId>,
        find: &dyn Fn(&str) -> Option<MemberId>,
    ) -> Result<Vec<Sample>, String> {
        let list = match self {
            Self::Short(LagFacts { lag, every, growth }) => {
                let sample = |(n, lag): (usize, &u64)| SampleFacts {
                    lag: *lag,
                    after: Some(*every),
                    leader_index: Some(RAFT_INDEX + growth * n as u64),
                    ..SampleFacts::default()
                };
                lag.iter().enumerate().map(sample).collect()
            }
            Self::List(list) => list.clone(),
        };
        let mut window: Vec<Sample> = Vec::new();
        for facts in &list {
            let last = window.last().copied();
            window.push(facts.sample(last, now, leader, find)?);
        }
        // Times that were not said count backwards from now.
        if let (false, Some(last)) = (list.iter().any(|s| s.at.is_some()), window.last().copied()) {
            let shift = now.duration_since(last.at);
            window.iter_mut().for_each(|s| s.at += shift);
        }
        Ok(window)
    }
}

impl SampleFacts {
    fn sample(
        &self,
        last: Option<Sample>,
        now: Timestamp,
        leader: Option<MemberId>,
        find: &dyn Fn(&str) -> Option<MemberId>,
    ) -> Result<Sample, String> {
        let first =
            Sample { at: now, leader_index: RAFT_INDEX - growth(), applied_index: 0, leader, term: TERM, reachable: true };
        let before = last.unwrap_or(first);
        let after = self.after.unwrap_or(every()).0;
        let leader_index = self.leader_index.unwrap_or(before.leader_index + growth());
        let leader = match self.leader.as_deref() {
            None => before.leader,
            Some("none") => None,
            Some(named) => Some(match find(named) {
                Some(id) => id,
                // A leader that is no longer a member.
                None => MemberId(hex("samples: leader: no member, and", named)?),
            }),
        };
        Ok(Sample {
            at: self.at.unwrap_or(before.at + SignedDuration::try_from(after).unwrap_or_default()),
            leader_index,
            applied_index: self.applied_index.unwrap_or(leader_index.saturating_sub(self.lag)),
            leader,
            term: self.term.unwrap_or(before.term),
            reachable: self.reachable.unwrap_or(before.reachable),
        })
    }
}

/// An event as runner would tell it: its own fields, `kind` among them, and `at`.
pub(super) fn event(fields: &Map<String, Value>, now: Timestamp) -> Result<(String, Timestamp, String), String> {
    let Some(kind) = fields.get("kind").and_then(Value::as_str) else {
        return Err("events: each event needs a `kind`, for example `run-finished`".to_owned());
    };
    let at = match fields.get("at") {
        None => now,
        Some(at) => at.as_str().and_then(|at| at.parse().ok()).ok_or_else(|| format!("events: `at`: {at} is not a time"))?,
    };
    let mut whole = fields.clone();
    whole.insert("at".to_owned(), at.to_string().into());
    Ok((kind.to_owned(), at, Value::Object(whole).to_string()))
}

fn every() -> Time {
    Time(Duration::from_millis(100))
}

fn growth() -> u64 {
    10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lags_become_samples_that_end_now() {
        let now: Timestamp = "2027-01-15T08:00:00Z".parse().unwrap();
        let facts = SamplesFacts::Short(LagFacts { lag: vec![5, 0], every: every(), growth: 10 });
        let window = facts.window(now, Some(MemberId(1)), &|_| None).unwrap();
        assert_eq!(window.iter().map(Sample::lag).collect::<Vec<_>>(), [5, 0]);
        assert_eq!((window[1].at, window[1].at.duration_since(window[0].at).as_millis()), (now, 100));
        assert_eq!(window[1].leader_index - window[0].leader_index, 10);
    }

    #[test]
    fn a_listed_sample_goes_on_from_the_one_before() {
        let list = vec![
            SampleFacts { term: Some(7), ..SampleFacts::default() },
            SampleFacts { lag: 3, leader: Some("none".into()), reachable: Some(false), ..SampleFacts::default() },
        ];
        let window = SamplesFacts::List(list).window(Timestamp::UNIX_EPOCH, Some(MemberId(1)), &|_| None).unwrap();
        assert_eq!((window[1].term, window[1].leader, window[1].lag(), window[1].reachable), (7, None, 3, false));
        assert_eq!(window[0].leader, Some(MemberId(1)));
    }
}
