//! Health check: this node's clock and the members' clocks agree.
//!
//! | setting | default | meaning |
//! | --- | --- | --- |
//! | `maxMs` | 1000 | how many milliseconds two clocks may be apart |
//! | `atMost` | 4 | how many members are compared, the leader first (1 to 100) |
//!
//! etcd does not elect by the clock, but its peers warn of each other when they are more than 1 s apart ("prober found high clock
//! drift"), certificates and Kubernetes' own times go by it, and logs of different members cannot be put in order without it.
//!
//! It needs this grant:
//!
//! ```yaml
//! grants:
//!   probes:
//!     members: true
//! ```
//!
//! A comparison gives an interval in which the offset lies. A join is refused only where all of it is beyond `maxMs`; where a part
//! of it is, there is a warning. A member that does not answer is left out; one that cannot be compared is a warning; if none can
//! be, the check has failed. A comparison takes up to two seconds, so more than four need a larger `limits.wall` than the default
//! 10 s. It does *not* look at any time server.

use runner_plugin::prelude::*;
use runner_plugin::probes::{self, ClockOffset};
use serde::Deserialize;

/// The widest bound: an hour.
const WIDEST_MS: u32 = 3_600_000;

/// The check and its settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TimeOffset {
    /// How far two clocks may be apart.
    pub max_ms: u32,
    /// How many members are compared.
    pub at_most: u32,
}

/// How certain it is that two clocks are too far apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beyond {
    No,
    Perhaps,
    Certainly,
}

impl Default for TimeOffset {
    fn default() -> Self {
        Self { max_ms: 1000, at_most: 4 }
    }
}

impl Plugin for TimeOffset {
    fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if !(1..=WIDEST_MS).contains(&self.max_ms) {
            problems.push(Problem::new("maxMs", format!("{} is not in 1 to {WIDEST_MS}", self.max_ms)));
        }
        if !(1..=100).contains(&self.at_most) {
            problems.push(Problem::new("atMost", format!("{} is not in 1 to 100", self.at_most)));
        }
        problems
    }
}

impl HealthCheck for TimeOffset {
    fn check(&self, cluster: &Cluster, newcomer: &Newcomer) -> Result<Vec<Finding>> {
        let own = newcomer.peer_urls();
        let mut members = cluster.members();
        // A join that is resumed finds its own member in the list.
        members.retain(|member| member.is_reachable() && !member.peer_urls().iter().any(|url| own.contains(url)));
        members.sort_by_key(|member| !member.is_leader());
        members.truncate(self.at_most as usize);

        let (mut offsets, mut unknown) = (Vec::new(), Vec::new());
        for member in members {
            match offset_of(&member)? {
                Ok(offset) => offsets.push((member, offset)),
                Err(failure) => {
                    let text = format!("the clock of {} cannot be compared: {}", member.display_name(), failure.message);
                    unknown.push(Finding::warning("offset-unknown", text).about(&member));
                }
            }
        }
        match unknown.first() {
            Some(first) if offsets.is_empty() => Err(Error::new(&first.message)),
            _ => Ok([self.judge(&offsets), unknown].concat()),
        }
    }
}

impl TimeOffset {
    fn judge(&self, offsets: &[(Member, ClockOffset)]) -> Vec<Finding> {
        let far = offsets.iter().filter(|(_, offset)| self.beyond(*offset) == Beyond::Certainly).count();
        // Who is alone with its time is the one to be set.
        let own = match (far * 2 > offsets.len(), offsets.len()) {
            (_, 1) => None,
            (own, _) => Some(own),
        };
        let found = offsets.iter().filter_map(|(member, offset)| {
            let name = member.display_name();
            let (code, severity, verb) = match self.beyond(*offset) {
                Beyond::No => return None,
                Beyond::Perhaps => ("clock-may-differ", Severity::Warning, "may be"),
                Beyond::Certainly => ("clock-differs", Severity::Error, "is"),
            };
            let text = format!("this node's clock {verb} more than {} ms off that of {name}: {}", self.max_ms, told(*offset));
            let remedy = match own {
                None => format!("compare both with a time server (`chronyc tracking`, `timedatectl`) and set the wrong one: this node or {name}"),
                Some(true) => "set this node's clock: see `chronyc tracking` or `timedatectl`".to_owned(),
                Some(false) => format!("see to the clock of {name}: `chronyc tracking` or `timedatectl` there"),
            };
            Some(Finding::new(severity, code, text).remedy(remedy).about(member))
        });
        found.collect()
    }

    fn beyond(&self, ClockOffset { earliest_ms, latest_ms }: ClockOffset) -> Beyond {
        let (earliest, latest, max) = (i64::from(earliest_ms), i64::from(latest_ms), i64::from(self.max_ms));
        if earliest > max || latest < -max {
            Beyond::Certainly
        } else if latest > max || earliest < -max {
            Beyond::Perhaps
        } else {
            Beyond::No
        }
    }
}

/// The offset by the first URL that answers, peer URLs first: this node must reach those anyway.
fn offset_of(member: &Member) -> Result<Result<ClockOffset, Failure>> {
    let mut last = Failure::new(FailureKind::NotFound, "it has no URL");
    for url in member.peer_urls().iter().chain(&member.client_urls()) {
        match probes::clock_offset_of(url) {
            Ok(offset) => {
                log::debug(format!("{} at {url}: {}", member.display_name(), told(offset)));
                return Ok(Ok(offset));
            }
            Err(failure) if failure.kind == FailureKind::Denied => return Err(failure.into()),
            Err(failure) => last = failure,
        }
    }
    Ok(Err(last))
}

/// `120 ms to 180 ms ahead`, `40 ms behind to 20 ms ahead`.
fn told(ClockOffset { earliest_ms, latest_ms }: ClockOffset) -> String {
    let (low, high) = (earliest_ms.unsigned_abs(), latest_ms.unsigned_abs());
    match (earliest_ms < 0, latest_ms < 0) {
        (false, _) => format!("{low} ms to {high} ms ahead"),
        (true, true) => format!("{high} ms to {low} ms behind"),
        (true, false) => format!("between {low} ms behind and {high} ms ahead"),
    }
}

runner_plugin::export!(TimeOffset: HealthCheck);

#[cfg(test)]
mod tests {
    use runner_plugin::fake;
    use runner_plugin::settings::{plugin, problems};

    use super::*;

    fn check(settings: &str, members: &[fake::Member]) -> Result<Vec<Finding>> {
        let cluster = members.iter().cloned().fold(fake::Cluster::new(), fake::Cluster::member).build();
        plugin::<TimeOffset>(settings).unwrap().check(&cluster, &fake::Newcomer::new("cp-4").build())
    }

    fn member(name: &str, earliest_ms: i32, latest_ms: i32) -> fake::Member {
        let offset = ClockOffset { earliest_ms, latest_ms };
        fake::probes::clock_offset_of(&format!("https://{name}:2380"), Ok(offset));
        fake::Member::voter(name)
    }

    fn codes(found: &[Finding]) -> Vec<(Severity, &str)> {
        found.iter().map(|f| (f.severity, f.code.as_str())).collect()
    }

    #[test]
    fn clocks_that_agree_have_no_findings() {
        assert_eq!(check("{}", &[member("a", -1000, 1000), member("b", 0, 0)]).unwrap(), []);
    }

    #[test]
    fn only_a_certain_violation_refuses() {
        let found = check("{}", &[member("a", 900, 1100), member("b", 1001, 1100), member("c", -5, 5)]).unwrap();
        assert_eq!(codes(&found), [(Severity::Warning, "clock-may-differ"), (Severity::Error, "clock-differs")]);
        assert_eq!(found[0].message, "this node's clock may be more than 1000 ms off that of a: 900 ms to 1100 ms ahead");
        assert_eq!(found[1].remedy.as_deref(), Some("see to the clock of b: `chronyc tracking` or `timedatectl` there"));
        let behind = check(r#"{"maxMs": 50}"#, &[member("d", -90, -51), member("e", -90, 10)]).unwrap();
        assert_eq!(codes(&behind), [(Severity::Error, "clock-differs"), (Severity::Warning, "clock-may-differ")]);
        assert!(behind[0].message.ends_with("is more than 50 ms off that of d: 51 ms to 90 ms behind"), "{behind:?}");
        assert!(behind[1].message.ends_with("between 90 ms behind and 10 ms ahead"), "{behind:?}");
    }

    #[test]
    fn whose_clock_is_wrong_is_told_by_the_others() {
        let remedies = |members: &[fake::Member]| check("{}", members).unwrap().remove(0).remedy.unwrap();
        assert!(remedies(&[member("a", 5000, 5100), member("b", 5000, 5100)]).starts_with("set this node's clock"));
        assert!(remedies(&[member("c", 5000, 5100)]).starts_with("compare both with a time server"));
    }

    #[test]
    fn the_leader_is_compared_first_and_no_more_than_asked_for() {
        let far = || member("a", 5000, 5100);
        assert_eq!(check(r#"{"atMost": 1}"#, &[far(), member("b", 0, 1).leader()]).unwrap(), []);
        assert_eq!(check("{}", &[far(), member("b", 0, 1).leader()]).unwrap().len(), 1);
        assert_eq!(check("{}", &[far().unreachable(), member("b", 0, 1)]).unwrap(), []);
    }

    #[test]
    fn client_urls_are_tried_where_the_peer_url_does_not_answer() {
        let failure = || Failure::new(FailureKind::Unavailable, "connection refused");
        fake::probes::clock_offset_of("https://a:2380", Err(failure()));
        fake::probes::clock_offset_of("https://a:2379", Ok(ClockOffset { earliest_ms: 0, latest_ms: 9 }));
        fake::probes::clock_offset_of("https://b:2380", Err(failure()));
        fake::probes::clock_offset_of("https://b:2379", Err(failure()));
        let (a, b) = (fake::Member::voter("a"), fake::Member::voter("b"));
        let found = check("{}", &[a, b.clone()]).unwrap();
        assert_eq!(codes(&found), [(Severity::Warning, "offset-unknown")]);
        let error = check("{}", &[b]).unwrap_err();
        assert_eq!(error.to_string(), "the clock of b cannot be compared: connection refused");
        let error = check("{}", &[fake::Member::voter("nobody-granted-this")]).unwrap_err();
        assert!(error.to_string().starts_with("denied: "), "{error}");
    }

    #[test]
    fn bad_settings_are_refused_by_path() {
        assert_eq!(problems::<TimeOffset>("{}"), []);
        let paths = |json| problems::<TimeOffset>(json).into_iter().map(|p| p.path).collect::<Vec<_>>();
        assert_eq!(paths(r#"{"max": 5}"#), ["max"]);
        assert_eq!(paths(r#"{"maxMs": -5}"#), ["maxMs"]);
        assert_eq!(paths(r#"{"maxMs": 0, "atMost": 0}"#), ["maxMs", "atMost"]);
    }
}
