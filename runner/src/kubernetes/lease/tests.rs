use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::memory::MemoryLease;
use super::*;
use crate::report::Buffer;

struct Scene {
    store: Arc<MemoryLease>,
    told: Arc<Buffer>,
}

impl Scene {
    fn new() -> Self {
        Self { store: Arc::default(), told: Arc::default() }
    }

    fn of(&self, run: &str, resumed: bool) -> JoinLease {
        let place = ("kube-system".to_owned(), "l".to_owned());
        let notices = Notices::new(self.told.clone());
        JoinLease::new(self.store.clone(), place, run.to_owned(), format!("node-of-{run}"), resumed, notices)
    }

    fn holder(&self) -> Option<String> {
        self.store.lease().map(|lease| holder(&lease).to_owned())
    }

    fn codes(&self) -> Vec<String> {
        let code = |event: crate::event::Event| match event.kind {
            crate::event::EventKind::Finding { code, .. } => code,
            other => panic!("{other:?}"),
        };
        self.told.events().into_iter().map(code).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn one_after_the_other_and_nothing_is_left() {
    let scene = Scene::new();
    let (a, b) = (scene.of("a", false), scene.of("b", false));
    assert_eq!(a.try_acquire().await, Ok(Tried::Ours));
    // It is renewed, so that a minute later it is still not free.
    for _ in 0..30 {
        sleep(Duration::from_secs(2)).await;
        assert!(
            matches!(b.try_acquire().await, Ok(Tried::Held(q)) if (q.run.as_str(), q.node.as_str()) == ("a", "node-of-a"))
        );
    }
    a.release().await.unwrap();
    assert_eq!(scene.store.lease(), None, "it was not there before");
    assert_eq!(b.try_acquire().await, Ok(Tried::Ours));
    assert_eq!(b.try_acquire().await, Ok(Tried::Ours), "again is the same");
    b.release().await.unwrap();
    b.release().await.unwrap();
    assert_eq!((scene.store.lease(), scene.codes()), (None, vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_died_is_succeeded_after_its_time_and_that_is_said() {
    let scene = Scene::new();
    let a = scene.of("a", false);
    a.try_acquire().await.unwrap();
    drop(a);
    let b = scene.of("b", false);
    let began = Instant::now();
    while b.try_acquire().await != Ok(Tried::Ours) {
        sleep(Duration::from_millis(400)).await;
    }
    let waited = began.elapsed();
    assert!((15..17).contains(&waited.as_secs()), "{waited:?}");
    assert_eq!(scene.codes(), ["lease-taken-over"]);
    b.release().await.unwrap();
    assert_eq!(scene.store.lease(), None);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_comes_back_has_what_it_left() {
    let scene = Scene::new();
    scene.of("a", false).try_acquire().await.unwrap();
    let again = scene.of("a", true);
    assert_eq!(again.try_acquire().await, Ok(Tried::Ours));
    drop(again);
    // A rollback never takes it, and gives it up all the same.
    scene.of("a", true).release().await.unwrap();
    assert_eq!(scene.store.lease(), None);
    // Of somebody else's it keeps its hands off.
    let other = scene.of("b", false);
    other.try_acquire().await.unwrap();
    scene.of("a", true).release().await.unwrap();
    assert_eq!(scene.holder().as_deref(), Some("node-of-b_b"));
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_an_administrator_has_made_is_cleared_and_kept() {
    let scene = Scene::new();
    scene.store.put(Lease::default());
    let a = scene.of("a", false);
    assert_eq!(a.try_acquire().await, Ok(Tried::Ours));
    a.release().await.unwrap();
    assert_eq!(scene.holder().as_deref(), Some(""));
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_somebody_takes_away_is_said_and_not_taken_back() {
    let scene = Scene::new();
    let a = scene.of("a", false);
    a.try_acquire().await.unwrap();
    let theirs = record::taken(scene.store.lease().unwrap(), &Identity { run: "x".into(), node: "y".into() }, clock::now());
    scene.store.put(theirs);
    sleep(Duration::from_secs(5)).await;
    assert_eq!(scene.codes(), ["lease-lost"]);
    a.release().await.unwrap();
    assert_eq!(scene.holder().as_deref(), Some("y_x"));
}

#[tokio::test(start_paused = true)]
async fn wherever_the_api_goes_away_the_lease_is_given_up_once_it_is_back() {
    let whole = Scene::new();
    let a = whole.of("a", false);
    a.try_acquire().await.unwrap();
    sleep(Duration::from_secs(10)).await;
    a.release().await.unwrap();
    let calls = whole.store.calls();
    assert!(calls >= 6, "{calls}");
    for call in 1..=calls {
        for applied in [false, true] {
            let scene = Scene::new();
            scene.store.away_from(call, applied);
            let a = scene.of("a", false);
            let _ = a.try_acquire().await;
            sleep(Duration::from_secs(10)).await;
            let _ = a.release().await;
            scene.store.back();
            a.release().await.unwrap();
            assert_eq!(scene.store.lease(), None, "away from call {call}, applied: {applied}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_short_absence_of_the_api_does_not_cost_the_lease() {
    let scene = Scene::new();
    let (a, b) = (scene.of("a", false), scene.of("b", false));
    a.try_acquire().await.unwrap();
    scene.store.away_from(0, false);
    sleep(Duration::from_secs(10)).await;
    scene.store.back();
    for _ in 0..20 {
        sleep(Duration::from_secs(2)).await;
        assert!(matches!(b.try_acquire().await, Ok(Tried::Held(_))));
    }
    assert_eq!(scene.codes(), ["kubernetes-unreachable"]);
    drop(a);
}
