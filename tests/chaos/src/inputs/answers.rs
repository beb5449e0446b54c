//! A cluster whose answers cannot be: the checks, the oracle and whole joins over it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use runner::cluster::oracle::{Change, Forecast, Situation};
use runner::cluster::{Cluster, Member, MemberId, MemberList, MemberMetrics, MemberStatus, Result, View};
use runner::pipeline::Operation;
use runner_simulated::Faults;
use runner_simulated::world::{VERSIONS, World, virtually};

use super::bound::bounded;
use crate::tally::Tally;

/// Says what is so, except now and then.
struct Liar {
    honest: Arc<dyn Cluster>,
    rng: Mutex<SmallRng>,
    on: Arc<AtomicBool>,
    lies: Arc<AtomicU64>,
}

/// One join over a cluster that lies for a while.
pub(super) fn one(seed: u64, tally: &mut Tally) {
    let lied = bounded(move || over_lies(seed));
    let (lies, seen) = match lied {
        Ok((lies, seen)) => (lies, seen),
        Err(what) => {
            tally.ended("etcd's answers: violated");
            return tally.look("no panic, no hang, no flood", seed, Err(format!("etcd's answers: {what}")));
        }
    };
    tally.look("no panic, no hang, no flood", seed, Ok(()));
    *tally.faults.entry("an absurd answer of etcd".to_owned()).or_default() += lies;
    tally.ended(match seen {
        Ok(Some(true)) => "etcd's answers: promoted",
        Ok(Some(false)) => "etcd's answers: undone",
        Ok(None) => "etcd's answers: a learner left",
        Err(_) => "etcd's answers: violated",
    });
    tally.look("whatever etcd answers, nobody else's member is touched", seed, seen.map(drop));
}

/// How many lies there were; whether the newcomer was promoted in the end, or what was done that must not be.
fn over_lies(seed: u64) -> (u64, std::result::Result<Option<bool>, String>) {
    let mut rng = SmallRng::seed_from_u64(seed);
    let version = *VERSIONS.choose(&mut rng).expect("there is one");
    let voters = rng.random_range(1..=5);
    let mut world = World::of(version, voters, Faults::default());
    let (on, lies) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU64::new(0)));
    let (switch, count) = (Arc::clone(&on), Arc::clone(&lies));
    world.over(Box::new(move |honest| {
        let rng = Mutex::new(SmallRng::seed_from_u64(seed));
        Arc::new(Liar { honest, rng, on: Arc::clone(&switch), lies: Arc::clone(&count) })
    }));
    virtually(async {
        if let Ok(view) = View::observe(&*world.cluster(), &world.plan_mut().endpoints).await {
            foretold(&view);
        }
        world.run(Operation::Join).await;
        on.store(false, Ordering::Relaxed);
        world.mend().await;
    });
    // Who is told that its member is gone leaves it at that: that it is promoted or gone can be asked for where etcd tells the truth.
    let seen = world.others_are_whole().map_err(|what| format!("{what}\n{}", world.story()));
    let seen = seen.map(|()| world.judge().ok());
    (lies.load(Ordering::Relaxed), seen)
}

/// Everything that is worked out from a view comes to an end.
fn foretold(view: &View) {
    let situation = Situation::of(view);
    let mut changes = vec![Change::AddLearner(vec!["https://new:2380".to_owned()]), Change::AddVoter(vec![String::new()])];
    let ids: Vec<MemberId> = view.list().members.iter().map(|m| m.id).take(20).collect();
    changes.extend(ids.iter().flat_map(|id| [Change::Promote(*id), Change::Remove(*id)]));
    for change in &changes {
        let forecast = Forecast::of(&situation, change);
        assert!(!forecast.why.is_empty());
        let _ = Situation::of(view).after(change).without(&ids);
    }
}

impl Liar {
    /// A lie is due.
    fn lie(&self) -> Option<std::sync::MutexGuard<'_, SmallRng>> {
        let mut rng = self.rng.lock().expect("nobody panics with it");
        if !self.on.load(Ordering::Relaxed) || !rng.random_bool(0.15) {
            return None;
        }
        self.lies.fetch_add(1, Ordering::Relaxed);
        Some(rng)
    }
}

fn number(rng: &mut SmallRng) -> u64 {
    *[0, 1, 2, u64::from(u32::MAX), i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX - 1, u64::MAX].choose(rng).expect("one")
}

fn text(rng: &mut SmallRng) -> String {
    let long = "x".repeat(100_000);
    let odd =
        ["", " ", "3.6", "99.99.99", "v3", "-1.-1.-1", "\u{1b}[2J", "node-1", "https://node-1:2380", "http://[::1", &long];
    (*odd.choose(rng).expect("one")).to_owned()
}

fn hurt_member(rng: &mut SmallRng, member: &mut Member) {
    match rng.random_range(0..6) {
        0 => member.id = MemberId(number(rng)),
        1 => member.name = text(rng),
        2 => member.peer_urls = (0..rng.random_range(0..4)).map(|_| text(rng)).collect(),
        3 => member.client_urls = (0..rng.random_range(0..4)).map(|_| text(rng)).collect(),
        4 => member.learner = !member.learner,
        _ => member.peer_urls.clear(),
    }
}

#[async_trait]
impl Cluster for Liar {
    async fn member_list(&self, endpoint: &str) -> Result<MemberList> {
        let mut list = self.honest.member_list(endpoint).await?;
        if let Some(mut rng) = self.lie() {
            let rng = &mut *rng;
            let place = rng.random_range(0..list.members.len().max(1));
            match rng.random_range(0..6) {
                0 => list.members.clear(),
                1 => list.cluster_id = number(rng),
                2 => {
                    let again = list.members.get(place).cloned();
                    list.members.extend(again);
                }
                3 => list.members.reverse(),
                4 => list.members.iter_mut().for_each(|member| hurt_member(rng, member)),
                _ => list.members.get_mut(place).into_iter().for_each(|member| hurt_member(rng, member)),
            }
        }
        Ok(list)
    }

    async fn status(&self, endpoint: &str) -> Result<MemberStatus> {
        let mut status = self.honest.status(endpoint).await?;
        if let Some(mut rng) = self.lie() {
            let rng = &mut *rng;
            match rng.random_range(0..10) {
                0 => status.cluster_id = number(rng),
                1 => status.member_id = MemberId(number(rng)),
                2 => status.version = text(rng),
                3 => status.db_size = number(rng),
                4 => status.db_size_in_use = number(rng),
                5 => status.leader = Some(MemberId(number(rng))),
                6 => status.raft_index = number(rng),
                7 => status.raft_applied_index = number(rng),
                8 => status.raft_term = number(rng),
                _ => {
                    status.learner = !status.learner;
                    status.errors = vec![text(rng); 3];
                    let kind = *["NOSPACE", "CORRUPT", "FUTURE", ""].choose(rng).expect("one");
                    status.errors.extend(vec![format!("memberID:{} alarm:{kind} ", number(rng)); rng.random_range(0..1000)]);
                }
            }
        }
        Ok(status)
    }

    async fn propose(&self, endpoint: &str) -> Result<()> {
        self.honest.propose(endpoint).await
    }

    async fn add_learner(&self, endpoint: &str, peer_urls: &[String]) -> Result<MemberId> {
        let before = self.honest.member_list(endpoint).await?;
        let id = self.honest.add_learner(endpoint, peer_urls).await?;
        let Some(mut rng) = self.lie() else { return Ok(id) };
        let others = before.members.choose(&mut *rng).map(|member| member.id);
        Ok(others.filter(|_| rng.random()).unwrap_or_else(|| MemberId(number(&mut rng))))
    }

    async fn promote(&self, endpoint: &str, id: MemberId) -> Result<()> {
        self.honest.promote(endpoint, id).await
    }

    async fn remove(&self, endpoint: &str, id: MemberId) -> Result<()> {
        self.honest.remove(endpoint, id).await
    }

    async fn linearizable_read(&self, endpoint: &str) -> Result<()> {
        self.honest.linearizable_read(endpoint).await
    }

    async fn peer_members(&self, peer_url: &str) -> Result<MemberList> {
        self.honest.peer_members(peer_url).await
    }

    async fn metrics(&self, metrics_url: &str) -> Result<MemberMetrics> {
        let mut metrics = self.honest.metrics(metrics_url).await?;
        if let Some(mut rng) = self.lie() {
            let rng = &mut *rng;
            metrics.applied_index = rng.random_bool(0.7).then(|| number(rng));
            metrics.received_bytes = rng.random_bool(0.7).then(|| number(rng));
            metrics.snapshot_in_flight = Some(rng.random());
        }
        Ok(metrics)
    }
}
