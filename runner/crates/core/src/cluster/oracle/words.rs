//! The oracle's sentences.

use super::situation::{Link, Situation};
use super::{Answer, Change, Peer};
use crate::cluster::remedy::{Only, Remedy};
use crate::cluster::{MemberId, Reason, advice, quorum};

/// The change, for a sentence such as "etcd accepts to …".
pub(super) fn change(situation: &Situation, change: &Change) -> String {
    match change {
        Change::AddLearner(urls) => format!("add a learner at {}", urls.join(", ")),
        Change::AddVoter(urls) => format!("add a voter at {}", urls.join(", ")),
        Change::Promote(id) => format!("promote {}", label(situation, *id)),
        Change::Remove(id) => format!("remove {}", label(situation, *id)),
    }
}

/// Why etcd answers so.
pub(super) fn why(situation: &Situation, change: &Change, answer: Answer) -> String {
    let voters = situation.voters().count();
    let reason = match answer {
        Answer::Accepted => return accepted(situation, change),
        Answer::Refused(reason) | Answer::Unanswered(reason) => reason,
    };
    match (reason, change) {
        (Reason::UnhealthyCluster, Change::AddLearner(_) | Change::AddVoter(_)) => {
            let rule = match situation.version() {
                Some(version) if version.counts_quorum() => {
                    format!(
                        "etcd {version} adds a member while {} of {voters} voters are connected for 5 s",
                        quorum(voters + 1)
                    )
                }
                Some(version) => format!("etcd {version} adds a member only while all voters have been connected for 5 s"),
                None => "etcd adds a member only while its voters have been connected for 5 s".to_owned(),
            };
            format!("{rule}; {}", who_is_not(situation))
        }
        (Reason::UnhealthyCluster, _) => {
            format!("the voters that stay would not be enough; {}", who_is_not(situation))
        }
        (Reason::NotEnoughStarted, Change::Remove(_)) if voters == 1 => "it is the last voter".to_owned(),
        (Reason::NotEnoughStarted, _) => {
            format!("{} of {voters} voters have started, which would not be enough", situation.started())
        }
        (Reason::TooManyLearners, _) => {
            let learners: Vec<_> = situation.members.iter().filter(|m| m.member.learner).map(named).collect();
            format!("{} is a learner, and the cluster allows {}", learners.join(", "), situation.max_learners)
        }
        (Reason::PeerUrlExists, _) => "a member with this peer URL is in the list".to_owned(),
        (Reason::LearnerNotReady, _) => "it has less than 90 % of the leader's log".to_owned(),
        (Reason::MemberNotLearner, _) => "it is a voter".to_owned(),
        (Reason::MemberNotFound, _) => "no member has this id".to_owned(),
        (Reason::BadUrls, _) => "a peer URL is http:// or https:// with a host and a port, and nothing else".to_owned(),
        (Reason::NoLeader | Reason::RequestTimedOut, _) if situation.alive() < quorum(voters) => {
            format!("{} of {voters} voters are left, {} are needed", situation.alive(), quorum(voters))
        }
        (Reason::NoLeader | Reason::RequestTimedOut, _) if situation.leader.is_none() => "nobody leads".to_owned(),
        (reason, _) => format!("the leader's refusal ({reason:?}) is hidden by the member that forwards"),
    }
}

fn accepted(situation: &Situation, change: &Change) -> String {
    let (voters, connected) = (situation.voters().count(), situation.connected());
    match change {
        Change::AddLearner(_) | Change::AddVoter(_) => format!("{connected} of {voters} voters are connected"),
        Change::Promote(id) => match situation.get(*id).map(|m| m.link) {
            Some(Link::Down) => "it had caught up when it was last heard of; etcd does not look whether it lives".to_owned(),
            _ => format!("it has caught up, and {} of {voters} voters have started", situation.started()),
        },
        Change::Remove(id) => match situation.get(*id) {
            Some(peer) if peer.member.learner => {
                "a learner has no vote, and is removed whatever else is the case".to_owned()
            }
            Some(peer) if peer.link == Link::Down => "it is down: the voters that are left stay as many".to_owned(),
            _ => format!("{connected} of {voters} voters are connected"),
        },
    }
}

/// What mends a refusal.
pub(super) fn fix(situation: &Situation, change: &Change, answer: Answer) -> Option<String> {
    let reason = match answer {
        Answer::Accepted => return None,
        Answer::Refused(reason) | Answer::Unanswered(reason) => reason,
    };
    let down: Vec<&Peer> = situation.voters().filter(|m| m.link == Link::Down).collect();
    match (reason, change) {
        (Reason::UnhealthyCluster, _) if down.is_empty() => Some("wait until they have been connected for 5 s".to_owned()),
        (Reason::UnhealthyCluster, _) => {
            let who: Vec<_> = down.iter().map(|m| m.member.label()).collect();
            let removes: Vec<_> = down.iter().map(|m| Remedy::remove(m.member.id, Only::GoneForGood).to_string()).collect();
            Some(format!("bring {} back; {}", who.join(", "), removes.join("; ")))
        }
        (Reason::TooManyLearners, _) => {
            let learner = situation.members.iter().find(|m| m.member.learner)?;
            let id = learner.member.id;
            Some(format!("wait until it has joined; {}", Remedy::remove(id, Only::NobodyJoins)))
        }
        (Reason::LearnerNotReady, _) => Some("wait until it has caught up".to_owned()),
        (reason, _) => advice(reason).map(str::to_owned),
    }
}

fn who_is_not(situation: &Situation) -> String {
    let with = |link: Link| -> Vec<String> { situation.voters().filter(|m| m.link == link).map(named).collect() };
    match (with(Link::Down), with(Link::Fresh)) {
        (down, fresh) if fresh.is_empty() => format!("not connected: {}", down.join(", ")),
        (down, fresh) if down.is_empty() => format!("connected for less: {}", fresh.join(", ")),
        (down, fresh) => format!("not connected: {}; connected for less: {}", down.join(", "), fresh.join(", ")),
    }
}

fn named(peer: &Peer) -> String {
    peer.member.label()
}

fn label(situation: &Situation, id: MemberId) -> String {
    situation.get(id).map_or_else(|| id.to_string(), named)
}
