//! Whole scenes: joins, refusals, faults, crashes.

use std::time::Duration;

use tokio::time::sleep;

use super::*;
use crate::cluster::{Cluster, ClusterError, View};
use crate::pipeline::{Launcher, MemberSpec};

const VERSIONS: [&str; 8] = ["3.4.23", "3.5.16", "3.5.29", "3.5.30", "3.5.35", "3.6.10", "3.6.11", "3.7.3"];

/// What a launcher is told, from the member list.
fn spec(list: &MemberList, name: &str, simulation: &Simulation) -> MemberSpec {
    let label = |m: &crate::cluster::Member| if m.name.is_empty() { name.to_owned() } else { m.name.clone() };
    MemberSpec {
        name: name.to_owned(),
        peer_urls: vec![simulation.peer_url(name)],
        client_urls: vec![simulation.client_url(name)],
        initial_cluster: list.members.iter().map(|m| (label(m), m.peer_urls[0].clone())).collect(),
        existing: true,
    }
}

/// The bare join: add, start, promote until it works, read through the new member.
async fn join(simulation: &Simulation, name: &str) -> Result<MemberId, ClusterError> {
    let (cluster, launcher) = (simulation.cluster(), simulation.launcher(name));
    let view = View::observe(&*cluster, &simulation.endpoints()).await?;
    let leader = view.membership_endpoint()?.to_owned();
    let id = cluster.add_learner(&leader, &[simulation.peer_url(name)]).await?;
    let list = cluster.member_list(&leader).await?;
    launcher.start(&spec(&list, name, simulation)).await.unwrap();
    while let Err(error) = cluster.promote(&leader, id).await {
        assert_eq!(error.reason, Reason::LearnerNotReady);
        sleep(Duration::from_millis(10)).await;
    }
    let own = simulation.client_url(name);
    for _ in 0..1000 {
        if cluster.linearizable_read(&own).await.is_ok() {
            return Ok(id);
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("{name} never served: {:?}", simulation.history());
}

#[tokio::test(start_paused = true)]
async fn one_member_grows_to_three_on_every_version() {
    for version in VERSIONS {
        let simulation = Simulation::builder().version(version).voters(1).build();
        for name in ["node-2", "node-3"] {
            let id = join(&simulation, name).await.unwrap();
            let member = simulation.members().get(id).unwrap().clone();
            assert!(member.voter() && member.name == name, "{version}: {member:?}");
            sleep(Duration::from_secs(6)).await;
        }
        let view = View::observe(&*simulation.cluster(), &simulation.endpoints()).await.unwrap();
        assert_eq!((view.healthy_voters(), view.fault_tolerance()), (3, 1), "{version}");
        assert_eq!(simulation.quorum_lost(), Duration::ZERO);
        assert_eq!(simulation.added().len(), 2);
        assert_eq!(simulation.voters_over_time().iter().map(|(_, v)| v.len()).collect::<Vec<_>>(), [1, 2, 3]);
    }
}

#[tokio::test(start_paused = true)]
async fn right_after_a_join_the_next_add_is_refused_for_five_seconds() {
    let simulation = Simulation::builder().version("3.5.16").voters(1).build();
    join(&simulation, "node-2").await.unwrap();
    let error = join(&simulation, "node-3").await.unwrap_err();
    assert_eq!(error.message, "etcdserver: unhealthy cluster");
    sleep(Duration::from_secs(5)).await;
    join(&simulation, "node-3").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn many_joins_a_second() {
    let began = std::time::Instant::now();
    let joins = 500;
    for seed in 0..joins {
        let simulation = Simulation::builder().seed(seed).build();
        join(&simulation, "node-4").await.unwrap();
    }
    // Far below what it does, so that a busy machine passes.
    let rate = joins as f64 / began.elapsed().as_secs_f64();
    assert!(rate > 100.0, "{rate:.0} joins a second");
        eprintln!("{rate:.0} joins/s")
    }
}
