//! Lost answers, late requests, dead runners, the lock.

use super::*;
use runner_core::pipeline::JoinLock;

fn world(op: Op, fault: Fault) -> (Simulation, Arc<SimulatedCluster>, String, [String; 1]) {
    let simulation = Simulation::builder().faults(Faults::none().at(op, 1, fault)).build();
    let (cluster, at) = (simulation.cluster(), simulation.endpoints()[0].clone());
    let urls = [simulation.peer_url("node-4")];
    (simulation, cluster, at, urls)
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_applied_and_seen_as_a_passed_deadline() {
    let (simulation, cluster, at, urls) = world(Op::AddLearner, Fault::AnswerLost);
    let error = cluster.add_learner(&at, &urls).await.unwrap_err();
    assert_eq!((error.reason, error.class()), (Reason::DeadlineExceeded, Class::Ambiguous));
    assert_eq!(simulation.elapsed(), seconds(10));
    assert!(simulation.members().by_peer_urls(&urls).is_some());
    assert_eq!(cluster.add_learner(&at, &urls).await.unwrap_err().reason, Reason::PeerUrlExists);
}

#[tokio::test(start_paused = true)]
async fn a_late_request_shows_only_later() {
    let (simulation, cluster, at, urls) = world(Op::AddLearner, Fault::AppliedLate(seconds(12)));
    assert_eq!(cluster.add_learner(&at, &urls).await.unwrap_err().reason, Reason::DeadlineExceeded);
    assert!(simulation.at_baseline());
    sleep(Duration::from_millis(1_999)).await;
    assert!(simulation.at_baseline());
    sleep(Duration::from_millis(2)).await;
    assert!(simulation.members().by_peer_urls(&urls).is_some());
    assert_eq!(simulation.added().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failure_before_anything_is_done_changes_nothing() {
    let (simulation, cluster, at, urls) = world(Op::AddLearner, Fault::Fail(Reason::UnhealthyCluster));
    assert_eq!(cluster.add_learner(&at, &urls).await.unwrap_err().message, "etcdserver: unhealthy cluster");
    assert!(simulation.at_baseline() && simulation.mutations().is_empty());
    cluster.add_learner(&at, &urls).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn delays_move_the_request_or_the_answer() {
    let (simulation, cluster, at, urls) = world(Op::AddLearner, Fault::Delay(seconds(3)));
    cluster.add_learner(&at, &urls).await.unwrap();
    assert!(simulation.mutations()[0].at >= seconds(3));
    let (simulation, cluster, at, urls) = world(Op::AddLearner, Fault::DelayAnswer(seconds(3)));
    cluster.add_learner(&at, &urls).await.unwrap();
    assert!(simulation.mutations()[0].at < seconds(1) && simulation.elapsed() >= seconds(3));
    let (simulation, cluster, at, urls) = world(Op::AddLearner, Fault::DelayAnswer(seconds(11)));
    assert!(cluster.add_learner(&at, &urls).await.unwrap_err().ambiguous());
    assert_eq!((simulation.added().len(), simulation.elapsed()), (1, seconds(10)));
}

#[tokio::test(start_paused = true)]
async fn a_launchers_answer_can_be_lost_too() {
    let (simulation, ..) = world(Op::Start, Fault::AnswerLost);
    assert!(begin(&simulation, "node-4").await.is_err());
    sleep(seconds(1)).await;
    assert!(simulation.runs("node-4"));

    let (simulation, ..) = world(Op::Start, Fault::AppliedLate(seconds(5)));
    assert!(begin(&simulation, "node-4").await.is_err());
    assert!(!simulation.runs("node-4"));
    sleep(seconds(5)).await;
    assert!(simulation.runs("node-4"));
}

#[tokio::test(start_paused = true)]
async fn a_call_can_be_refused_for_good() {
    let (simulation, cluster, at, urls) = world(Op::Held, Fault::AnswerLost);
    simulation.incident(Incident::Refuse(Op::AddLearner, Reason::PermissionDenied));
    for _ in 0..3 {
        assert_eq!(cluster.add_learner(&at, &urls).await.unwrap_err().message, "etcdserver: permission denied");
    }
    simulation.incident(Incident::Accept);
    cluster.add_learner(&at, &urls).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_runner_can_die_before_and_after_every_call() {
    let whole = Simulation::builder().build();
    join(&whole, "node-4").await.unwrap();
    let adds = whole.trace().iter().find(|c| c.op == Op::AddLearner).unwrap().number;
    for k in 1..=whole.calls() {
        for moment in [Moment::Before, Moment::After] {
            let simulation = Simulation::builder().build();
            let died = simulation.run_until_crash(k, moment, join(&simulation, "node-4")).await;
            assert!(died.is_none(), "call {k} {moment:?}");
            assert!(simulation.calls() >= k, "calls made side by side may have begun");
            let applied = k > adds || (k == adds && moment == Moment::After);
            assert_eq!(simulation.added().len(), usize::from(applied), "call {k} {moment:?}");
            // The world goes on without it.
            simulation.cluster().status(&simulation.endpoints()[0]).await.unwrap();
        }
    }
    // A point that was not reached is gone with its run: the next run may make that call.
    let next = whole.calls() + 1;
    assert!(whole.run_until_crash(next, Moment::Before, async {}).await.is_some());
    whole.cluster().status(&whole.endpoints()[0]).await.unwrap();
    assert_eq!(whole.calls(), next);
}

#[tokio::test(start_paused = true)]
async fn the_lock_queues_and_outlives_its_runner_by_its_time_to_live() {
    let simulation = Simulation::builder().lock_ttl(seconds(30)).build();
    let at = simulation.endpoints()[1].clone();
    let first = simulation.lock("run-1", "node-4");
    let second = simulation.lock("run-2", "node-5");
    assert_eq!(first.try_acquire(&at).await.unwrap(), None);
    sleep(seconds(100)).await;
    let queue = second.try_acquire(&at).await.unwrap().unwrap();
    assert_eq!((&*queue.run, &*queue.node, queue.before), ("run-1", "node-4", 1));
    assert!(queue.age >= seconds(100));
    assert!(first.held(&at).await.unwrap() && !second.held(&at).await.unwrap());

    // The first runner dies; its run comes back in time, and then for good not.
    drop(first);
    sleep(seconds(20)).await;
    let again = simulation.lock("run-1", "node-4");
    assert_eq!(again.try_acquire(&at).await.unwrap(), None);
    sleep(seconds(100)).await;
    assert_eq!(second.try_acquire(&at).await.unwrap().unwrap().run, "run-1");
    drop(again);
    sleep(seconds(31)).await;
    assert_eq!(second.try_acquire(&at).await.unwrap(), None);
    assert_eq!(simulation.lock_holder().as_deref(), Some("run-2"));

    simulation.incident(Incident::LockLost);
    assert!(!second.held(&at).await.unwrap());
    second.release(&at).await.unwrap();
    second.release(&at).await.unwrap();
    assert_eq!(simulation.lock_holder(), None);
}
