//! What may be measured, and where.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::paths::{covering, granted};
use super::target::Target;
use crate::grants::{Ask, Refused};

/// Allows measurements.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ProbesGrant {
    /// Directories in which (and below which) writes may be timed, by their absolute paths. A link below one leads no further than
    /// that directory.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "granted")]
    pub fsync: Vec<PathBuf>,
    /// Paths whose file system's space may be read, and what is below them.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "granted")]
    pub disk_space: Vec<PathBuf>,
    /// This node's main memory.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub memory: bool,
    /// Connections to, clocks of and certificates of every member's peer and client URLs.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub members: bool,
    /// The same for further targets: `host:port`, each just as plugins name it.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "targets")]
    pub targets: Vec<String>,
    /// PEM files whose certificates may be looked at, or directories of them. Nothing else in them is ever shown: no key.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "granted")]
    pub certificates: Vec<PathBuf>,
}

/// An operator's targets, refused where they could never name anything.
fn targets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let targets = Vec::<String>::deserialize(deserializer)?;
    match targets.iter().find(|target| Target::parse(&format!("http://{target}")).is_err()) {
        Some(bad) => Err(serde::de::Error::custom(format!("{bad:?} is not a target; write it like \"10.0.0.1:2379\""))),
        None => Ok(targets),
    }
}

/// How many writes may be timed at once: what a disk that is far too slow for etcd (10 ms each) does in the time of one call.
const MOST_WRITES: u32 = 1000;

/// How many connections may be timed at once.
const MOST_CONNECTIONS: u32 = 100;

pub(super) fn permit(grant: Option<&ProbesGrant>, ask: &Ask) -> Result<(), Refused> {
    let grant = grant.ok_or_else(|| Refused::denied("measurements were not granted"))?;
    match ask {
        Ask::Fsync { directory, writes } => {
            counted("writes", *writes, MOST_WRITES)?;
            grant.for_fsync(directory).map(drop)
        }
        Ask::DiskSpace { path } => grant.for_disk_space(path).map(drop),
        Ask::Memory if grant.memory => Ok(()),
        Ask::Memory => Err(Refused::denied("the memory's size was not granted")),
        Ask::Connect { url, times } => {
            counted("connections", *times, MOST_CONNECTIONS)?;
            grant.permit_target(&Target::parse(url)?, None)
        }
        Ask::PathMtu { url } | Ask::ClockOffset { url } | Ask::CertificatesOf { url } => {
            grant.permit_target(&Target::parse(url)?, None)
        }
        Ask::Certificates { path } => grant.for_certificates(path).map(drop),
        _ => Err(Refused::denied("this is no measurement")),
    }
}

fn counted(what: &str, number: u32, most: u32) -> Result<(), Refused> {
    match number {
        0 => Err(Refused::invalid(format!("0 {what} measure nothing; ask for 1 to {most}"))),
        n if n > most => Err(Refused::invalid(format!("{n} {what} are too many; ask for 1 to {most}"))),
        _ => Ok(()),
    }
}

impl ProbesGrant {
    /// The granted directory in or below which this one's writes may be timed.
    pub(crate) fn for_fsync(&self, directory: &str) -> Result<&Path, Refused> {
        covering(&self.fsync, directory, "fsync")
    }

    /// The granted path at or below which this one's space may be read.
    pub(crate) fn for_disk_space(&self, path: &str) -> Result<&Path, Refused> {
        covering(&self.disk_space, path, "diskSpace")
    }

    /// The granted file or directory at or below which this file's certificates may be looked at.
    pub(crate) fn for_certificates(&self, path: &str) -> Result<&Path, Refused> {
        covering(&self.certificates, path, "certificates")
    }

    /// Whether this target is granted by name.
    pub(crate) fn names(&self, target: &Target) -> bool {
        self.targets.iter().any(|granted| target.is_named_by(granted))
    }

    /// Says whether this target may be measured. `members` are the members' URLs; whoever does not know them yet gives none, and
    /// asks again when it does.
    pub(crate) fn permit_target(&self, target: &Target, members: Option<&[String]>) -> Result<(), Refused> {
        let at_member = |urls: &[String]| urls.iter().filter_map(|u| Target::parse(u).ok()).any(|m| m.is_at(target));
        if self.names(target) || self.members && members.is_none_or(at_member) {
            return Ok(());
        }
        let but = if self.members { " and belongs to no member" } else { "" };
        Err(Refused::denied(format!("{target} is not among the granted targets{but}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(grant: &ProbesGrant, ask: &Ask) -> String {
        permit(Some(grant), ask).map_or_else(|refused| refused.kind, |()| "granted".into())
    }

    fn everything() -> ProbesGrant {
        ProbesGrant {
            fsync: vec!["/var/lib/etcd".into()],
            disk_space: vec!["/var".into()],
            memory: true,
            members: false,
            targets: vec!["cp-1:2379".into(), "[fd00::1]:2380".into()],
            certificates: vec!["/etc/kubernetes/pki".into()],
        }
    }

    fn questions() -> Vec<Ask> {
        let url = || "https://cp-1:2379".to_owned();
        vec![
            Ask::Fsync { directory: "/var/lib/etcd".into(), writes: 10 },
            Ask::DiskSpace { path: "/var/log".into() },
            Ask::Memory,
            Ask::Connect { url: url(), times: 3 },
            Ask::PathMtu { url: url() },
            Ask::ClockOffset { url: url() },
            Ask::CertificatesOf { url: url() },
            Ask::Certificates { path: "/etc/kubernetes/pki/etcd/ca.crt".into() },
        ]
    }

    #[test]
    fn each_measurement_is_granted_by_its_own_key_and_by_no_other() {
        for ask in questions() {
            assert_eq!(kind(&everything(), &ask), "granted", "{ask:?}");
            assert_eq!(kind(&ProbesGrant::default(), &ask), "denied", "{ask:?}");
            assert_eq!(permit(None, &ask).unwrap_err().kind, "denied", "{ask:?}");
        }
        let fsync = ProbesGrant { fsync: everything().fsync, ..ProbesGrant::default() };
        let granted: Vec<bool> = questions().iter().map(|ask| kind(&fsync, ask) == "granted").collect();
        assert_eq!(granted, [true, false, false, false, false, false, false, false]);
    }

    #[test]
    fn numbers_out_of_range_are_invalid() {
        for writes in [0, 1001, u32::MAX] {
            assert_eq!(kind(&everything(), &Ask::Fsync { directory: "/var/lib/etcd".into(), writes }), "invalid");
        }
        for times in [0, 101, u32::MAX] {
            assert_eq!(kind(&everything(), &Ask::Connect { url: "https://cp-1:2379".into(), times }), "invalid");
        }
    }

    #[test]
    fn a_target_is_granted_whole_or_not_at_all() {
        let ask = |url: &str| kind(&everything(), &Ask::PathMtu { url: url.into() });
        assert_eq!(ask("http://cp-1:2379"), "granted");
        assert_eq!(ask("https://[fd00:0:0::1]:2380"), "granted");
        for url in ["https://cp-1:23790", "https://cp-1:2380", "https://cp-11:2379", "https://cp-1.evil.example:2379"] {
            assert_eq!(ask(url), "denied", "{url}");
        }
        assert_eq!(ask("https://cp-1:2379@evil.example:443"), "invalid");
    }

    #[test]
    fn a_grant_that_could_never_be_used_is_refused_when_it_is_read() {
        let read = |json: &str| serde_json::from_str::<ProbesGrant>(json).map_err(|e| e.to_string());
        let good = r#"{"fsync":["/var/lib/etcd"],"certificates":["pki"],"targets":["cp-1:2379","[fd00::1]:2380"]}"#;
        assert!(read(good).is_ok());
        for (json, why) in [
            (r#"{"fsync":["/var/../etc"]}"#, "goes through `..`"),
            (r#"{"diskSpace":[""]}"#, "an empty path"),
            (r#"{"certificates":["../pki"]}"#, "goes through `..`"),
            (r#"{"targets":["cp-1"]}"#, "\"cp-1\" is not a target"),
            (r#"{"targets":["https://cp-1:2379"]}"#, "is not a target"),
            (r#"{"targets":["*:2379/"]}"#, "is not a target"),
        ] {
            let error = read(json).expect_err(json);
            assert!(error.contains(why), "{json}: {error}");
        }
    }

    #[test]
    fn members_are_granted_once_they_are_known() {
        let grant = ProbesGrant { members: true, ..ProbesGrant::default() };
        let urls = ["https://10.0.0.1:2380".to_owned(), "not a URL".to_owned()];
        let member = Target::parse("https://10.0.0.1:2380").unwrap();
        let other = Target::parse("https://10.0.0.1:23800").unwrap();
        assert!(grant.permit_target(&other, None).is_ok());
        assert!(grant.permit_target(&member, Some(&urls)).is_ok());
        let refused = grant.permit_target(&other, Some(&urls)).unwrap_err();
        assert_eq!(refused.message, "10.0.0.1:23800 is not among the granted targets and belongs to no member");
    }
}
