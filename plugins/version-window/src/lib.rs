//! Health check: every member, and the one that wants to join, runs an etcd version inside a window and close to the others.
//!
//! | setting | default | meaning |
//! | --- | --- | --- |
//! | `minimum` | `3.4.0` | the lowest version allowed (3.4 is the first etcd that knows learners) |
//! | `maximum` | none | the highest version allowed; `3.6` allows every 3.6.x |
//! | `maxMinorSkew` | 1 | how many minor versions the oldest and the newest may be apart; etcd supports one |
//!
//! A version outside the window, or too far from the others, refuses the join. A version that cannot be known (the member does
//! not answer, nobody has said what the newcomer will run) is a warning: this check cannot tell, and whether the cluster can
//! bear an absent member is for runner's own checks to say.

use runner_plugin::prelude::*;
use serde::Deserialize;

pub use version::Version;

mod version;

/// The check and its settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct VersionWindow {
    /// The lowest version allowed.
    pub minimum: Version,
    /// The highest version allowed.
    pub maximum: Option<Version>,
    /// How many minor versions the oldest and the newest may be apart.
    pub max_minor_skew: u32,
}

/// Somebody who runs, or will run, a version that is known.
struct Known {
    name: String,
    version: Version,
    /// The member's id; none for the newcomer.
    member: Option<String>,
}

impl Default for VersionWindow {
    fn default() -> Self {
        Self { minimum: Version { major: 3, minor: 4, patch: Some(0) }, maximum: None, max_minor_skew: 1 }
    }
}

impl Plugin for VersionWindow {
    fn validate(&self) -> Vec<Problem> {
        match self.maximum {
            Some(maximum) if maximum.highest() < self.minimum.lowest() => {
                vec![Problem::new("maximum", format!("{maximum} is below the minimum, {}", self.minimum))]
            }
            _ => Vec::new(),
        }
    }
}

impl HealthCheck for VersionWindow {
    fn check(&self, cluster: &Cluster, newcomer: &Newcomer) -> Result<Vec<Finding>> {
        let (mut known, mut findings) = (Vec::new(), Vec::new());
        for member in cluster.members() {
            match version_of(&member) {
                Ok(version) => known.push(Known { name: member.display_name(), version, member: Some(member.id()) }),
                Err(finding) => findings.push(finding),
            }
        }
        match newcomer.version().map(|text| text.parse()) {
            Some(Ok(version)) => known.push(Known { name: newcomer.name(), version, member: None }),
            Some(Err(text)) => findings.push(unknown(&newcomer.name(), text)),
            None => findings.push(unknown(&newcomer.name(), "nobody has said which version it will run".to_owned())),
        }

        findings.extend(known.iter().filter_map(|who| self.outside(who)));
        findings.extend(self.skew(&known));
        log::debug(format!("{} versions known, {} findings", known.len(), findings.len()));
        Ok(findings)
    }
}

impl VersionWindow {
    fn outside(&self, who: &Known) -> Option<Finding> {
        let Known { name, version, member } = who;
        let runs = if member.is_some() { "runs" } else { "is to run" };
        let (code, message, remedy) = if version.highest() < self.minimum.lowest() {
            let text = format!("{name} {runs} etcd {version}, below the minimum {}", self.minimum);
            ("version-too-old", text, format!("upgrade {name} to {} or later first", self.minimum))
        } else if let Some(maximum) = self.maximum.filter(|maximum| version.lowest() > maximum.highest()) {
            let text = format!("{name} {runs} etcd {version}, above the maximum {maximum}");
            ("version-too-new", text, format!("give {name} etcd {maximum}, or raise `maximum`"))
        } else {
            return None;
        };
        Some(Finding { member: member.clone(), ..Finding::error(code, message).remedy(remedy) })
    }

    /// One finding for the two that are furthest apart.
    fn skew(&self, known: &[Known]) -> Option<Finding> {
        let oldest = known.iter().min_by_key(|who| who.version.lowest())?;
        let newest = known.iter().max_by_key(|who| who.version.lowest())?;
        let (old, new) = (oldest.version, newest.version);
        if old.major == new.major && new.minor - old.minor <= self.max_minor_skew {
            return None;
        }
        let apart = if old.major != new.major {
            "different major versions".to_owned()
        } else {
            format!("{} minor versions apart, allowed {}", new.minor - old.minor, self.max_minor_skew)
        };
        let text = format!("{} ({old}) and {} ({new}): {apart}", oldest.name, newest.name);
        let remedy = match (&oldest.member, &newest.member) {
            (None, _) => format!("give {} the version of the cluster", oldest.name),
            (_, None) => format!("give {} the version of the cluster, or upgrade {} first", newest.name, oldest.name),
            _ => format!("upgrade {} first", oldest.name),
        };
        Some(Finding { member: oldest.member.clone(), ..Finding::error("version-skew", text).remedy(remedy) })
    }
}

fn version_of(member: &Member) -> Result<Version, Finding> {
    let name = member.display_name();
    let (why, remedy) = match member.version().map(|text| text.parse()) {
        Some(Ok(version)) => return Ok(version),
        Some(Err(text)) => (text, format!("ask {name} for its /version")),
        None if !member.is_started() => ("it has not started".to_owned(), format!("start {name}, or remove it")),
        None => ("it does not answer".to_owned(), format!("bring {name} back before another member joins")),
    };
    Err(unknown(&name, why).remedy(remedy).about(member))
}

fn unknown(name: &str, why: String) -> Finding {
    Finding::warning("version-unknown", format!("the etcd version of {name} is unknown: {why}"))
}

runner_plugin::export!(VersionWindow: HealthCheck);

#[cfg(test)]
mod tests {
    use runner_plugin::fake;
    use runner_plugin::settings::{plugin, problems};

    use super::*;

    fn check(settings: &str, members: &[fake::Member], newcomer: fake::Newcomer) -> Vec<Finding> {
        let cluster = members.iter().cloned().fold(fake::Cluster::new(), fake::Cluster::member).build();
        plugin::<VersionWindow>(settings).unwrap().check(&cluster, &newcomer.build()).unwrap()
    }

    fn voter(name: &str, version: &str) -> fake::Member {
        fake::Member::voter(name).version(version)
    }

    #[test]
    fn a_cluster_in_the_window_has_no_findings() {
        let members = [voter("a", "3.5.16"), voter("b", "3.5.21"), voter("c", "3.6.1")];
        assert_eq!(check("{}", &members, fake::Newcomer::new("d").version("3.6.16")), []);
        assert_eq!(check(r#"{"maximum": "3.6"}"#, &members, fake::Newcomer::new("d").version("3.6.16")), []);
    }

    #[test]
    fn a_newcomer_below_the_minimum_is_refused() {
        let found = check(r#"{"minimum": "3.5.12"}"#, &[voter("a", "3.5.16")], fake::Newcomer::new("d").version("3.5.11"));
        let text = "d is to run etcd 3.5.11, below the minimum 3.5.12";
        assert_eq!(found, [Finding::error("version-too-old", text).remedy("upgrade d to 3.5.12 or later first")]);
    }

    #[test]
    fn a_member_above_the_maximum_is_named_by_its_id() {
        let (old, new) = (voter("a", "3.5.16"), voter("b", "3.6.0"));
        let id = new.id.clone();
        let found = check(r#"{"maximum": "3.5"}"#, &[old, new], fake::Newcomer::new("d"));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].code.as_str(), found[0].member.as_ref()), ("version-too-new", Some(&id)));
        assert_eq!(found[0].message, "b runs etcd 3.6.0, above the maximum 3.5");
    }

    #[test]
    fn skew_is_told_once_for_the_two_furthest_apart() {
        let members = [voter("a", "3.4.23"), voter("b", "3.5.16"), voter("c", "3.4.30")];
        let found = check("{}", &members, fake::Newcomer::new("d").version("3.6.1"));
        let text = "a (3.4.23) and d (3.6.1): 2 minor versions apart, allowed 1";
        let remedy = "give d the version of the cluster, or upgrade a first";
        let skew = Finding::error("version-skew", text).remedy(remedy);
        assert_eq!(found, [Finding { member: Some(members[0].id.clone()), ..skew }]);
        assert_eq!(check(r#"{"maxMinorSkew": 2}"#, &members, fake::Newcomer::new("d").version("3.6.1")), []);
        let found = check(r#"{"maxMinorSkew": 9}"#, &members, fake::Newcomer::new("d").version("4.0.0"));
        assert_eq!(found[0].message, "a (3.4.23) and d (4.0.0): different major versions");
        let found = check(r#"{"maxMinorSkew": 0}"#, &members[1..2], fake::Newcomer::new("d").version("3.4.1"));
        assert_eq!(found[0].remedy.as_deref(), Some("give d the version of the cluster"));
    }

    #[test]
    fn what_is_unknown_is_a_warning() {
        let members =
            [voter("a", "3.5.16"), fake::Member::voter("b").unreachable(), fake::Member::voter(""), voter("d", "dev")];
        let found = check("{}", &members, fake::Newcomer::new("e").version_unknown());
        assert!(found.iter().all(|f| f.severity == Severity::Warning && f.code == "version-unknown"), "{found:?}");
        let texts: Vec<_> = found.iter().map(|f| f.message.as_str()).collect();
        let unstarted = format!("the etcd version of {} is unknown: it has not started", members[2].id);
        assert_eq!(
            texts,
            [
                "the etcd version of b is unknown: it does not answer",
                unstarted.as_str(),
                "the etcd version of d is unknown: `dev` is not a version; write it like `3.5.16` or `3.5`",
                "the etcd version of e is unknown: nobody has said which version it will run",
            ]
        );
        assert_eq!(found[0].remedy.as_deref(), Some("bring b back before another member joins"));
        assert_eq!(found[0].member.as_ref(), Some(&members[1].id));
    }

    #[test]
    fn bad_settings_are_refused_by_path() {
        assert_eq!(problems::<VersionWindow>("{}"), []);
        assert_eq!(problems::<VersionWindow>(r#"{"minimum": "3.5", "maximum": "3.5", "maxMinorSkew": 0}"#), []);
        let only = |json| problems::<VersionWindow>(json).remove(0);
        let text = "`three` is not a version; write it like `3.5.16` or `3.5`";
        assert_eq!(only(r#"{"minimum": "three"}"#), Problem::new("minimum", text));
        assert_eq!(only(r#"{"maximum": "3.3"}"#).path, "maximum");
        assert_eq!(only(r#"{"maxMinorSkew": -1}"#).path, "maxMinorSkew");
        assert_eq!(only(r#"{"min": "3.4"}"#).path, "min");
    }
}
