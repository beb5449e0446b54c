//! Members die, networks split, leaders move, rivals meddle.

use super::*;

async fn status_errors(simulation: &Simulation, node: usize) -> Vec<String> {
    simulation.cluster().status(&simulation.endpoints()[node]).await.unwrap().errors
}

#[tokio::test(start_paused = true)]
async fn without_quorum_status_answers_and_everything_else_times_out() {
    let simulation = Simulation::builder().build();
    simulation.incident(Incident::Crash("node-2".to_owned()));
    simulation.incident(Incident::Crash("node-3".to_owned()));
    let (cluster, at) = (simulation.cluster(), &simulation.endpoints()[0]);
    sleep(seconds(2)).await;
    assert_eq!(status_errors(&simulation, 0).await, ["etcdserver: no leader"]);
    let asked = simulation.elapsed();
    for error in [
        cluster.member_list(at).await.unwrap_err(),
        cluster.propose(at).await.unwrap_err(),
        cluster.linearizable_read(at).await.unwrap_err(),
    ] {
        assert_eq!((error.reason, &*error.message), (Reason::RequestTimedOut, "etcdserver: request timed out"));
    }
    assert!((simulation.elapsed() - asked).abs_diff(seconds(21)) < seconds(1), "three times 7 s");
    assert_eq!(cluster.status(&simulation.endpoints()[1]).await.unwrap_err().reason, Reason::Unreachable);

    let lost = simulation.quorum_lost();
    assert!(lost > seconds(22));
    simulation.incident(Incident::Restart("node-2".to_owned()));
    cluster.linearizable_read(at).await.unwrap();
    assert!(simulation.quorum_lost() - lost < seconds(1) && simulation.leaderless() > Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_shorter_deadline_than_etcds_is_seen_first() {
    let simulation = Simulation::builder().voters(2).call_deadline(seconds(3)).build();
    simulation.incident(Incident::Crash("node-2".to_owned()));
    let error = simulation.cluster().member_list(&simulation.endpoints()[0]).await.unwrap_err();
    assert_eq!((error.reason, simulation.elapsed()), (Reason::DeadlineExceeded, seconds(3)));
}

#[tokio::test(start_paused = true)]
async fn the_leader_dies_and_another_is_elected() {
    for seed in 0..20 {
        let simulation = Simulation::builder().seed(seed).build();
        let first = simulation.leader().unwrap();
        let (cluster, at) = (simulation.cluster(), &simulation.endpoints()[1]);
        let term = cluster.status(at).await.unwrap().raft_term;
        simulation.incident(Incident::CrashLeader);
        // A request that comes now waits for the new leader.
        cluster.linearizable_read(at).await.unwrap();
        let status = cluster.status(at).await.unwrap();
        assert_eq!(status.raft_term, term + 1);
        assert_ne!(status.leader.unwrap(), first);
        assert!(simulation.elapsed() >= seconds(1) && simulation.elapsed() < Duration::from_millis(2_200));
        assert_eq!(simulation.quorum_lost(), Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_in_the_log_of_a_lost_leader_may_or_may_not_come_true() {
    let mut outcomes = [0, 0];
    for seed in 0..40 {
        let simulation = Simulation::builder().seed(seed).build();
        let (cluster, at) = (simulation.cluster(), &simulation.endpoints()[0]);
        let id = cluster.add_learner(at, &[simulation.peer_url("node-4")]).await.unwrap();
        ["node-2", "node-3"].into_iter().for_each(|n| simulation.incident(Incident::Crash(n.to_owned())));
        let error = cluster.remove(at, id).await.unwrap_err();
        assert_eq!(error.class(), Class::Ambiguous);
        assert!(simulation.members().get(id).is_some());
        ["node-2", "node-3"].into_iter().for_each(|n| simulation.incident(Incident::Restart(n.to_owned())));
        cluster.linearizable_read(at).await.unwrap();
        outcomes[usize::from(simulation.members().get(id).is_some())] += 1;
    }
    assert!(outcomes.iter().all(|n| *n > 0), "{outcomes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_split_leaves_the_minority_without_a_leader() {
    let simulation = Simulation::builder().build();
    let cluster = simulation.cluster();
    simulation.incident(Incident::Split(vec!["node-1".to_owned()]));
    // The old leader still believes in itself for a while.
    assert!(status_errors(&simulation, 0).await.is_empty());
    sleep(seconds(3)).await;
    assert_eq!(status_errors(&simulation, 0).await, ["etcdserver: no leader"]);
    cluster.linearizable_read(&simulation.endpoints()[1]).await.unwrap();
    let error = cluster.linearizable_read(&simulation.endpoints()[0]).await.unwrap_err();
    assert_eq!(error.reason, Reason::RequestTimedOut);
    let view = View::observe(&*cluster, &simulation.endpoints()[1..]).await.unwrap();
    assert_eq!((view.healthy_voters(), view.leader), (2, simulation.leader()));
    simulation.incident(Incident::Heal);
    cluster.linearizable_read(&simulation.endpoints()[0]).await.unwrap();
    assert!(status_errors(&simulation, 0).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_follower_that_is_cut_off_forgets_the_leader() {
    let simulation = Simulation::builder().build();
    let leader = simulation.leader();
    simulation.incident(Incident::Split(vec!["node-3".to_owned()]));
    sleep(seconds(2)).await;
    assert_eq!(status_errors(&simulation, 2).await, ["etcdserver: no leader"]);
    assert_eq!(simulation.leader(), leader);
}

#[tokio::test(start_paused = true)]
async fn hidden_endpoints_swallow_the_call() {
    let simulation = Simulation::builder().call_deadline(seconds(4)).build();
    simulation.incident(Incident::Hide(vec!["node-1".to_owned()]));
    let error = simulation.cluster().status(&simulation.endpoints()[0]).await.unwrap_err();
    assert_eq!((error.reason, simulation.elapsed()), (Reason::DeadlineExceeded, seconds(4)));
    simulation.incident(Incident::Show);
    simulation.cluster().status(&simulation.endpoints()[0]).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_dead_learner_that_caught_up_is_promoted_and_costs_the_quorum() {
    let simulation = Simulation::builder().voters(1).build();
    let (leader, id) = begin(&simulation, "node-2").await.unwrap();
    sleep(seconds(1)).await;
    simulation.incident(Incident::CrashNewcomer);
    sleep(Duration::from_millis(100)).await;
    simulation.cluster().promote(&leader, id).await.unwrap();
    sleep(seconds(5)).await;
    assert!(simulation.quorum_lost() >= seconds(5));
    simulation.incident(Incident::RestartNewcomer);
    simulation.cluster().linearizable_read(&leader).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_leader_moves_without_a_gap() {
    let simulation = Simulation::builder().build();
    let first = simulation.leader();
    simulation.incident(Incident::MoveLeader(Some("node-3".to_owned())));
    assert_ne!(simulation.leader(), first);
    simulation.incident(Incident::MoveLeader(None));
    assert_eq!(simulation.leader(), first);
    assert_eq!(simulation.leaderless(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn rivals_add_remove_and_promote() {
    let simulation = Simulation::builder().build();
    simulation.incident(Incident::RivalAdds);
    let error = begin(&simulation, "node-4").await.unwrap_err();
    assert_eq!(error.class(), Class::WaitForOther);
    assert!(simulation.added().is_empty());
    let ghost = simulation.members().learners().next().unwrap().id;
    simulation.cluster().remove(&simulation.endpoints()[0], ghost).await.unwrap();

    let (leader, id) = begin(&simulation, "node-4").await.unwrap();
    sleep(seconds(1)).await;
    simulation.incident(Incident::RivalPromotes);
    assert_eq!(simulation.cluster().promote(&leader, id).await.unwrap_err().reason, Reason::MemberNotLearner);
    simulation.incident(Incident::CrashNewcomer);
    simulation.incident(Incident::RivalRemoves);
    assert!(simulation.members().get(id).unwrap().voter(), "a voter is left alone");

    let simulation = Simulation::builder().build();
    let (leader, id) = begin(&simulation, "node-4").await.unwrap();
    simulation.incident(Incident::RivalRemoves);
    assert!(simulation.at_baseline());
    assert_eq!(simulation.cluster().promote(&leader, id).await.unwrap_err().reason, Reason::MemberNotFound);
}

#[tokio::test(start_paused = true)]
async fn a_member_that_mistakes_itself_disagrees_with_the_list() {
    let simulation = Simulation::builder().build();
    simulation.incident(Incident::MistakesItself("node-2".to_owned(), true));
    let view = View::observe(&*simulation.cluster(), &simulation.endpoints()).await.unwrap();
    let disagree = |m: &&runner_core::cluster::MemberView| m.status.as_ref().is_ok_and(|s| s.learner != m.member.learner);
    assert_eq!(view.members.iter().filter(disagree).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stalled_newcomer_stays_where_it_is_until_it_may_go_on() {
    let simulation = Simulation::builder().log_index(100_000).build();
    simulation.incident(Incident::CatchUpRate(0));
    let (leader, id) = begin(&simulation, "node-4").await.unwrap();
    sleep(seconds(60)).await;
    let error = simulation.cluster().promote(&leader, id).await.unwrap_err();
    assert_eq!(error.reason, Reason::LearnerNotReady);
    simulation.incident(Incident::CatchUpRate(50_000));
    sleep(seconds(5)).await;
    simulation.cluster().promote(&leader, id).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_restarts_at_once_is_a_follower_at_first() {
    let simulation = Simulation::builder().build();
    simulation.incident(Incident::CrashLeader);
    simulation.incident(Incident::Restart("node-1".to_owned()));
    sleep(Duration::from_millis(200)).await;
    assert_eq!(simulation.leader(), None);
    sleep(seconds(3)).await;
    assert!(simulation.leader().is_some() && simulation.quorum_lost() < Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn every_voter_serves_again_after_a_restart_whoever_leads_then() {
    for voters in [1, 2, 3, 5] {
        for seed in 0..10 {
            let simulation = Simulation::builder().voters(voters).seed(seed).build();
            let names: Vec<_> = (1..=voters).map(|n| simulation.voter(n)).collect();
            names.iter().for_each(|n| simulation.incident(Incident::Crash(n.clone())));
            sleep(seconds(20)).await;
            names.iter().for_each(|n| simulation.incident(Incident::Restart(n.clone())));
            sleep(seconds(4)).await;
            for at in simulation.endpoints() {
                simulation.cluster().linearizable_read(&at).await.unwrap();
                assert!(simulation.cluster().status(&at).await.unwrap().errors.is_empty());
            }
            sleep(seconds(4)).await;
            join(&simulation, "newcomer").await.unwrap();
        }
    }
}
