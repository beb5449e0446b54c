//! Whole scenes: joins, refusals, starts, faults.

use std::time::Duration;

use tokio::time::sleep;

use super::*;
use runner_core::cluster::{Class, Cluster, ClusterError, Member, Result, View};
use runner_core::pipeline::{Discard, Identity, Launcher, MemberSpec};

mod faults;
mod refusals;
mod starts;
mod weather;

const VERSIONS: [&str; 8] = ["3.4.23", "3.5.16", "3.5.29", "3.5.30", "3.5.35", "3.6.10", "3.6.11", "3.7.3"];

/// What a launcher is told, from the member list.
fn spec(simulation: &Simulation, list: &MemberList, name: &str) -> MemberSpec {
    let label = |m: &Member| if m.name.is_empty() { name.to_owned() } else { m.name.clone() };
    let identity = list.by_peer_urls(&[simulation.peer_url(name)]).map(|m| whose(simulation, m.id));
    MemberSpec {
        identity,
        started: false,
        name: name.to_owned(),
        peer_urls: vec![simulation.peer_url(name)],
        client_urls: vec![simulation.client_url(name)],
        initial_cluster: list.members.iter().map(|m| (label(m), m.peer_urls[0].clone())).collect(),
        existing: true,
    }
}

/// The member of this id in the simulated cluster.
fn whose(simulation: &Simulation, member_id: MemberId) -> Identity {
    Identity { cluster_id: simulation.members().cluster_id, member_id }
}

/// Data is removed, with the directory or without.
fn removed(folder: bool) -> Discard {
    Discard { folder, keep: false }
}

/// Adds and starts a member, without waiting for it.
async fn begin(simulation: &Simulation, name: &str) -> Result<(String, MemberId)> {
    let (cluster, launcher) = (simulation.cluster(), simulation.launcher(name));
    let view = View::observe(&*cluster, &simulation.endpoints()).await?;
    let leader = view.membership_endpoint()?.to_owned();
    let id = cluster.add_learner(&leader, &[simulation.peer_url(name)]).await?;
    let list = cluster.member_list(&leader).await?;
    let started = launcher.start(&spec(simulation, &list, name)).await;
    started.map_err(|e| ClusterError::new(Reason::Other, e.message, name))?;
    Ok((leader, id))
}

/// The bare join: add, start, promote until it works, read through the new member.
async fn join(simulation: &Simulation, name: &str) -> Result<MemberId> {
    let (leader, id) = begin(simulation, name).await?;
    let cluster = simulation.cluster();
    retry(|| cluster.promote(&leader, id)).await?;
    let own = simulation.client_url(name);
    retry(|| cluster.linearizable_read(&own)).await?;
    Ok(id)
}

/// Tries again what may work later.
async fn retry<F: Future<Output = Result<()>>>(mut attempt: impl FnMut() -> F) -> Result<()> {
    let mut last = Ok(());
    for _ in 0..2000 {
        last = attempt().await;
        match &last {
            Err(error) if error.class() != Class::Fatal => sleep(Duration::from_millis(10)).await,
            _ => return last,
        }
    }
    last
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[tokio::test(start_paused = true)]
async fn one_member_grows_to_three_on_every_version() {
    for version in VERSIONS {
        let simulation = Simulation::builder().version(version).voters(1).build();
        for name in ["node-2", "node-3"] {
            let id = join(&simulation, name).await.unwrap();
            let member = simulation.members().get(id).unwrap().clone();
            assert!(member.voter() && member.name == name, "{version}: {member:?}");
            sleep(seconds(6)).await;
        }
        let view = View::observe(&*simulation.cluster(), &simulation.endpoints()).await.unwrap();
        assert_eq!((view.healthy_voters(), view.fault_tolerance()), (3, 1), "{version}");
        assert_eq!(simulation.quorum_lost(), Duration::ZERO);
        assert_eq!(simulation.added().len(), 2);
        assert_eq!(simulation.voters_over_time().iter().map(|(_, v)| v.len()).collect::<Vec<_>>(), [1, 2, 3]);
    }
}

#[tokio::test(start_paused = true)]
async fn many_joins_a_second() {
    let began = std::time::Instant::now();
    let joins = 500;
    for seed in 0..joins {
        let simulation = Simulation::builder().seed(seed).build();
        join(&simulation, "node-4").await.unwrap();
    }
    // Thousands are usual; this is far below, so that a busy machine passes.
    let rate = joins as f64 / began.elapsed().as_secs_f64();
    assert!(rate > 100.0, "{rate:.0} joins a second");
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_calls_answers_and_times() {
    let voters = ["node-1", "node-2", "node-3"].map(str::to_owned);
    let (mut joined, mut failed) = (0, 0);
    for seed in 0..100 {
        let mut seen = Vec::new();
        for _ in 0..2 {
            let faults = Faults::random(seed, &voters);
            let simulation = Simulation::builder().seed(seed).faults(faults).build();
            let result = join(&simulation, "node-4").await;
            seen.push((result, simulation.trace(), simulation.history(), simulation.members()));
        }
        assert_eq!(seen[0], seen[1], "seed {seed}");
        if seen[0].0.is_ok() { joined += 1 } else { failed += 1 }
    }
    // The plans matter: some of them break a join that has no recovery of its own.
    assert!(joined > 10 && failed > 10, "{joined} joined, {failed} failed");
}
