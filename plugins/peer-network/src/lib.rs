//! Health check: every member's peer URL can be reached from this node, fast enough, and with the same packet size.
//!
//! | setting | default | meaning |
//! | --- | --- | --- |
//! | `connections` | 10 | how many connections to each peer URL are timed (1 to 100); below 100 the p99 is the longest |
//! | `medianWarnMs` | 50 | a median above this is a warning |
//! | `medianErrorMs` | 100 | a median above this refuses the join |
//! | `p99WarnMs` | 100 | a 99th percentile above this is a warning |
//! | `p99ErrorMs` | 500 | a 99th percentile above this refuses the join |
//! | `minMtu` | 1280 | a path whose largest packet is smaller (in bytes) refuses the join; 1280 is the least that IPv6 allows |
//! | `sameMtu` | true | warn where the paths to two members carry packets of different size |
//!
//! What is timed is a connection as etcd makes it: one round trip for TCP, two or three with TLS. etcd asks for a heartbeat
//! interval of about the round trip between members, and an election timeout of ten round trips; its defaults are 100 ms and
//! 1000 ms (<https://etcd.io/docs/v3.5/tuning/>). So the defaults here warn at half a heartbeat, and refuse at a whole one, or when
//! single connections take half an election timeout.
//!
//! It needs this grant:
//!
//! ```yaml
//! grants:
//!   probes:
//!     members: true
//! ```
//!
//! A member that no peer URL leads to refuses the join, except where it did not answer runner either: then it is a warning, since
//! runner's own checks decide whether the cluster can bear an absent member. What it does *not* tell: whether the members reach
//! this node (nothing listens here yet), and the bandwidth. The packet size is what this node's kernel knows of the path.

use runner_plugin::prelude::*;
use runner_plugin::probes::{self, Latency};
use serde::Deserialize;

/// What a person can do about a path.
const REMEDY: &str = "look at the route, firewalls and MTU between this node and it";

/// The check and its settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PeerNetwork {
    /// How many connections to each peer URL.
    pub connections: u32,
    /// A median above this is a warning.
    pub median_warn_ms: u32,
    /// A median above this refuses.
    pub median_error_ms: u32,
    /// A 99th percentile above this is a warning.
    pub p99_warn_ms: u32,
    /// A 99th percentile above this refuses.
    pub p99_error_ms: u32,
    /// The smallest packet size that will do.
    pub min_mtu: u32,
    /// Whether the paths should carry packets of the same size.
    pub same_mtu: bool,
}

/// The largest packet on the way to a member.
struct Path {
    name: String,
    id: String,
    mtu: u32,
}

impl Default for PeerNetwork {
    fn default() -> Self {
        Self {
            connections: 10,
            median_warn_ms: 50,
            median_error_ms: 100,
            p99_warn_ms: 100,
            p99_error_ms: 500,
            min_mtu: 1280,
            same_mtu: true,
        }
    }
}

impl Plugin for PeerNetwork {
    fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if !(1..=100).contains(&self.connections) {
            problems.push(Problem::new("connections", format!("{} is not in 1 to 100", self.connections)));
        }
        if self.median_error_ms < self.median_warn_ms {
            let text = format!("{} is below medianWarnMs ({})", self.median_error_ms, self.median_warn_ms);
            problems.push(Problem::new("medianErrorMs", text));
        }
        if self.p99_error_ms < self.p99_warn_ms {
            let text = format!("{} is below p99WarnMs ({})", self.p99_error_ms, self.p99_warn_ms);
            problems.push(Problem::new("p99ErrorMs", text));
        }
        problems
    }
}

impl HealthCheck for PeerNetwork {
    fn check(&self, cluster: &Cluster, newcomer: &Newcomer) -> Result<Vec<Finding>> {
        let (mut findings, mut paths) = (Vec::new(), Vec::new());
        let own = newcomer.peer_urls();
        for member in cluster.members() {
            let urls = member.peer_urls();
            // A join that is resumed finds its own member in the list.
            if !urls.iter().any(|url| own.contains(url)) {
                self.member(&member, &urls, &mut findings, &mut paths)?;
            }
        }
        findings.extend(self.difference(&paths));
        Ok(findings)
    }
}

impl PeerNetwork {
    fn member(&self, member: &Member, urls: &[String], findings: &mut Vec<Finding>, paths: &mut Vec<Path>) -> Result<()> {
        let name = member.display_name();
        let mut failed = Vec::new();
        for url in urls {
            match probes::connect(url, self.connections) {
                Ok(latency) => {
                    log::debug(format!("{name} at {url}: {}", told(latency)));
                    findings.extend(self.speed(&name, url, latency).map(|found| found.about(member)));
                    findings.extend(self.size(member, &name, url, paths)?);
                }
                Err(failure) => failed.push(format!("{url}: {}", expected(failure)?.message)),
            }
        }
        if failed.is_empty() {
            return Ok(());
        }
        let text = format!("{name} cannot be reached by its peer URL {}", failed.join(", "));
        // One way is enough for etcd, and who is down already says nothing about the network.
        let severity = match failed.len() == urls.len() && member.is_reachable() {
            true => Severity::Error,
            false => Severity::Warning,
        };
        findings.push(Finding::new(severity, "peer-unreachable", text).remedy(REMEDY).about(member));
        Ok(())
    }

    /// Whether connecting is fast enough.
    fn speed(&self, name: &str, url: &str, latency: Latency) -> Option<Finding> {
        let above = |us: u32, ms: u32| u64::from(us) > u64::from(ms) * 1000;
        let Latency { median_us, p99_us, .. } = latency;
        let (severity, bound) = if above(median_us, self.median_error_ms) {
            (Severity::Error, format!("median above {} ms", self.median_error_ms))
        } else if above(p99_us, self.p99_error_ms) {
            (Severity::Error, format!("p99 above {} ms", self.p99_error_ms))
        } else if above(median_us, self.median_warn_ms) {
            (Severity::Warning, format!("median above {} ms", self.median_warn_ms))
        } else if above(p99_us, self.p99_warn_ms) {
            (Severity::Warning, format!("p99 above {} ms", self.p99_warn_ms))
        } else {
            return None;
        };
        let text = format!("connecting to {name} ({url}) is slow, {bound}: {}", told(latency));
        Some(Finding::new(severity, "peer-slow", text).remedy(REMEDY))
    }

    /// Notes the packet size of a path; a finding where it is too small or unknown.
    fn size(&self, member: &Member, name: &str, url: &str, paths: &mut Vec<Path>) -> Result<Option<Finding>> {
        let mtu = match probes::path_mtu(url) {
            Ok(mtu) => mtu,
            Err(failure) => {
                let text =
                    format!("the packet size on the way to {name} ({url}) is unknown: {}", expected(failure)?.message);
                return Ok(Some(Finding::info("mtu-unknown", text).about(member)));
            }
        };
        paths.push(Path { name: name.to_owned(), id: member.id(), mtu });
        let text = || format!("the way to {name} ({url}) carries packets of {mtu} bytes, below {}", self.min_mtu);
        Ok((mtu < self.min_mtu).then(|| Finding::error("mtu-too-small", text()).remedy(REMEDY).about(member)))
    }

    /// One finding for the smallest and the largest.
    fn difference(&self, paths: &[Path]) -> Option<Finding> {
        let small = paths.iter().min_by_key(|path| path.mtu)?;
        let large = paths.iter().max_by_key(|path| path.mtu)?;
        if !self.same_mtu || small.mtu == large.mtu {
            return None;
        }
        let text = format!(
            "the way to {} carries packets of {} bytes, that to {} of {}",
            small.name, small.mtu, large.name, large.mtu
        );
        let remedy = "give the members' networks the same MTU, or set `sameMtu: false` where it is meant to differ";
        Some(Finding { member: Some(small.id.clone()), ..Finding::warning("mtu-differs", text).remedy(remedy) })
    }
}

/// Trouble on the way is what is looked for; a question that may not be asked is not.
fn expected(failure: Failure) -> Result<Failure> {
    match failure.kind {
        FailureKind::Denied => Err(failure.into()),
        _ => Ok(failure),
    }
}

fn told(latency: Latency) -> String {
    let ms = |us: u32| format!("{}.{} ms", us / 1000, us % 1000 / 100);
    let Latency { median_us, p99_us, .. } = latency;
    format!("median {}, p99 {}", ms(median_us), ms(p99_us))
}

runner_plugin::export!(PeerNetwork: HealthCheck);

#[cfg(test)]
mod tests {
    use runner_plugin::fake;
    use runner_plugin::settings::{plugin, problems};

    use super::*;

    const A: &str = "https://a:2380";
    const B: &str = "https://b:2380";

    fn try_check(settings: &str, members: [fake::Member; 2]) -> Result<Vec<Finding>> {
        let cluster = members.into_iter().fold(fake::Cluster::new(), fake::Cluster::member).build();
        plugin::<PeerNetwork>(settings).unwrap().check(&cluster, &fake::Newcomer::new("cp-4").build())
    }

    fn check(settings: &str) -> Vec<Finding> {
        try_check(settings, [fake::Member::voter("a"), fake::Member::voter("b")]).unwrap()
    }

    fn path(url: &str, times_ms: [u32; 4], mtu: u32) {
        fake::probes::connect(url, Ok(Latency::of_us(times_ms.map(|ms| ms * 1000))));
        fake::probes::path_mtu(url, Ok(mtu));
    }

    fn refused() -> Failure {
        Failure::new(FailureKind::Unavailable, "connection refused")
    }

    #[test]
    fn a_good_network_has_no_findings() {
        path(A, [1, 1, 1, 9], 1500);
        path(B, [2, 2, 2, 90], 1500);
        assert_eq!(check("{}"), []);
    }

    #[test]
    fn slow_ways_are_told_with_their_bound() {
        path(A, [60, 60, 60, 90], 1500);
        path(B, [1, 1, 1, 501], 1500);
        let found = check("{}");
        let said: Vec<_> = found.iter().map(|f| (f.severity, f.code.as_str(), f.message.as_str())).collect();
        let a = "connecting to a (https://a:2380) is slow, median above 50 ms: median 60.0 ms, p99 90.0 ms";
        let b = "connecting to b (https://b:2380) is slow, p99 above 500 ms: median 1.0 ms, p99 501.0 ms";
        assert_eq!(said, [(Severity::Warning, "peer-slow", a), (Severity::Error, "peer-slow", b)]);
        assert_eq!(check(r#"{"medianWarnMs": 60, "p99WarnMs": 501, "p99ErrorMs": 501}"#), []);
        assert_eq!(check(r#"{"medianWarnMs": 1, "medianErrorMs": 59, "p99ErrorMs": 501}"#)[0].severity, Severity::Error);
    }

    #[test]
    fn a_member_that_cannot_be_reached_refuses_unless_it_is_down() {
        path(B, [1; 4], 1500);
        fake::probes::connect(A, Err(refused()));
        let found = check("{}").remove(0);
        assert_eq!((found.severity, found.code.as_str()), (Severity::Error, "peer-unreachable"));
        assert_eq!(found.message, "a cannot be reached by its peer URL https://a:2380: connection refused");
        let down = try_check("{}", [fake::Member::voter("a").unreachable(), fake::Member::voter("b")]).unwrap();
        assert_eq!(down[0].severity, Severity::Warning);
    }

    #[test]
    fn one_of_two_ways_is_enough() {
        path(B, [1; 4], 1500);
        path(A, [1; 4], 1500);
        fake::probes::connect("https://a2:2380", Err(refused()));
        let two = fake::Member { peer_urls: vec![A.to_owned(), "https://a2:2380".to_owned()], ..fake::Member::voter("a") };
        let found = try_check("{}", [two, fake::Member::voter("b")]).unwrap();
        assert_eq!((found.len(), found[0].severity), (1, Severity::Warning));
    }

    #[test]
    fn packet_sizes_are_compared() {
        path(A, [1; 4], 1450);
        path(B, [1; 4], 9000);
        let found = check("{}");
        assert_eq!((found.len(), found[0].severity, found[0].code.as_str()), (1, Severity::Warning, "mtu-differs"));
        assert_eq!(found[0].message, "the way to a carries packets of 1450 bytes, that to b of 9000");
        assert_eq!(check(r#"{"sameMtu": false}"#), []);
        let small = check(r#"{"sameMtu": false, "minMtu": 1500}"#).remove(0);
        assert_eq!((small.severity, small.code.as_str()), (Severity::Error, "mtu-too-small"));
        assert_eq!(small.message, "the way to a (https://a:2380) carries packets of 1450 bytes, below 1500");
    }

    #[test]
    fn an_unknown_packet_size_is_no_reason_to_refuse() {
        path(B, [1; 4], 1500);
        fake::probes::connect(A, Ok(Latency::of_us([1])));
        fake::probes::path_mtu(A, Err(Failure::new(FailureKind::Failed, "no route")));
        let found = check("{}").remove(0);
        assert_eq!((found.severity, found.code.as_str()), (Severity::Info, "mtu-unknown"));
    }

    #[test]
    fn its_own_member_is_left_out_and_a_missing_grant_is_an_error() {
        path(A, [1; 4], 1500);
        let own = fake::Member::learner("cp-4");
        assert_eq!(try_check("{}", [fake::Member::voter("a"), own]).unwrap(), []);
        let error = try_check("{}", [fake::Member::voter("a"), fake::Member::voter("c")]).unwrap_err();
        assert!(error.to_string().starts_with("denied: "), "{error}");
    }

    #[test]
    fn bad_settings_are_refused_by_path() {
        assert_eq!(problems::<PeerNetwork>("{}"), []);
        let paths = |json| problems::<PeerNetwork>(json).into_iter().map(|p| p.path).collect::<Vec<_>>();
        assert_eq!(paths(r#"{"mtu": 1500}"#), ["mtu"]);
        assert_eq!(paths(r#"{"sameMtu": "no"}"#), ["sameMtu"]);
        let all = r#"{"connections": 101, "medianErrorMs": 49, "p99WarnMs": 501}"#;
        assert_eq!(paths(all), ["connections", "medianErrorMs", "p99ErrorMs"]);
    }
}
