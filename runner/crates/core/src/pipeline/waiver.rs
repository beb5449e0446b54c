//! Findings that a person has decided to live with: each with a reason, reported all the same, and never refusing the join.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Finding;
use crate::cluster::MemberList;
use crate::event::EventKind;
use crate::terms::Severity;

/// A finding that does not refuse the join.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiver {
    /// The finding's code.
    pub code: String,
    /// The member that it must be about, by id or name; none for any finding of this code.
    pub member: Option<String>,
    /// The moment from which it does not count; none for never.
    pub until: Option<Timestamp>,
    /// Why, for whoever reads the report.
    pub reason: String,
}

impl Waiver {
    /// Whether it is about this finding, in time or not.
    pub(super) fn covers(&self, finding: &Finding, list: &MemberList) -> bool {
        let about = |wanted: &String| {
            finding.member.as_ref().is_some_and(|member| {
                let named = list.members.iter().find(|m| m.id.to_string() == *member).map(|m| m.name.as_str());
                member == wanted || named == Some(wanted.as_str())
            })
        };
        self.code == finding.code && self.member.as_ref().is_none_or(about)
    }

    /// Whether its time is over.
    pub(super) fn expired(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| now >= until)
    }

    /// What is said of one whose time is over: a warning where a finding stands that it no longer covers.
    pub(super) fn expiry(&self, plugin: &str, needed: bool) -> EventKind {
        let until = self.until.map(|until| until.to_string()).unwrap_or_default();
        EventKind::Finding {
            source: "runner".to_owned(),
            severity: if needed { Severity::Warning } else { Severity::Info },
            code: "waiver-expired".to_owned(),
            message: format!(
                "the waiver of {plugin}'s {} ended {until} and does not count any more (it said: {})",
                self.code, self.reason
            ),
            remedy: Some(
                "set right what it is about, or give it another date; a waiver that is not needed can go".to_owned(),
            ),
            member: self.member.clone(),
            waived: None,
            monitored: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Member, MemberId};
    use crate::pipeline::Severity;

    fn waiver(member: Option<&str>) -> Waiver {
        Waiver { code: "old".into(), member: member.map(str::to_owned), until: None, reason: "r".into() }
    }

    fn finding(code: &str, member: Option<&str>) -> Finding {
        let member = member.map(str::to_owned);
        Finding { severity: Severity::Error, code: code.into(), message: "m".into(), remedy: None, member }
    }

    #[test]
    fn it_covers_its_code_and_its_member_only() {
        let member = Member {
            id: MemberId(0xa1),
            name: "cp-1".into(),
            peer_urls: Vec::new(),
            client_urls: Vec::new(),
            learner: false,
        };
        let list = MemberList { cluster_id: 1, members: vec![member] };
        assert!(waiver(None).covers(&finding("old", Some("a1")), &list));
        assert!(!waiver(None).covers(&finding("older", Some("a1")), &list));
        assert!(waiver(Some("a1")).covers(&finding("old", Some("a1")), &list));
        assert!(waiver(Some("cp-1")).covers(&finding("old", Some("a1")), &list));
        assert!(!waiver(Some("cp-2")).covers(&finding("old", Some("a1")), &list));
        assert!(!waiver(Some("cp-1")).covers(&finding("old", None), &list), "a finding about nobody is not about cp-1");
    }

    #[test]
    fn it_ends_in_its_moment() {
        let until: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let waiver = Waiver { until: Some(until), ..waiver(None) };
        assert!(!waiver.expired(until - jiff::SignedDuration::from_millis(1)));
        assert!(waiver.expired(until));
    }
}
