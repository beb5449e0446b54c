//! What one member says of itself, and the alarms raised in the cluster.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::MemberId;

/// One member's answer to `Status`. Served by learners too, and without quorum: it is that member's own view only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberStatus {
    /// The cluster it believes to be in.
    pub cluster_id: u64,
    /// Its own id.
    pub member_id: MemberId,
    /// Its version, for example `3.5.16`.
    pub version: String,
    /// Size of its database file in bytes.
    pub db_size: u64,
    /// Bytes of the database that hold data; etcd has reported it since 3.4.
    pub db_size_in_use: u64,
    /// Whom it takes for the leader; none while it knows of none.
    pub leader: Option<MemberId>,
    /// Index of the last raft entry that it knows to be committed.
    pub raft_index: u64,
    /// Index of the last raft entry that it has applied.
    pub raft_applied_index: u64,
    /// Its raft term.
    pub raft_term: u64,
    /// Whether it takes itself for a learner.
    pub learner: bool,
    /// Errors it reports of itself, such as alarms and the lack of a leader.
    pub errors: Vec<String>,
    /// How long the call took.
    pub round_trip: Duration,
}

impl MemberStatus {
    /// The alarms that it knows of: etcd reports each among its errors (`Status` in server/etcdserver/api/v3rpc/maintenance.go), as
    /// protobuf's text, `memberID:10276657743932975437 alarm:NOSPACE`. The spaces are not to be relied on, and what is zero is left out: an
    /// alarm about a member that etcd cannot name (CORRUPT, where it cannot tell who is) is `alarm:CORRUPT`.
    pub fn alarms(&self) -> Vec<Alarm> {
        let read = |error: &String| {
            let (mut member, mut kind) = (0, None);
            for word in error.split_whitespace() {
                match word.split_once(':')? {
                    ("memberID", id) => member = id.parse().ok()?,
                    ("alarm", "NOSPACE") => kind = Some(AlarmKind::Nospace),
                    ("alarm", "CORRUPT") => kind = Some(AlarmKind::Corrupt),
                    ("alarm", _) => kind = Some(AlarmKind::Unknown),
                    _ => return None,
                }
            }
            Some(Alarm { member: MemberId(member), kind: kind? })
        };
        self.errors.iter().filter_map(read).collect()
    }
}

/// What an alarm is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AlarmKind {
    /// The database has reached its quota: writes are refused until it is compacted, defragmented and disarmed.
    Nospace,
    /// A member's data differs from the others'.
    Corrupt,
    /// A kind this runner does not know.
    Unknown,
}

/// One raised alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// For which member.
    pub member: MemberId,
    /// What about.
    pub kind: AlarmKind,
}

/// What a starting member shows on its metrics listener, before its client port is open. Each is none where there is no such
/// metric (yet). Names and kinds are the same from 3.4 to 3.7.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberMetrics {
    /// `etcd_server_proposals_applied_total`: the index of the last applied entry.
    pub applied_index: Option<u64>,
    /// `etcd_network_peer_received_bytes_total`, summed over the peers. Absent until a peer has sent something. A snapshot's
    /// bytes are added only when the whole of it is there: while it comes, `snapshot_in_flight` is the sign of life.
    pub received_bytes: Option<u64>,
    /// `etcd_network_snapshot_receive_inflights_total` or `etcd_server_snapshot_apply_in_progress_total`: a snapshot is on its
    /// way or being applied. (The former metric is absent until a first snapshot comes; the latter is always there.)
    pub snapshot_in_flight: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_are_read_off_the_errors() {
        let errors = [
            "etcdserver: no leader",
            "memberID:10276657743932975437 alarm:NOSPACE ",
            "memberID:1  alarm:CORRUPT",
            "memberID:2 alarm:7",
            "memberID:x alarm:NOSPACE",
            "alarm:CORRUPT ",
        ];
        let status = MemberStatus {
            cluster_id: 1,
            member_id: MemberId(1),
            version: String::new(),
            db_size: 0,
            db_size_in_use: 0,
            leader: None,
            raft_index: 0,
            raft_applied_index: 0,
            raft_term: 0,
            learner: false,
            errors: errors.map(str::to_owned).into(),
            round_trip: Duration::ZERO,
        };
        let alarm = |id, kind| Alarm { member: MemberId(id), kind };
        let expected = [
            (0x8e9e_05c5_2164_694d, AlarmKind::Nospace),
            (1, AlarmKind::Corrupt),
            (2, AlarmKind::Unknown),
            (0, AlarmKind::Corrupt),
        ]
        .map(|(id, kind)| alarm(id, kind));
        assert_eq!(status.alarms(), expected);
    }
}
