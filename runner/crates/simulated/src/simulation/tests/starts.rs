//! How a newcomer comes to life, or does not.

use super::*;
use runner_core::pipeline::Running;

async fn log(launcher: &SimulatedLauncher) -> String {
    match launcher.running().await {
        Running::No { log } => log.join("\n"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_learner_by_log_advances_step_by_step() {
    let simulation =
        Simulation::builder().version("3.5.16").log_index(90_000).write_rate(0).catch_up_rates(30_000, 1).build();
    let launcher = simulation.launcher("node-4");
    begin(&simulation, "node-4").await.unwrap();
    let metrics = launcher.metrics_url().unwrap();
    let cluster = simulation.cluster();
    assert_eq!(cluster.metrics(&metrics).await.unwrap_err().reason, Reason::Unreachable);
    let mut seen = Vec::new();
    for _ in 0..4 {
        sleep(seconds(1)).await;
        let sample = cluster.metrics(&metrics).await.unwrap();
        assert_eq!(sample.snapshot_in_flight, Some(false));
        seen.push(sample.applied_index.unwrap());
    }
    assert!(seen.windows(2).all(|w| w[0] <= w[1]), "{seen:?}");
    assert!(seen[0] > 25_000 && seen[0] < 30_000 && seen[3] >= 90_000, "{seen:?}");
    assert!(launcher.data_size().await > 0);
}

#[tokio::test(start_paused = true)]
async fn a_learner_by_snapshot_jumps_from_nothing_to_the_end() {
    let simulation = Simulation::builder().version("3.6.13").db_size(100_000_000).catch_up_rates(50_000, 20_000_000).build();
    let launcher = simulation.launcher("node-4");
    let (_, id) = begin(&simulation, "node-4").await.unwrap();
    let (cluster, metrics) = (simulation.cluster(), launcher.metrics_url().unwrap());
    let mut bytes = 0;
    for _ in 0..4 {
        sleep(seconds(1)).await;
        let sample = cluster.metrics(&metrics).await.unwrap();
        assert_eq!((sample.applied_index, sample.snapshot_in_flight), (Some(0), Some(true)));
        assert!(sample.received_bytes.unwrap() > bytes && launcher.data_size().await > bytes);
        bytes = sample.received_bytes.unwrap();
    }
    // It has a name long before it serves.
    assert_eq!(simulation.members().get(id).unwrap().name, "node-4");
    assert_eq!(cluster.status(&simulation.client_url("node-4")).await.unwrap_err().reason, Reason::Unreachable);
    sleep(seconds(2)).await;
    let status = cluster.status(&simulation.client_url("node-4")).await.unwrap();
    assert!(status.raft_applied_index > 10_000 && status.learner);
}

#[tokio::test(start_paused = true)]
async fn the_seven_second_stall_and_the_restart_that_cuts_it() {
    for restart in [false, true] {
        let simulation = Simulation::builder().version("3.6.13").voters(1).publish_stall(true).build();
        let launcher = simulation.launcher("node-2");
        let (leader, id) = begin(&simulation, "node-2").await.unwrap();
        sleep(Duration::from_millis(500)).await;
        let cluster = simulation.cluster();
        assert!(simulation.members().get(id).unwrap().started());
        assert_eq!(cluster.status(&simulation.client_url("node-2")).await.unwrap_err().reason, Reason::Unreachable);
        if restart {
            launcher.stop(&whose(&simulation, id)).await.unwrap();
            let list = cluster.member_list(&leader).await.unwrap();
            launcher.start(&spec(&simulation, &list, "node-2")).await.unwrap();
        }
        sleep(seconds(1)).await;
        assert_eq!(cluster.status(&simulation.client_url("node-2")).await.is_ok(), restart);
        sleep(seconds(7)).await;
        cluster.status(&simulation.client_url("node-2")).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_initial_cluster_ends_the_process_with_etcds_words() {
    let simulation = Simulation::builder().build();
    let (cluster, launcher) = (simulation.cluster(), simulation.launcher("node-4"));
    let at = &simulation.endpoints()[0];
    let before = cluster.member_list(at).await.unwrap();
    cluster.add_learner(at, &[simulation.peer_url("node-4")]).await.unwrap();
    launcher.start(&spec(&simulation, &before, "node-4")).await.unwrap();
    assert_eq!(launcher.running().await, Running::Yes);
    sleep(seconds(1)).await;
    assert!(log(&launcher).await.ends_with("member count is unequal"));
    assert_eq!(launcher.data_dir().await.unwrap(), DataDir::Absent);

    let mut other = cluster.member_list(at).await.unwrap();
    other.members[1].peer_urls = vec!["https://elsewhere:2380".to_owned()];
    launcher.start(&spec(&simulation, &other, "node-4")).await.unwrap();
    sleep(seconds(1)).await;
    assert!(log(&launcher).await.contains("PeerURLs: no match found for existing member"));
}

#[tokio::test(start_paused = true)]
async fn an_older_newcomer_and_a_lonely_one_end() {
    let simulation = Simulation::builder().version("3.6.16").newcomer_version("3.5.35").build();
    begin(&simulation, "node-4").await.unwrap();
    sleep(seconds(1)).await;
    assert_eq!(log(&simulation.launcher("node-4")).await, "incompatible with current running cluster");

    let simulation = Simulation::builder().faults(Faults::none().when(When::Call(Op::Start, 1), split("node-4"))).build();
    begin(&simulation, "node-4").await.unwrap();
    sleep(seconds(1)).await;
    assert!(log(&simulation.launcher("node-4")).await.starts_with("cannot fetch cluster info from peer urls"));
}

fn split(name: &str) -> Incident {
    Incident::Split(vec![name.to_owned()])
}

#[tokio::test(start_paused = true)]
async fn a_started_id_with_an_empty_directory_panics() {
    let simulation = Simulation::builder().build();
    let (leader, id) = begin(&simulation, "node-4").await.unwrap();
    sleep(seconds(1)).await;
    let (cluster, launcher) = (simulation.cluster(), simulation.launcher("node-4"));
    assert!(launcher.discard_data(&whose(&simulation, id), removed(false)).await.is_err(), "not while it runs");
    launcher.stop(&whose(&simulation, id)).await.unwrap();
    launcher.discard_data(&whose(&simulation, id), removed(false)).await.unwrap();
    assert_eq!(launcher.data_dir().await.unwrap(), DataDir::Empty);
    let list = cluster.member_list(&leader).await.unwrap();
    launcher.start(&spec(&simulation, &list, "node-4")).await.unwrap();
    sleep(seconds(1)).await;
    assert!(log(&launcher).await.contains("is out of range [lastIndex(0)]"));
}

#[tokio::test(start_paused = true)]
async fn a_removed_id_with_its_data_ends() {
    let simulation = Simulation::builder().build();
    let (leader, id) = begin(&simulation, "node-4").await.unwrap();
    sleep(seconds(1)).await;
    let (cluster, launcher) = (simulation.cluster(), simulation.launcher("node-4"));
    let list = cluster.member_list(&leader).await.unwrap();
    launcher.stop(&whose(&simulation, id)).await.unwrap();
    assert_eq!(launcher.data_dir().await.unwrap(), DataDir::Member { cluster_id: list.cluster_id, member_id: id });
    cluster.remove(&leader, id).await.unwrap();
    launcher.start(&spec(&simulation, &list, "node-4")).await.unwrap();
    sleep(seconds(1)).await;
    assert_eq!(log(&launcher).await, "the member has been permanently removed from the cluster");
}

#[tokio::test(start_paused = true)]
async fn starting_and_stopping_twice_is_doing_it_once() {
    let simulation = Simulation::builder().build();
    let (leader, id) = begin(&simulation, "node-4").await.unwrap();
    let launcher = simulation.launcher("node-4");
    let list = simulation.cluster().member_list(&leader).await.unwrap();
    launcher.start(&spec(&simulation, &list, "node-4")).await.unwrap();
    sleep(seconds(1)).await;
    assert!(simulation.runs("node-4") && simulation.members().get(id).unwrap().started());
    for _ in 0..2 {
        launcher.stop(&whose(&simulation, id)).await.unwrap();
        launcher.discard_data(&whose(&simulation, id), removed(true)).await.unwrap();
    }
    assert_eq!((simulation.data_dir("node-4"), launcher.data_size().await), (DataDir::Absent, 0));
}
