//! `etcd`: keys under granted prefixes, and members' own status.
//!
//! Keys are read linearizably: what a plugin judges by is what the cluster has agreed on, not what a member that fell behind
//! still believes. Without a quorum there is no answer.

use super::Site;
use crate::cluster::{Cluster as _, ClusterError, Member, MemberId, Reason};
use crate::surroundings::{Ask, Entry, MemberStatus, Refused, Reply, room};

pub(super) async fn answer(site: &Site, ask: &Ask) -> Result<Reply, Refused> {
    match ask {
        Ask::EtcdGet { key } => {
            let found = read(site, key, Read::One).await?;
            Ok(Reply::Entry(found.into_iter().next()))
        }
        Ask::EtcdList { prefix, limit } => read(site, prefix, Read::Below(*limit)).await.map(Reply::Entries),
        Ask::EtcdStatus { member } => status(site, member).await.map(Reply::Status),
        _ => Err(Refused::invalid("this is no question for etcd")),
    }
}

#[derive(Clone, Copy)]
enum Read {
    One,
    Below(u32),
}

/// Asks one endpoint after another: learners do not answer, and members that are down neither.
async fn read(site: &Site, key: &str, what: Read) -> Result<Vec<Entry>, Refused> {
    let cluster = site.cluster()?;
    let mut last = Refused::new("unavailable", "no endpoint of etcd is known");
    for endpoint in &site.endpoints {
        let found = match what {
            Read::One => cluster.read_key(endpoint, key).await.map(|found| Some(found.into_iter().collect())),
            Read::Below(limit) => cluster.read_prefix(endpoint, key, limit as usize, room()).await,
        };
        match found {
            Ok(Some(found)) => return found.into_iter().map(entry).collect(),
            Ok(None) => {
                let text =
                    format!("what begins with {key:?} has more than the {} bytes that this call may still take", room());
                return Err(Refused::new("too-large", text));
            }
            Err(error) => last = refused(&error),
        }
    }
    Err(last)
}

fn entry(found: crate::cluster::etcd::KeyValue) -> Result<Entry, Refused> {
    let crate::cluster::etcd::KeyValue { key, value, mod_revision } = found;
    let key = String::from_utf8(key).map_err(|_| Refused::new("failed", "a key there is no text"))?;
    Ok(Entry { key, value, mod_revision })
}

async fn status(site: &Site, member: &str) -> Result<MemberStatus, Refused> {
    let id: MemberId = member.parse().map_err(|_| Refused::invalid(format!("{member:?} is no member id")))?;
    let members = site.members().await?;
    let Some(Member { client_urls, .. }) = members.iter().find(|member| member.id == id) else {
        return Err(Refused::new("not-found", format!("the cluster has no member {id}")));
    };
    let cluster = site.cluster()?;
    let mut last = Refused::new("unavailable", format!("the member {id} has not told its client URLs yet"));
    for url in client_urls {
        match cluster.status(url).await {
            Ok(status) if status.member_id == id => return Ok(told(status)),
            Ok(status) => {
                let text = format!("at the client URL of {id} answers {}", status.member_id);
                last = Refused::new("failed", text);
            }
            Err(error) => last = refused(&error),
        }
    }
    Err(last)
}

fn told(status: crate::cluster::MemberStatus) -> MemberStatus {
    MemberStatus {
        version: status.version,
        db_size: status.db_size,
        db_size_in_use: status.db_size_in_use,
        raft_index: status.raft_index,
        raft_applied_index: status.raft_applied_index,
        raft_term: status.raft_term,
        leader: status.leader.map(|id| id.to_string()),
        learner: status.learner,
        problems: status.errors,
        round_trip_us: u32::try_from(status.round_trip.as_micros()).unwrap_or(u32::MAX),
    }
}

fn refused(error: &ClusterError) -> Refused {
    let kind = match error.reason {
        Reason::DeadlineExceeded | Reason::RequestTimedOut => "timeout",
        Reason::Unreachable | Reason::ConnectionLost | Reason::NoLeader | Reason::LeaderChanged | Reason::Stopped => {
            "unavailable"
        }
        _ => "failed",
    };
    Refused::new(kind, error.to_string())
}
