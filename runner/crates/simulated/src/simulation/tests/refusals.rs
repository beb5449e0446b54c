//! What etcd refuses, in its own words.

use super::*;

/// A cluster that has been stable, its leader's endpoint, and the calls to it.
fn world(version: &str, voters: usize) -> (Simulation, Arc<SimulatedCluster>, String) {
    let simulation = Simulation::builder().version(version).voters(voters).build();
    let endpoint = simulation.endpoints()[0].clone();
    (simulation.clone(), simulation.cluster(), endpoint)
}

#[tokio::test(start_paused = true)]
async fn adds_are_refused_in_etcds_own_words_on_every_version() {
    for version in VERSIONS {
        let (simulation, cluster, at) = world(version, 3);
        let add = async |urls: &[String]| cluster.add_learner(&at, urls).await.unwrap_err();

        for bad in [vec![], vec!["10.0.0.4:2380".to_owned()]] {
            let error = add(&bad).await;
            assert_eq!((error.reason, &*error.message), (Reason::BadUrls, "etcdserver: given member URLs are invalid"));
        }
        let error = add(&[simulation.peer_url("node-2")]).await;
        assert_eq!((error.reason, &*error.message), (Reason::PeerUrlExists, "etcdserver: Peer URLs already exists"));

        cluster.add_learner(&at, &[simulation.peer_url("node-4")]).await.unwrap();
        let error = add(&[simulation.peer_url("node-4")]).await;
        assert_eq!(error.reason, Reason::PeerUrlExists, "the used URL is told before the second learner");
        let error = add(&[simulation.peer_url("node-5")]).await;
        assert_eq!(
            (error.reason, &*error.message),
            (Reason::TooManyLearners, "etcdserver: too many learner members in cluster")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_add_with_voters_down_follows_the_versions_rule() {
    let quorum_rule = |version: &str| ["3.5.30", "3.5.35", "3.6.11", "3.7.3"].contains(&version);
    for version in VERSIONS {
        for (voters, down) in [(1, 0), (3, 0), (3, 1), (4, 0), (4, 1), (5, 0), (5, 1), (5, 2)] {
            let (simulation, cluster, at) = world(version, voters);
            (0..down).for_each(|n| simulation.incident(Incident::Crash(simulation.voter(voters - n))));
            let added = cluster.add_learner(&at, &[simulation.peer_url("new")]).await;
            let allowed = down == 0 || (quorum_rule(version) && down == 1 && voters >= 4);
            match added {
                Ok(_) => assert!(allowed, "{version} {voters}-{down}"),
                Err(error) => {
                    assert!(!allowed, "{version} {voters}-{down}");
                    assert_eq!(error.message, "etcdserver: unhealthy cluster");
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_voter_counts_as_connected_after_five_seconds() {
    let (simulation, cluster, at) = world("3.5.16", 3);
    simulation.incident(Incident::Crash("node-3".to_owned()));
    simulation.incident(Incident::Restart("node-3".to_owned()));
    sleep(Duration::from_millis(4_900)).await;
    let urls = [simulation.peer_url("node-4")];
    assert_eq!(cluster.add_learner(&at, &urls).await.unwrap_err().reason, Reason::UnhealthyCluster);
    sleep(Duration::from_millis(300)).await;
    cluster.add_learner(&at, &urls).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn right_after_a_join_the_next_add_is_refused_for_five_seconds() {
    let (simulation, ..) = world("3.5.16", 1);
    join(&simulation, "node-2").await.unwrap();
    let error = join(&simulation, "node-3").await.unwrap_err();
    assert_eq!(error.message, "etcdserver: unhealthy cluster");
    sleep(seconds(5)).await;
    join(&simulation, "node-3").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn promotions_are_refused_in_etcds_own_words() {
    let (simulation, cluster, at) = world("3.5.16", 3);
    let refused = async |at: &str, id| cluster.promote(at, id).await.unwrap_err();
    let error = refused(&at, MemberId(77)).await;
    assert_eq!((error.reason, &*error.message), (Reason::MemberNotFound, "etcdserver: member not found"));

    let id = cluster.add_learner(&at, &[simulation.peer_url("node-4")]).await.unwrap();
    for endpoint in simulation.endpoints() {
        let error = refused(&endpoint, id).await;
        let text = "etcdserver: can only promote a learner member which is in sync with leader";
        assert_eq!((error.reason, &*error.message), (Reason::LearnerNotReady, text));
    }
    let list = cluster.member_list(&at).await.unwrap();
    simulation.launcher("node-4").start(&spec(&simulation, &list, "node-4")).await.unwrap();
    sleep(seconds(1)).await;

    // The learner itself serves its status and nothing else.
    let own = simulation.client_url("node-4");
    assert!(cluster.status(&own).await.unwrap().learner);
    for error in [
        refused(&own, id).await,
        cluster.member_list(&own).await.unwrap_err(),
        cluster.propose(&own).await.unwrap_err(),
        cluster.linearizable_read(&own).await.unwrap_err(),
    ] {
        let text = "etcdserver: rpc not supported for learner";
        assert_eq!((error.reason, &*error.message), (Reason::NotSupportedForLearner, text));
    }

    cluster.promote(&at, id).await.unwrap();
    let error = refused(&at, id).await;
    assert_eq!((error.reason, &*error.message), (Reason::MemberNotLearner, "etcdserver: can only promote a learner member"));
}

#[tokio::test(start_paused = true)]
async fn a_follower_hides_the_leaders_refusal_until_its_timeout() {
    // Two voters, one of them never published its name: with the learner not counted (before 3.4.16, etcd#11640) one of three
    // has started, which is too few.
    let (simulation, cluster, leader) = world("3.4.15", 2);
    let (_, id) = begin(&simulation, "node-3").await.unwrap();
    sleep(seconds(1)).await;
    simulation.incident(Incident::Unname("node-1".to_owned()));
    let error = cluster.promote(&leader, id).await.unwrap_err();
    let text = "etcdserver: re-configuration failed due to not enough started members";
    assert_eq!((error.reason, &*error.message), (Reason::NotEnoughStarted, text));

    let asked = simulation.elapsed();
    let error = cluster.promote(&simulation.endpoints()[1], id).await.unwrap_err();
    assert_eq!((error.reason, &*error.message), (Reason::RequestTimedOut, "etcdserver: request timed out"));
    assert!((simulation.elapsed() - asked).abs_diff(seconds(7)) < Duration::from_millis(100));
    assert!(simulation.members().get(id).unwrap().learner);
}

#[tokio::test(start_paused = true)]
async fn the_ninety_percent_rule_is_about_the_absolute_index() {
    // A million entries behind at index 10,000,000 is "in sync".
    let builder = || Simulation::builder().version("3.5.16").log_index(10_000_000).catch_up(CatchUp::Log).write_rate(0);
    for (replay, ready) in [(8_900_000, false), (9_100_000, true)] {
        let simulation = builder().catch_up_rates(replay, 0).build();
        let (leader, id) = begin(&simulation, "node-4").await.unwrap();
        sleep(Duration::from_millis(1_051)).await;
        simulation.incident(Incident::CatchUpRate(0));
        let answer = simulation.cluster().promote(&leader, id).await;
        assert_eq!(answer.is_ok(), ready, "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn removals() {
    let (simulation, cluster, at) = world("3.5.16", 3);
    // A learner may always go, with a voter down too, and is not found twice.
    let id = cluster.add_learner(&at, &[simulation.peer_url("node-4")]).await.unwrap();
    simulation.incident(Incident::Crash("node-3".to_owned()));
    cluster.remove(&at, id).await.unwrap();
    assert!(simulation.at_baseline());
    assert_eq!(cluster.remove(&at, id).await.unwrap_err().message, "etcdserver: member not found");
    // The dead voter may go; of the two that are left none may.
    let dead = simulation.members().members[2].id;
    let alive = simulation.members().members[1].id;
    assert_eq!(cluster.remove(&at, alive).await.unwrap_err().message, "etcdserver: unhealthy cluster");
    cluster.remove(&at, dead).await.unwrap();
    assert_eq!(simulation.removed(), [id, dead]);
}

#[tokio::test(start_paused = true)]
async fn a_removed_member_ends_and_its_id_never_comes_back() {
    let (simulation, cluster, at) = world("3.6.16", 3);
    let (_, id) = begin(&simulation, "node-4").await.unwrap();
    sleep(seconds(1)).await;
    cluster.remove(&at, id).await.unwrap();
    sleep(seconds(1)).await;
    assert!(!simulation.runs("node-4"));
    for _ in 0..50 {
        let next = cluster.add_learner(&at, &[simulation.peer_url("node-4")]).await.unwrap();
        assert!(!simulation.removed().contains(&next));
        cluster.remove(&at, next).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn alarms_are_told_and_refuse_what_they_refuse() {
    let (simulation, cluster, at) = world("3.5.16", 3);
    simulation.incident(Incident::Alarm("node-2".to_owned(), runner_core::cluster::AlarmKind::Nospace));
    assert_eq!(cluster.status(&at).await.unwrap().alarms().len(), 1);
    cluster.propose(&at).await.unwrap();
    cluster.linearizable_read(&at).await.unwrap();
    let lock = simulation.lock("run", "node-4");
    let error = runner_core::pipeline::JoinLock::try_acquire(&*lock, &at).await.unwrap_err();
    assert_eq!(error.message, "etcdserver: mvcc: database space exceeded");

    simulation.incident(Incident::Disarm);
    simulation.incident(Incident::Alarm("node-2".to_owned(), runner_core::cluster::AlarmKind::Corrupt));
    assert_eq!(cluster.linearizable_read(&at).await.unwrap_err().message, "etcdserver: corrupt cluster");
}
