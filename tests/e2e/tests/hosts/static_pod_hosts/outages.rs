//! The API server goes away at each step: no join that no longer needs it ends by that, and no rollback.

use runner_harness::{Family, SOON, Spawned, assert_serves, in_a_network_of_its_own, newest};
use rustix::process::Signal;

use super::site::Site;

/// Every step of a join that can be undone.
const UNDONE: [&str; 5] = ["check", "lock", "add-learner", "start-member", "sync"];

/// Every step.
const ALL: [&str; 8] = ["check", "lock", "add-learner", "start-member", "sync", "promote", "verify", "announce"];

#[tokio::test]
async fn no_rollback_ends_by_it() {
    if !in_a_network_of_its_own() {
        return;
    }
    let mut site = Site::start(Family::V4, &newest()).await;
    let joiner = site.machine();
    let before = site.list().await;
    for step in UNDONE {
        let mut joining = Spawned::start(site.join(joiner));
        joining.event("step-started", step, SOON).await;
        site.api.stop().await;
        joining.signal(Signal::INT);
        let ended = joining.finish(SOON).await;
        assert_ne!(ended.code(), Some(0), "{step}");
        site.assert_undone(joiner, &before).await;
        site.api.come_back().await;
        site.tidy_for_the_absent();
    }
}

#[tokio::test]
async fn no_join_ends_by_it() {
    if !in_a_network_of_its_own() {
        return;
    }
    let mut site = Site::start(Family::V4, &newest()).await;
    let joiner = site.machine();
    for step in ALL {
        let mut joining = Spawned::start(site.join(joiner));
        joining.event("step-started", step, SOON).await;
        site.api.stop().await;
        joining.finish(SOON).await.expect_code(0);
        assert!(site.list().await.contains(&(site.machines[joiner].node.peer_url(), false)), "{step}");
        assert_serves(&site.machines[joiner].node).await;
        site.api.come_back().await;
        site.tidy_for_the_absent();
        site.leave(joiner).await;
    }
}
