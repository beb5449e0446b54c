//! etcd's two judges, in etcd's own order: the member that is asked (`AddMember`, `promoteMember`, `mayRemoveMember` in
//! `server/etcdserver/server.go`), then the log (`ValidateConfigurationChange` in `api/membership/cluster.go`).

use super::rules;
use super::situation::{Link, Situation};
use super::{Answer, Change};
use crate::cluster::{MemberId, Reason, Version, quorum};

/// What etcd answers to the change.
pub fn answer(situation: &Situation, change: &Change) -> Answer {
    if situation.asked.is_none() {
        return Answer::Unanswered(Reason::NoLeader);
    }
    match asked(situation, change) {
        Err(answer) => return answer,
        Ok(()) if situation.leader.is_none() || situation.alive() < quorum(situation.voters().count()) => {
            return Answer::Unanswered(Reason::RequestTimedOut);
        }
        Ok(()) => {}
    }
    match log(situation, change) {
        Ok(()) => Answer::Accepted,
        Err(reason) => Answer::Refused(reason),
    }
}

/// What the asked member says before anything goes into the log; an error ends it there.
pub fn asked(situation: &Situation, change: &Change) -> Result<(), Answer> {
    let refuse = |reason| Err(Answer::Refused(reason));
    let voters = situation.voters().count();
    // Where its version is not known, the strictest that there is.
    let version = situation.version().unwrap_or(Version { major: 3, minor: 4, patch: 16 });
    match change {
        Change::AddLearner(urls) | Change::AddVoter(urls) => {
            if urls.is_empty() || !urls.iter().all(|url| valid_peer_url(url)) {
                return refuse(Reason::BadUrls);
            }
            if matches!(change, Change::AddVoter(_)) && !rules::may_add_voter(voters, situation.started()) {
                return refuse(Reason::NotEnoughStarted);
            }
            if version.may_add(voters, situation.connected()) { Ok(()) } else { refuse(Reason::UnhealthyCluster) }
        }
        Change::Promote(id) => promotable(situation, *id, voters, version),
        Change::Remove(id) => removable(situation, *id, voters),
    }
}

/// Only the leader knows a learner's progress; a follower asks it over the peer port and hides some of its refusals: it tries again
/// without end until its request timeout.
fn promotable(situation: &Situation, id: MemberId, voters: usize, asked: Version) -> Result<(), Answer> {
    let Some(leader) = situation.leader else { return Err(Answer::Unanswered(Reason::NoLeader)) };
    let Some(peer) = situation.get(id) else { return Err(Answer::Refused(Reason::MemberNotFound)) };
    if !peer.caught_up {
        return Err(Answer::Refused(Reason::LearnerNotReady));
    }
    let version = situation.get(leader).and_then(|m| m.version).unwrap_or(asked);
    if version.may_promote(voters, situation.started()) {
        Ok(())
    } else if situation.asked == Some(leader) {
        Err(Answer::Refused(Reason::NotEnoughStarted))
    } else {
        Err(Answer::Unanswered(Reason::RequestTimedOut))
    }
}

fn removable(situation: &Situation, id: MemberId, voters: usize) -> Result<(), Answer> {
    let member = situation.get(id);
    if member.is_some_and(|m| m.member.learner) {
        return Ok(());
    }
    let gone = usize::from(member.is_some());
    let started = situation.started() - usize::from(member.is_some_and(|m| m.member.started()));
    if !rules::may_lose_started(voters - gone, started) {
        return Err(Answer::Refused(Reason::NotEnoughStarted));
    }
    // A voter that is down is no part of the active quorum: it may go. So may an id that nobody has.
    if situation.asked != Some(id) && member.is_none_or(|m| m.link == Link::Down) {
        return Ok(());
    }
    if rules::may_lose_active(voters, situation.connected()) {
        Ok(())
    } else {
        Err(Answer::Refused(Reason::UnhealthyCluster))
    }
}

/// What the log's order says when the change is applied.
pub fn log(situation: &Situation, change: &Change) -> Result<(), Reason> {
    match change {
        Change::AddLearner(urls) | Change::AddVoter(urls) => {
            let taken = |m: &super::Peer| m.member.peer_urls.iter().any(|url| urls.contains(url));
            if situation.members.iter().any(taken) {
                return Err(Reason::PeerUrlExists);
            }
            let learners = situation.members.iter().filter(|m| m.member.learner).count();
            let full = matches!(change, Change::AddLearner(_)) && learners >= situation.max_learners;
            if full { Err(Reason::TooManyLearners) } else { Ok(()) }
        }
        Change::Promote(id) => match situation.get(*id) {
            None => Err(Reason::MemberNotFound),
            Some(peer) if peer.member.voter() => Err(Reason::MemberNotLearner),
            Some(_) => Ok(()),
        },
        Change::Remove(id) => situation.get(*id).map(drop).ok_or(Reason::MemberNotFound),
    }
}

/// As etcd's `types.NewURLs` sees it: a known scheme, host and port, and no path.
fn valid_peer_url(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let Some((host, port)) = rest.and_then(|r| r.rsplit_once(':')) else { return false };
    !host.is_empty() && !host.contains('/') && port.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peer_urls_are_judged_as_etcd_does() {
        assert!(valid_peer_url("https://10.0.0.4:2380") && valid_peer_url("http://[::1]:2380"));
        for bad in ["10.0.0.4:2380", "https://10.0.0.4", "ftp://a:1", "https://a:2380/path", "https://:2380", ""] {
            assert!(!valid_peer_url(bad), "{bad}");
        }
    }
}
