//! Real etcd and runner on hosts of their own, cut off, slowed and killed, while an independent client writes and looks.
//!
//! A seed stands for one run: a cluster of 1, 3 or 5 voters, one to three nodes that join at once, one to three hurts. When the hurts are
//! over, every node must come to be a voter by the runner's own commands. Two things cannot be done here: a jump of one host's clock (all
//! hosts are one kernel's, which has one clock; the pipeline's own clock jumps over the simulated cluster), and the loss or delay of single packets
//! (`netem` is not in every kernel; what a proxy does to a stream is tried with the launcher's and the adapter's tests).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use futures::future::{join, join_all};

use crate::tally::{Tally, Violation};
use hurt::Hurts;
use joiner::{Ended, Joiner};
use judge::{Look, after_a_call, at_the_end};
use schedule::Schedule;
use site::Site;
use witness::Witness;

mod hurt;
mod joiner;
mod judge;
pub mod schedule;
mod site;
mod witness;

/// Runs at once: each waits most of its time, and the machine should not be what hurts.
const AT_ONCE: u64 = 3;

/// How many calls of the runner a node may need, once nobody hurts it any more.
const CALLS: usize = 4;

/// The writes go on for this long after the last join.
const AFTERMATH: Duration = Duration::from_secs(1);

/// What came out of one run.
#[derive(Default)]
struct Report {
    end: String,
    faults: Vec<&'static str>,
    looks: Vec<Look>,
    lists: u64,
    writes: usize,
    longest: Duration,
    took: Duration,
}

/// Runs schedules until the time is up or, where `runs` is given, after so many. Seeds count up from `seed`. A line for each run goes to
/// stderr.
///
/// Only for somebody who may make networks: root, or the root of a user namespace.
#[expect(clippy::print_stderr, reason = "a run of minutes says how it goes")]
pub fn run(until: Instant, runs: Option<u64>, seed: u64, tally: &mut Tally) -> anyhow::Result<()> {
    let next = Arc::new(AtomicU64::new(0));
    let (tell, told) = mpsc::channel();
    for _ in 0..AT_ONCE.min(runs.unwrap_or(AT_ONCE)) {
        let (next, tell) = (Arc::clone(&next), tell.clone());
        std::thread::spawn(move || {
            while Instant::now() < until {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if runs.is_some_and(|runs| number >= runs) || tell.send(alone(seed + number)).is_err() {
                    break;
                }
            }
        });
    }
    drop(tell);
    for (seed, schedule, report) in told {
        match report {
            Ok(report) => {
                let Report { end, took, longest, writes, .. } = &report;
                eprintln!("  seed {seed}: {end}, {took:.1?}, {writes} writes, longest pause {longest:.1?} ({schedule})");
                count(seed, &schedule, report, tally);
            }
            Err(what) => {
                eprintln!("  seed {seed}: {what} ({schedule})");
                tally.violations.push(Violation { seed, what: format!("{what}\n({schedule})") });
            }
        }
    }
    Ok(())
}

fn count(seed: u64, schedule: &Schedule, report: Report, tally: &mut Tally) {
    tally.ended(report.end);
    report.faults.into_iter().for_each(|fault| tally.fault(fault));
    for (invariant, seen) in report.looks {
        tally.look(invariant, seed, seen.map_err(|what| format!("{what}\n({schedule})")));
    }
    *tally.invariants.entry("no list that should not be".to_owned()).or_default() += report.lists;
}

/// One run on a thread of its own, since a network belongs to a thread.
fn alone(seed: u64) -> (u64, Schedule, Result<Report, String>) {
    let schedule = Schedule::of_seed(seed);
    let ours = schedule.clone();
    let runs = std::thread::spawn(move || -> anyhow::Result<Report> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(one(&ours))
    });
    let report = match runs.join() {
        Ok(Ok(report)) => Ok(report),
        Ok(Err(error)) => Err(format!("the run could not be brought to its end: {error:#}")),
        Err(panic) => Err(format!("the run panicked: {}", words(&*panic))),
    };
    (seed, schedule, report)
}

fn words(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without words")
}

async fn one(schedule: &Schedule) -> anyhow::Result<Report> {
    let begun = Instant::now();
    let site = Site::start(schedule).await?;
    let (witness, hurts) = (Witness::new(), Hurts::default());
    let scene = async {
        let looks = play(schedule, &site, &hurts).await;
        tokio::time::sleep(AFTERMATH).await;
        witness.stop();
        looks
    };
    let (looks, ()) = join(scene, witness.watch(&site)).await;
    let (mut looks, calls) = looks?;
    looks.extend(at_the_end(&site, &hurts, &witness).await?);
    let faults = hurts.happened.borrow().iter().map(|h| h.hurt.kind()).collect();
    let end = match calls {
        _ if site.joiners.iter().any(|j| j.spoiled.get()) => "a new voter's data was taken away".to_owned(),
        0 => "joined while it was hurt".to_owned(),
        _ => "joined once nobody hurt it".to_owned(),
    };
    let (lists, writes, longest) = (witness.lists.get(), witness.keys().len(), witness.longest());
    Ok(Report { end, faults, looks, lists, writes, longest, took: begun.elapsed() })
}

/// The joins and the hurts, then what it takes until everybody has joined. Gives how many further calls that took.
async fn play(schedule: &Schedule, site: &Site, hurts: &Hurts) -> anyhow::Result<(Vec<Look>, usize)> {
    let joins = async {
        let all = join_all(site.joiners.iter().map(|joiner| under_fire(schedule, site, joiner))).await;
        hurts.joins_are_over();
        all
    };
    let (joined, _) = join(joins, join_all(schedule.hurts.iter().map(|planned| hurts.inflict(planned, site)))).await;
    let mut looks = Vec::new();
    for of_one in joined {
        looks.extend(of_one?);
    }
    for voter in &site.voters {
        site.serves(&voter.client_url).await;
    }
    let mut calls = 0;
    for of_one in join_all(site.joiners.iter().map(|joiner| in_peace(schedule, site, joiner))).await {
        let (further, count) = of_one?;
        looks.extend(further);
        calls += count;
    }
    Ok((looks, calls))
}

/// The first call, and, as long as somebody kills it, the next.
async fn under_fire(schedule: &Schedule, site: &Site, joiner: &Joiner) -> anyhow::Result<Vec<Look>> {
    let mut looks = Vec::new();
    let mut command = joiner.join();
    loop {
        let ended = joiner.call(&command).await?;
        looks.extend(after_a_call(site, joiner, ended).await);
        if ended != Ended::Killed {
            return Ok(looks);
        }
        command = joiner.go_on(schedule.roll_back);
    }
}

/// Until it is a verified voter: an unfinished run is resumed (or rolled back once), a finished one that did not join is joined anew.
async fn in_peace(schedule: &Schedule, site: &Site, joiner: &Joiner) -> anyhow::Result<(Vec<Look>, usize)> {
    let mut looks = Vec::new();
    for calls in 0..=CALLS {
        if joiner.spoiled.get() {
            return Ok((looks, calls));
        }
        let list = site.list().await.ok_or_else(|| anyhow::anyhow!("no quorum when nobody hurts it any more"))?;
        let voter = list.iter().any(|(_, url, learner)| *url == joiner.node.peer_url() && !learner);
        if voter {
            joiner.is_voter();
            site.supervise(joiner)?;
            site.serves(&joiner.node.client_url()).await;
        }
        if voter && joiner.finished() {
            looks.push(("everybody joins in the end", Ok(())));
            return Ok((looks, calls));
        }
        let roll_back = schedule.roll_back && !voter && calls == 0;
        let command = if joiner.finished() { joiner.join() } else { joiner.go_on(roll_back) };
        let ended = joiner.call(&command).await?;
        looks.extend(after_a_call(site, joiner, ended).await);
    }
    let said = joiner.said.borrow();
    looks.push(("everybody joins in the end", Err(format!("{}, after {CALLS} calls:\n{said}", joiner.node.name))));
    Ok((looks, CALLS))
}
