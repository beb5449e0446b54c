//! Whose is the member that is in the list already, and whose is the data on the disk? The truth table of what a join may take
//! over, and where it must stop.
//!
//! kubeadm adopts any member with the same peer URL: a rerun after the data directory was wiped then starts a known member, even a
//! voter, without its log, which breaks what raft relies on (etcd panics with `tocommit(N) is out of range`, or worse).

use super::DataDir;
use crate::cluster::remedy::{Only, Remedy};
use crate::cluster::{Member, MemberId, MemberList};

/// What the member list and the data directory together allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is there: add a member and start it with an empty directory.
    Fresh,
    /// A learner was added for these peer URLs and has never started: start it.
    Adopt(MemberId),
    /// The learner has started from this directory: go on with it.
    Resume(MemberId),
    /// It is a voter with its data in place: nothing to add, only to start and to verify.
    Voter(MemberId),
    /// The join must not go on.
    Stop(Stop),
}

impl Standing {
    /// The member that is this node's, where one is.
    pub fn member(&self) -> Option<MemberId> {
        match self {
            Self::Adopt(id) | Self::Resume(id) | Self::Voter(id) => Some(*id),
            Self::Fresh | Self::Stop(_) => None,
        }
    }
}

/// Why a join must not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// A stable identifier for findings.
    pub code: &'static str,
    /// One sentence.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

/// Looks up where this node stands.
///
/// `dir` is none or unknown where the launcher does not see the directory: then it is taken for empty before the member has
/// started and for the member's own afterwards.
pub fn standing(list: &MemberList, peer_urls: &[String], dir: Option<&DataDir>, path: &str) -> Standing {
    let member = match list.by_peer_urls(peer_urls) {
        Some(member) => member,
        None => match list.using_peer_url(peer_urls) {
            Some(other) => return Standing::Stop(stop_url_taken(other)),
            None => return without_member(list, dir, path),
        },
    };
    let holds = match dir {
        None | Some(DataDir::Unknown) if member.started() => Holds::Its,
        None | Some(DataDir::Absent | DataDir::Empty | DataDir::Unknown) => Holds::Nothing,
        Some(DataDir::Member { cluster_id, member_id }) if *cluster_id == list.cluster_id && *member_id == member.id => {
            Holds::Its
        }
        Some(DataDir::Member { .. } | DataDir::Foreign { .. }) => Holds::Other,
    };
    match (member.learner, member.started(), holds) {
        (true, false, Holds::Nothing) => Standing::Adopt(member.id),
        // Not yet listed by name, but its data is here: it was started and has not published itself.
        (true, _, Holds::Its) => Standing::Resume(member.id),
        (true, true, Holds::Nothing) => Standing::Stop(stop_without_log(member, path, "learner")),
        (true, _, Holds::Other) => Standing::Stop(stop_other_data(list, path, dir)),
        (false, _, Holds::Its) => Standing::Voter(member.id),
        (false, false, Holds::Nothing) => Standing::Stop(stop_unstarted_voter(member)),
        (false, _, Holds::Nothing | Holds::Other) => Standing::Stop(stop_without_log(member, path, "voter")),
    }
}

enum Holds {
    Nothing,
    Its,
    Other,
}

fn without_member(list: &MemberList, dir: Option<&DataDir>, path: &str) -> Standing {
    match dir {
        None | Some(DataDir::Absent | DataDir::Empty | DataDir::Unknown) => Standing::Fresh,
        Some(dir) if listed(list, dir).is_some() => Standing::Stop(stop_other_data(list, path, Some(dir))),
        Some(DataDir::Member { cluster_id, member_id }) if *cluster_id == list.cluster_id => Standing::Stop(Stop {
            code: "data-of-removed-member",
            message: format!("{path} holds the data of member {member_id}, which is no longer in the cluster"),
            remedy: format!(
                "{} and run the join again: a removed member's data can never be used again",
                Remedy::move_aside(path, Only::NotInUse)
            ),
        }),
        Some(dir) => Standing::Stop(stop_other_data(list, path, Some(dir))),
    }
}

/// The member of this cluster whose data it is, where that is in the list.
fn listed<'a>(list: &'a MemberList, dir: &DataDir) -> Option<&'a Member> {
    match dir {
        DataDir::Member { cluster_id, member_id } if *cluster_id == list.cluster_id => list.get(*member_id),
        _ => None,
    }
}

fn stop_url_taken(other: &Member) -> Stop {
    Stop {
        code: "peer-url-taken",
        message: format!(
            "member {} ({}) uses one of the peer URLs already: {}",
            other.label(),
            other.id,
            other.peer_urls.join(", ")
        ),
        remedy: format!("give this node's own address; {}", Remedy::remove(other.id, Only::GoneForGood)),
    }
}

fn stop_without_log(member: &Member, path: &str, role: &str) -> Stop {
    Stop {
        code: "member-without-its-data",
        message: format!(
            "{} ({}) is a {role} with these peer URLs, but {path} does not hold its data",
            member.label(),
            member.id
        ),
        remedy: format!(
            "if it runs from another directory, give that as --data-dir; {}, wait for 5 s and run the join again; a member must never start \
             again without its log",
            Remedy::remove(member.id, Only::GoneForGood)
        ),
    }
}

fn stop_unstarted_voter(member: &Member) -> Stop {
    Stop {
        code: "voter-not-started",
        message: format!("{} was added for these peer URLs as a voter and has not started", member.id),
        remedy: format!(
            "it counts for the quorum without being there; {}, and run the join again",
            Remedy::remove(member.id, Only::NotStarted)
        ),
    }
}

fn stop_other_data(list: &MemberList, path: &str, dir: Option<&DataDir>) -> Stop {
    if let Some(member) = dir.and_then(|dir| listed(list, dir)) {
        let role = if member.learner { "learner" } else { "voter" };
        return Stop {
            code: "member-at-other-url",
            message: format!(
                "{path} holds the data of {} ({}), a {role} of this cluster at {}",
                member.label(),
                member.id,
                member.peer_urls.join(", ")
            ),
            remedy: "it is needed there: where this is that member's node, give its URL as --peer-url; where the node's address has changed, \
                     that is told to the cluster first (`etcdctl member update`, for a voter only)"
                .to_owned(),
        };
    }
    let what = match dir {
        Some(DataDir::Member { cluster_id, member_id }) => {
            format!("the data of member {member_id} of cluster {cluster_id:x}")
        }
        Some(DataDir::Foreign { what }) => what.clone(),
        _ => "something else".to_owned(),
    };
    Stop {
        code: "data-dir-not-ours",
        message: format!("{path} holds {what}, not this member's"),
        remedy: format!("give another --data-dir; or, {}", Remedy::move_aside(path, Only::NotInUse)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: MemberId = MemberId(0xa);

    fn urls() -> Vec<String> {
        vec!["https://10.0.0.9:2380".to_owned()]
    }

    fn list(member: Option<(&str, bool)>) -> MemberList {
        let members = member.map(|(name, learner)| Member {
            id: ID,
            name: name.to_owned(),
            peer_urls: urls(),
            client_urls: Vec::new(),
            learner,
        });
        MemberList { cluster_id: 7, members: members.into_iter().collect() }
    }

    fn code(member: Option<(&str, bool)>, dir: &DataDir) -> String {
        match standing(&list(member), &urls(), Some(dir), "/d") {
            Standing::Stop(stop) => stop.code.to_owned(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn the_truth_table() {
        let its = DataDir::Member { cluster_id: 7, member_id: ID };
        let removed = DataDir::Member { cluster_id: 7, member_id: MemberId(0xb) };
        let foreign = DataDir::Member { cluster_id: 8, member_id: ID };
        let rows = [
            (None, DataDir::Absent, "Fresh"),
            (None, DataDir::Empty, "Fresh"),
            (None, removed.clone(), "data-of-removed-member"),
            (None, foreign.clone(), "data-dir-not-ours"),
            (Some(("", true)), DataDir::Empty, "Adopt(a)"),
            (Some(("", true)), its.clone(), "Resume(a)"),
            (Some(("", true)), foreign.clone(), "data-dir-not-ours"),
            (Some(("n", true)), its.clone(), "Resume(a)"),
            (Some(("n", true)), DataDir::Absent, "member-without-its-data"),
            (Some(("n", true)), removed.clone(), "data-dir-not-ours"),
            (Some(("n", false)), its, "Voter(a)"),
            (Some(("n", false)), DataDir::Empty, "member-without-its-data"),
            (Some(("n", false)), removed, "member-without-its-data"),
            (Some(("", false)), DataDir::Empty, "voter-not-started"),
        ];
        for (member, dir, expected) in rows {
            assert_eq!(code(member, &dir), expected, "{member:?} with {dir:?}");
        }
    }

    #[test]
    fn the_data_of_a_listed_member_is_never_to_be_moved() {
        // The node's address has changed: its member is in the list, at the old one.
        let its = DataDir::Member { cluster_id: 7, member_id: ID };
        let new = vec!["https://10.0.0.99:2380".to_owned()];
        for learner in [true, false] {
            let list = list(Some(("n", learner)));
            let Standing::Stop(stop) = standing(&list, &new, Some(&its), "/d") else { panic!("must stop") };
            assert_eq!(stop.code, "member-at-other-url");
            assert!(!stop.remedy.contains("aside"), "{}", stop.remedy);
        }
    }

    #[test]
    fn a_url_of_somebody_else_stops() {
        let mut list = list(Some(("other", false)));
        list.members[0].peer_urls.push("https://10.0.0.1:2380".to_owned());
        let Standing::Stop(stop) = standing(&list, &urls(), Some(&DataDir::Absent), "/d") else { panic!("must stop") };
        assert_eq!(stop.code, "peer-url-taken");
    }
}
