//! The facts that the decision is made from: three voters, a learner that has kept up, a window as the built-in gate leaves it.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use runner::cluster::{Member, MemberId, MemberStatus, MemberView, View};
use runner::pipeline::Sample;

const LEADER: MemberId = MemberId(1);
const CANDIDATE: MemberId = MemberId(4);
const CLUSTER: u64 = 0xc1;
const INDEX: u64 = 120_000;

/// The cluster, and who is to be promoted.
pub(super) fn view() -> (Arc<View>, MemberId) {
    let view = View {
        cluster_id: CLUSTER,
        members: (1..=4).map(|number| member(MemberId(number))).collect(),
        leader: Some(LEADER),
        alarms: Vec::new(),
        observed_at: Timestamp::now(),
        silent: Vec::new(),
    };
    (Arc::new(view), CANDIDATE)
}

/// Eleven samples, 50 ms apart: the default gate's half second.
pub(super) fn window() -> Vec<Sample> {
    let now = Timestamp::now();
    let sample = |number: i64| Sample {
        at: now + SignedDuration::from_millis(50 * (number - 10)),
        leader_index: INDEX + number as u64,
        applied_index: INDEX + number as u64,
        leader: Some(LEADER),
        term: 3,
        reachable: true,
    };
    (0..=10).map(sample).collect()
}

fn member(id: MemberId) -> MemberView {
    let (peer, client) = (format!("https://10.0.0.{}:2380", id.0), format!("https://10.0.0.{}:2379", id.0));
    let status = MemberStatus {
        cluster_id: CLUSTER,
        member_id: id,
        version: "3.5.35".to_owned(),
        db_size: 30 << 20,
        db_size_in_use: 20 << 20,
        leader: Some(LEADER),
        raft_index: INDEX,
        raft_applied_index: INDEX,
        raft_term: 3,
        learner: id == CANDIDATE,
        errors: Vec::new(),
        round_trip: Duration::from_millis(1),
    };
    MemberView {
        member: Member {
            id,
            name: format!("node-{}", id.0),
            peer_urls: vec![peer],
            client_urls: vec![client.clone()],
            learner: id == CANDIDATE,
        },
        endpoint: Some(client),
        status: Ok(status),
    }
}
