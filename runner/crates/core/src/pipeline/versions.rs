//! etcd versions: which may join which, and which are known to be bad for a join.

use super::Finding;
use crate::cluster::Version;
use crate::terms::Severity;

/// A defect of released versions that a join would run into.
struct Trap {
    /// The first and the last bad patch of one minor.
    line: (u32, u32),
    patches: std::ops::RangeInclusive<u32>,
    severity: Severity,
    code: &'static str,
    what: &'static str,
    fixed: &'static str,
}

/// From etcd's changelogs and issues; each names its issue. Only what a join meets: not every defect of every version.
const TRAPS: &[Trap] = &[
    Trap {
        line: (3, 5),
        patches: 1..=19,
        severity: Severity::Warning,
        code: "promotion-not-persisted",
        what: "does not write promotions to its v3 store: after an upgrade to 3.6 a promoted voter comes back as a learner (etcd#19557)",
        fixed: "3.5.26",
    },
    Trap {
        line: (3, 5),
        patches: 20..=23,
        severity: Severity::Warning,
        code: "promotion-inherited",
        what: "can take over bad membership data with a snapshot from a member of 3.5.19 or older (etcd#20793)",
        fixed: "3.5.26",
    },
    Trap {
        line: (3, 6),
        patches: 0..=3,
        severity: Severity::Error,
        code: "promotion-replay",
        what: "fails to start when it replays a promotion (etcd#20340)",
        fixed: "3.6.4",
    },
    Trap {
        line: (3, 4),
        patches: 0..=15,
        severity: Severity::Error,
        code: "promotion-quorum",
        what: "counts the quorum wrongly when a learner is promoted (etcd#11640)",
        fixed: "3.4.16",
    },
];

/// A defect that a join does not meet, or that runner itself guards against, but that whoever keeps members and learners should know.
struct Aside {
    line: (u32, u32),
    patches: std::ops::RangeInclusive<u32>,
    what: &'static str,
    fixed: u32,
}

/// From the same sources.
const ASIDES: &[Aside] = &[
    Aside {
        line: (3, 4),
        patches: 0..=23,
        what: "promotes a learner that never started (etcd#15096; runner looks itself)",
        fixed: 24,
    },
    Aside {
        line: (3, 5),
        patches: 0..=6,
        what: "promotes a learner that never started (etcd#15096; runner looks itself)",
        fixed: 7,
    },
    Aside {
        line: (3, 5),
        patches: 24..=25,
        what: "can bring removed members back at an upgrade to 3.6 (etcd#20995)",
        fixed: 26,
    },
    Aside { line: (3, 5), patches: 0..=24, what: "keeps learners at --force-new-cluster (etcd#20896)", fixed: 25 },
    Aside { line: (3, 6), patches: 0..=5, what: "keeps learners at --force-new-cluster (etcd#20896)", fixed: 6 },
    Aside {
        line: (3, 5),
        patches: 0..=30,
        what: "makes a learner unpromotable by a member update (etcd#21694; runner never updates one)",
        fixed: 31,
    },
    Aside {
        line: (3, 6),
        patches: 0..=11,
        what: "makes a learner unpromotable by a member update (etcd#21694; runner never updates one)",
        fixed: 12,
    },
];

/// One finding for each version that has such defects, or a join of an old cluster would say more of them than of itself.
fn asides(everyone: impl Iterator<Item = Version>) -> Vec<Finding> {
    let versions: std::collections::BTreeSet<Version> = everyone.collect();
    let known = |version: Version| {
        let of: Vec<&Aside> =
            ASIDES.iter().filter(|a| a.line == version.line() && a.patches.contains(&version.patch)).collect();
        let fixed = of.iter().map(|a| a.fixed).max()?;
        let what: Vec<&str> = of.iter().map(|a| a.what).collect();
        Some(Finding {
            severity: Severity::Info,
            code: "version-defects".to_owned(),
            message: format!("etcd {version} {}", what.join(", ")),
            remedy: Some(format!("upgrade to {}.{}.{fixed} or later", version.major, version.minor)),
            member: None,
        })
    };
    versions.into_iter().filter_map(known).collect()
}

/// What is to be said of the versions of the cluster's voters and of the newcomer's, where it is known.
///
/// etcd refuses a joiner that is older than the cluster's version, which is the lowest minor of its members (`incompatible with
/// current running cluster`), and supports one minor of difference.
pub(super) fn judge(members: &[(String, Version)], newcomer: Option<Version>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let everyone = members.iter().map(|(who, v)| (who.as_str(), *v)).chain(newcomer.map(|v| ("the new member", v)));
    for trap in TRAPS {
        let bad: Vec<String> = everyone
            .clone()
            .filter(|(_, v)| v.line() == trap.line && trap.patches.contains(&v.patch))
            .map(|(who, v)| format!("{who} ({v})"))
            .collect();
        if !bad.is_empty() {
            findings.push(Finding {
                severity: trap.severity,
                code: trap.code.to_owned(),
                message: format!("the etcd version of {} {}", bad.join(", "), trap.what),
                remedy: Some(format!("upgrade to {} or later", trap.fixed)),
                member: None,
            });
        }
    }
    findings.extend(asides(everyone.map(|(_, version)| version)));
    let lowest = members.iter().map(|(_, v)| v.line()).min();
    let highest = members.iter().map(|(_, v)| v.line()).max();
    if let (Some(newcomer), Some(lowest), Some(highest)) = (newcomer, lowest, highest) {
        let (low, high) = (lowest.1, highest.1);
        let minor = newcomer.minor;
        if newcomer.major != lowest.0 || minor < low || minor > low + 1 {
            findings.push(Finding {
                severity: Severity::Error,
                code: "version-skew".to_owned(),
                message: format!(
                    "etcd {newcomer} cannot join a cluster of version {}.{low}: etcd would refuse it at start",
                    lowest.0
                ),
                remedy: Some(format!("start the new member with {}.{high}", highest.0)),
                member: None,
            });
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(members: &[&str], newcomer: &str) -> Vec<String> {
        let members: Vec<_> = members.iter().map(|v| ("m".to_owned(), Version::parse(v).unwrap())).collect();
        judge(&members, Version::parse(newcomer)).into_iter().map(|f| f.code).collect()
    }

    #[test]
    fn skew_and_traps() {
        assert_eq!(codes(&["3.5.35", "3.5.35"], "3.5.35"), [] as [&str; 0]);
        assert_eq!(codes(&["3.5.35"], "3.6.16"), [] as [&str; 0]);
        assert_eq!(codes(&["3.5.35", "3.6.16"], "3.5.35"), [] as [&str; 0]);
        assert_eq!(codes(&["3.6.16"], "3.5.35"), ["version-skew"]);
        assert_eq!(codes(&["3.4.44"], "3.6.16"), ["version-skew"]);
        assert_eq!(codes(&["3.5.16"], "3.5.35"), ["promotion-not-persisted", "version-defects"]);
        assert_eq!(codes(&["3.6.16"], "3.6.2"), ["promotion-replay", "version-defects"]);
        assert_eq!(codes(&["3.5.25"], "3.5.25"), ["version-defects"]);
    }

    #[test]
    fn what_a_join_does_not_meet_is_said_once_for_each_version() {
        let old = Version::parse("3.5.6").unwrap();
        let members: Vec<_> = ["m1", "m2"].map(|m| (m.to_owned(), old)).into();
        let said: Vec<_> = judge(&members, Some(old)).into_iter().filter(|f| f.code == "version-defects").collect();
        let [finding] = said.as_slice() else { panic!("{said:?}") };
        assert_eq!(finding.remedy.as_deref(), Some("upgrade to 3.5.31 or later"));
        for issue in ["etcd#15096", "etcd#20896", "etcd#21694"] {
            assert!(finding.message.contains(issue), "{}", finding.message);
        }
        assert!(judge(&[], Version::parse("3.7.3")).is_empty());
    }
}
