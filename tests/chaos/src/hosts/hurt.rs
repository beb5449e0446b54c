//! Hurting hosts, and ending it.

use std::cell::{Cell, RefCell};
use std::fs;
use std::time::{Duration, Instant};

use rustix::fs::FallocateFlags;
use rustix::process::{Pid, Signal, kill_process};

use super::joiner::Joiner;
use super::schedule::{Hurt, Planned, When};
use super::site::{ASK, Site};

/// How often is looked whether a hurt's time has come: a step of a join takes a few milliseconds.
const LOOK: Duration = Duration::from_millis(1);

/// Kilobits a second of a slow host: enough for the members to hear of each other, and far too little for a snapshot in a second.
const SLOW: u32 = 2_000;

/// A hurt that happened.
#[derive(Clone, Debug)]
pub(super) struct Happened {
    pub(super) hurt: Hurt,
    pub(super) from: Instant,
    /// When it ended; still on without.
    pub(super) to: Option<Instant>,
    /// The hosts whose members it keeps from taking part.
    pub(super) hosts: Vec<String>,
}

/// All that happened in a run.
#[derive(Default)]
pub(super) struct Hurts {
    pub(super) happened: RefCell<Vec<Happened>>,
    /// The joins are over: what waits for one of their steps waits in vain.
    over: Cell<bool>,
}

impl Hurts {
    /// Waits for its time, hurts, waits, and ends it. Does nothing where its time does not come.
    pub(super) async fn inflict(&self, planned: &Planned, site: &Site) {
        if !self.its_time(planned.when, site).await {
            return;
        }
        let from = Instant::now();
        let Some((hosts, end)) = begin(planned.hurt, site).await else { return };
        let number = self.happened.borrow().len();
        self.happened.borrow_mut().push(Happened { hurt: planned.hurt, from, to: None, hosts });
        tokio::time::sleep(planned.lasts).await;
        end(site);
        self.happened.borrow_mut()[number].to = Some(Instant::now());
    }

    /// No step of a join will come any more.
    pub(super) fn joins_are_over(&self) {
        self.over.set(true);
    }

    async fn its_time(&self, when: When, site: &Site) -> bool {
        match when {
            When::After(time) => tokio::time::sleep(time).await,
            When::Says(joiner, kind, step) => {
                while !site.joiners[joiner].says(kind, step) {
                    if self.over.get() {
                        return false;
                    }
                    tokio::time::sleep(LOOK).await;
                }
            }
        }
        true
    }
}

/// What ends a hurt.
type End = Box<dyn FnOnce(&Site)>;

/// The hosts that it keeps from taking part, and what ends it; nothing where there is nothing to be hurt.
async fn begin(hurt: Hurt, site: &Site) -> Option<(Vec<String>, End)> {
    let nothing: End = Box::new(|_| ());
    match hurt {
        Hurt::CutOff(who) => {
            let host = site.host(who).await;
            host.partition();
            let name = host.name.clone();
            Some((vec![name.clone()], Box::new(move |site| named(site, &name).heal())))
        }
        Hurt::OneWay(from, to) => {
            let (from, to) = (site.host(from).await, site.host(to).await);
            from.lose_to(to);
            let names = (from.name.clone(), to.name.clone());
            let hosts = vec![names.0.clone(), names.1.clone()];
            Some((hosts, Box::new(move |site| named(site, &names.0).find_again(named(site, &names.1)))))
        }
        Hurt::Slow(who) => {
            let host = site.host(who).await;
            host.slow_down(SLOW);
            let name = host.name.clone();
            Some((vec![name.clone()], Box::new(move |site| named(site, &name).speed_up())))
        }
        Hurt::KillVoter(who) => {
            let number = site.voter(who).await;
            let voter = &site.voters[number];
            // Two hurts may have chosen the same one.
            voter.member.borrow_mut().kill()?;
            let end: End = Box::new(move |site| {
                let voter = &site.voters[number];
                voter.member.borrow_mut().start_on(&voter.host);
            });
            Some((vec![voter.host.name.clone()], end))
        }
        Hurt::Freeze(who) => {
            let number = site.voter(who).await;
            site.voters[number].member.borrow_mut().pause();
            let end: End = Box::new(move |site| site.voters[number].member.borrow_mut().resume());
            Some((vec![site.voters[number].host.name.clone()], end))
        }
        Hurt::MoveLeader => {
            move_leader(site).await.ok()?;
            Some((Vec::new(), nothing))
        }
        Hurt::KillLearner(joiner) | Hurt::WipeLearner(joiner) => {
            let joiner = &site.joiners[joiner];
            kill_learner(joiner, site, matches!(hurt, Hurt::WipeLearner(_))).await?;
            Some((vec![joiner.host.name.clone()], nothing))
        }
        Hurt::FillDisk(number) => {
            fill(&site.joiners[number]);
            let end: End = Box::new(move |site| {
                let _ = fs::remove_file(ballast(&site.joiners[number]));
            });
            Some((vec![site.joiners[number].host.name.clone()], end))
        }
        Hurt::KillRunner(joiner) => site.joiners[joiner].kill_runner().then_some((Vec::new(), nothing)),
    }
}

/// Only while it is a learner for sure: stopped first, so that it cannot be promoted between the look and the kill by its own progress.
/// A promotion that was under way all the same spoils a wiped one, and that is marked.
async fn kill_learner(joiner: &Joiner, site: &Site, wipe: bool) -> Option<()> {
    let id = Pid::from_raw(i32::try_from(joiner.process()?).ok()?)?;
    kill_process(id, Signal::STOP).ok()?;
    let is_learner = async || {
        let list = site.list().await?;
        list.into_iter().find(|(_, url, _)| *url == joiner.node.peer_url()).map(|(_, _, learner)| learner)
    };
    if is_learner().await != Some(true) {
        let _ = kill_process(id, Signal::CONT);
        return None;
    }
    kill_process(id, Signal::KILL).ok()?;
    if wipe {
        // Not while it dies: it may still write.
        while joiner.process().is_some() {
            tokio::time::sleep(LOOK).await;
        }
        let _ = fs::remove_dir_all(joiner.host.path(&joiner.node.data_dir));
        joiner.spoiled.set(is_learner().await == Some(false));
    }
    Some(())
}

/// Asks the leader to hand over to the next voter.
async fn move_leader(site: &Site) -> anyhow::Result<()> {
    let leader = site.leader().await.ok_or_else(|| anyhow::anyhow!("nobody leads"))?;
    let next = &site.voters[(leader + 1) % site.voters.len()].client_url;
    let id = async {
        let status = site.client(next).await?.status().await?;
        anyhow::Ok(status.header().map_or(0, etcd_client::ResponseHeader::member_id))
    };
    let id = tokio::time::timeout(ASK, id).await??;
    let mut client = site.client(&site.voters[leader].client_url).await?;
    tokio::time::timeout(5 * ASK, client.move_leader(id)).await??;
    Ok(())
}

fn named<'a>(site: &'a Site, name: &str) -> &'a runner_harness::Host {
    let hosts = site.voters.iter().map(|v| &v.host).chain(site.joiners.iter().map(|j| &j.host));
    hosts.into_iter().find(|host| host.name == name).expect("it was there when it was hurt")
}

/// What takes the place on a joiner's small disk.
fn ballast(joiner: &Joiner) -> std::path::PathBuf {
    joiner.host.path(joiner.node.data_dir.with_file_name("ballast").as_path())
}

/// Takes all the place that is left, at once: writing it takes longer than a join.
fn fill(joiner: &Joiner) {
    let path = ballast(joiner);
    let taken = fs::File::create(&path).and_then(|file| {
        loop {
            let free = rustix::fs::fstatvfs(&file)?;
            let length = free.f_bavail * free.f_frsize;
            if length == 0 {
                return Ok(());
            }
            match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, length) {
                // The member wrote meanwhile: less is left.
                Err(rustix::io::Errno::NOSPC) => {}
                taken => return taken.map_err(Into::into),
            }
        }
    });
    taken.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
}

impl Happened {
    /// Whether it was on, or had not been over for this long, at some time between these two.
    pub(super) fn touches(&self, (from, to): (Instant, Instant), aftermath: Duration) -> bool {
        self.from <= to && self.to.is_none_or(|end| end + aftermath >= from)
    }
}
