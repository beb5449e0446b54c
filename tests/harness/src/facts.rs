//! Facts to ask plugins about, without a cluster: three members of one kind, the third of them a learner that has caught up.

use std::sync::Arc;
use std::time::Duration;

use runner::cluster::{Member, MemberId, MemberStatus, MemberView, View};
use runner::pipeline::{Newcomer, Sample};

/// The learner of [`view`].
pub const CANDIDATE: MemberId = MemberId(3);

/// Two voters and a learner, all of 3.5.16 and well; the first leads.
pub fn view() -> Arc<View> {
    view_of(3)
}

/// So many members, all of 3.5.16 and well; the first leads, and the third is a learner.
pub fn view_of(members: u64) -> Arc<View> {
    let member = |n: u64| MemberView {
        member: Member {
            id: MemberId(n),
            name: format!("node-{n}"),
            peer_urls: vec![format!("https://10.0.0.{n}:2380")],
            client_urls: vec![format!("https://10.0.0.{n}:2379")],
            learner: MemberId(n) == CANDIDATE,
        },
        endpoint: Some(format!("https://10.0.0.{n}:2379")),
        status: Ok(MemberStatus {
            cluster_id: 7,
            member_id: MemberId(n),
            version: "3.5.16".into(),
            db_size: 100 << 20,
            db_size_in_use: 90 << 20,
            leader: Some(MemberId(1)),
            raft_index: 1000,
            raft_applied_index: 1000,
            raft_term: 2,
            learner: MemberId(n) == CANDIDATE,
            errors: Vec::new(),
            round_trip: Duration::from_millis(1),
        }),
    };
    Arc::new(View {
        cluster_id: 7,
        members: (1..=members).map(member).collect(),
        leader: Some(MemberId(1)),
        alarms: Vec::new(),
        observed_at: runner::clock::now(),
        silent: Vec::new(),
    })
}

/// The member that wants to join, of the others' version.
pub fn newcomer() -> Newcomer {
    Newcomer { name: "node-3".into(), peer_urls: Vec::new(), client_urls: Vec::new(), version: Some("3.5.16".to_owned()) }
}

/// One sample for each of these lags, 100 ms apart.
pub fn window(lags: &[u64]) -> Arc<[Sample]> {
    let begin = runner::clock::now();
    let sample = |(i, lag): (usize, &u64)| Sample {
        at: begin + Duration::from_millis(100 * i as u64),
        leader_index: 1_000_000,
        applied_index: 1_000_000 - lag,
        leader: Some(MemberId(1)),
        term: 2,
        reachable: true,
    };
    lags.iter().enumerate().map(sample).collect()
}
