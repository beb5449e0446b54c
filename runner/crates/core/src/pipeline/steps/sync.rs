//! sync: the learner catches up, until the built-in gate and every promotion plugin are content.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::add_learner::removed_by_other;
use super::approval::{self, Answered};
use super::check;
use super::start_member::{self, died};
use crate::clock;
use crate::cluster::{ClusterError, MemberId, MemberMetrics, MemberStatus};
use crate::event::{EventKind, Progress};
use crate::pipeline::gate::Opinion;
use crate::pipeline::run::{Patience, Run};
use crate::pipeline::step::Reversible;
use crate::pipeline::{Failure, Running, Sample};
use crate::terms::{Outcome, SilentLearner, Step};

/// Only watches and asks, so there is nothing to undo.
pub(in crate::pipeline) struct Sync;

/// Progress is told at most this often.
const TELL_EVERY: Duration = Duration::from_millis(100);
/// While the learner is far behind, samples are taken this far apart.
const FAR_INTERVAL: Duration = Duration::from_millis(500);
/// The time that a database of any size has, before its size is counted.
const BUDGET_BASE: Duration = Duration::from_secs(10 * 60);
/// A learner that has caught up and does not answer is told of after so long, and again so often.
const SILENCE: Duration = Duration::from_secs(1);
/// A learner that has caught up and keeps its client port closed for so long is not about to open it: one whose name is not lost has
/// served for some 100 ms by then (`tests/e2e/tests/engine/silent_learner.rs`). A restart that was not needed costs as much again.
const GRACE: Duration = Duration::from_millis(250);
/// The slowest transfer that is still worth waiting for, in bytes a second.
const SLOWEST_RATE: u64 = 1 << 20;

#[async_trait]
impl Reversible for Sync {
    fn name(&self) -> Step {
        Step::Sync
    }

    async fn run(&self, run: &mut Run) -> Result<String, Failure> {
        let mut watch = Watch::new(run);
        loop {
            run.check_interrupt()?;
            let Some(id) = run.journal.state().member() else {
                return Err(Failure::new(Outcome::RolledBack, "the member is not in the list"));
            };
            let seen = match look(run, id).await {
                Ok(seen) => seen,
                Err(error) => {
                    watch.troubled.wait_out(run, "cannot follow the learner", &error).await?;
                    continue;
                }
            };
            watch.troubled.renew();
            watch.tell_lost_lock(run);
            if seen.candidate.as_ref().is_some_and(|c| !c.learner) && voter(run, id).await? {
                return Ok("it is a voter already".to_owned());
            }
            watch.tell(run, &seen);
            let lag = seen.sample.lag();
            run.window.push(seen.sample);
            match run.window.judge(&run.plan.gate) {
                Opinion::Open => match ask(run, id, &mut watch).await? {
                    Answered::Approved => return Ok(watch.summary(lag)),
                    Answered::Later(pause) => run.pause(pause.max(run.plan.gate.interval)).await?,
                },
                Opinion::Closed { reason } => {
                    watch.check_stall(run, &seen, &reason).await?;
                    watch.wake(run, &seen, id).await;
                    watch.tell_silence(run, &seen);
                    let far =
                        lag > run.plan.gate.max_lag.saturating_mul(20) && watch.started.elapsed() > Duration::from_secs(2);
                    let near = run.window.next_sample(&run.plan.gate);
                    run.pause(if far { FAR_INTERVAL } else { near }).await?;
                }
            }
        }
    }
}

/// One look at the learner.
pub(super) struct Seen {
    pub(super) sample: Sample,
    pub(super) leader: MemberStatus,
    /// The learner's own status; none while its client port is closed.
    pub(super) candidate: Option<MemberStatus>,
    pub(super) metrics: MemberMetrics,
    pub(super) data_size: u64,
}

/// Looks at the leader and the learner in the same moment.
pub(super) async fn look(run: &mut Run, id: MemberId) -> crate::cluster::Result<Seen> {
    let endpoint = run.leader().await?;
    let cluster = Arc::clone(&run.parts.cluster);
    let url = run.plan.client_urls.first().cloned().unwrap_or_default();
    let (leader, candidate, data_size) =
        tokio::join!(cluster.status(&endpoint), cluster.status(&url), run.parts.launcher.data_size());
    let leader = run.noted(leader)?;
    if leader.leader != Some(leader.member_id) {
        // An election, or another leader by now: look anew before the next sample.
        run.view = None;
    }
    let candidate = candidate.ok().filter(|c| c.member_id == id);
    let metrics = match (&candidate, run.parts.launcher.metrics_url()) {
        (None, Some(url)) => cluster.metrics(&url).await.unwrap_or_default(),
        _ => MemberMetrics::default(),
    };
    let applied_index = candidate.as_ref().map(|c| c.raft_applied_index).or(metrics.applied_index).unwrap_or(0);
    let sample = Sample {
        at: clock::now(),
        leader_index: leader.raft_index,
        applied_index,
        leader: leader.leader,
        term: leader.raft_term,
        reachable: candidate.is_some(),
    };
    Ok(Seen { sample, leader, candidate, metrics, data_size })
}

/// Whether the list says that the member is a voter; fails where it is no longer in it.
async fn voter(run: &mut Run, id: MemberId) -> Result<bool, Failure> {
    match run.member_list().await {
        Ok(list) => list.get(id).map(|m| m.voter()).ok_or_else(|| removed_by_other(id)),
        Err(_) => Ok(false),
    }
}

/// Asks every promotion plugin, with a whole observation of this moment.
async fn ask(run: &mut Run, id: MemberId, watch: &mut Watch) -> Result<Answered, Failure> {
    let opened = *watch.opened.get_or_insert_with(Instant::now);
    let view = match run.observe().await {
        Ok(view) => view,
        Err(error) => {
            watch.unseen.wait_out(run, "cannot read the cluster", &error).await?;
            return Ok(Answered::Later(Duration::ZERO));
        }
    };
    watch.unseen.renew();
    Ok(match approval::ask(run, &view, id, opened).await? {
        Answered::Approved => Answered::Approved,
        // The window goes on filling while a plugin asks for time: it judges samples, not the calls.
        Answered::Later(pause) => Answered::Later(pause.min(run.plan.gate.interval * 5)),
    })
}

/// What is remembered between looks.
struct Watch {
    started: Instant,
    /// With the leader's status.
    troubled: Patience,
    /// With the whole observation that plugins are shown.
    unseen: Patience,
    opened: Option<Instant>,
    told: Option<Instant>,
    first: Option<(Instant, u64)>,
    signs: Signs,
    moved: Instant,
    /// When it was told last, or first seen, that it has all data and does not answer.
    silent: Option<Instant>,
    /// Since when that is so.
    closed: Option<Instant>,
    /// Whether it was to be restarted: that is tried once.
    woken: bool,
    /// Whether it was restarted.
    restarted: bool,
    /// Whether the loss of the lock was told.
    lock_lost: bool,
}

/// The signs of progress; a stall is that none of them changes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Signs {
    applied: u64,
    received: u64,
    data_size: u64,
    reachable: bool,
}

impl Watch {
    fn new(run: &Run) -> Self {
        let now = Instant::now();
        Self {
            started: now,
            troubled: Patience::new(Step::Sync, run.plan.timeouts.stall),
            unseen: Patience::new(Step::Sync, run.plan.timeouts.stall),
            opened: None,
            told: None,
            first: None,
            signs: Signs::default(),
            moved: now,
            silent: None,
            closed: None,
            woken: false,
            restarted: false,
            lock_lost: false,
        }
    }

    /// Says why nothing goes on although all data is there: otherwise it would look as if runner hung.
    fn tell_silence(&mut self, run: &mut Run, seen: &Seen) {
        let now = Instant::now();
        if seen.sample.reachable || seen.sample.lag() > run.plan.gate.max_lag {
            self.silent = None;
        } else if now - *self.silent.get_or_insert(now) >= SILENCE {
            self.silent = Some(now);
            let reason = "it has the data and does not serve clients yet; etcd takes up to 7 s for that".to_owned();
            run.emit(EventKind::Waiting { step: Step::Sync, reason, left: None });
        }
    }

    /// Says once that the lock's lease has ended: the next joiner may have it by now, and this run queues again before the promotion.
    fn tell_lost_lock(&mut self, run: &mut Run) {
        if !self.lock_lost && run.parts.lock.lost() {
            self.lock_lost = true;
            check::warn(
                run,
                "lock-lost",
                "the join lock was lost: its lease has ended; it is queued for again before the promotion",
            );
        }
    }

    /// Restarts a learner that has all the data and keeps its client port closed, so that it need not wait for the end of etcd's request
    /// timeout. Tried once; whatever goes wrong with it, the wait goes on, and a member that does not run ends it.
    async fn wake(&mut self, run: &mut Run, seen: &Seen, id: MemberId) {
        let caught_up = seen.metrics.applied_index.is_some()
            && seen.metrics.snapshot_in_flight != Some(true)
            && seen.sample.lag() <= run.plan.gate.max_lag;
        if seen.sample.reachable || !caught_up {
            self.closed = None;
            return;
        }
        let now = Instant::now();
        let late = now - *self.closed.get_or_insert(now) >= GRACE;
        if !late || self.woken || run.plan.silent_learner != SilentLearner::Restart || run.journal.state().was_running {
            return;
        }
        // The list as the quorum has it: nobody must have given it a vote meanwhile, since then it would be missed.
        let Ok(list) = run.member_list().await else { return };
        if !list.get(id).is_some_and(|member| member.learner && member.started()) {
            return;
        }
        self.woken = true;
        let spec = start_member::spec(run, &list, id);
        let reason = match run.parts.launcher.restart(&spec).await {
            Ok(true) => {
                self.restarted = true;
                "it has the data and does not serve clients; restarted, since etcd would wait for up to 7 s".to_owned()
            }
            Ok(false) => return,
            Err(error) => format!("it has the data and does not serve clients, and cannot be restarted: {error}"),
        };
        (self.silent, self.moved) = (None, Instant::now());
        run.emit(EventKind::Waiting { step: Step::Sync, reason, left: None });
    }

    fn summary(&self, lag: u64) -> String {
        let restarted = if self.restarted { ", restarted once to cut etcd's wait" } else { "" };
        format!("{lag} entries behind{restarted}")
    }

    fn tell(&mut self, run: &mut Run, seen: &Seen) {
        let now = Instant::now();
        let bytes = seen.metrics.received_bytes.unwrap_or(0).max(seen.data_size);
        let (since, before) = *self.first.get_or_insert((now, bytes));
        if self.told.is_some_and(|at| now - at < TELL_EVERY) {
            return;
        }
        self.told = Some(now);
        let seconds = (now - since).as_secs_f64();
        let rate = if seconds > 0.0 { bytes.saturating_sub(before) as f64 / seconds } else { 0.0 };
        let left = seen.leader.db_size.saturating_sub(bytes);
        let behind = seen.sample.lag() > run.plan.gate.max_lag;
        let eta = (behind && rate > 0.0).then(|| Duration::try_from_secs_f64(left as f64 / rate).ok()).flatten();
        run.emit(EventKind::SyncProgress(Progress {
            leader_index: seen.sample.leader_index,
            applied_index: seen.sample.applied_index,
            lag: seen.sample.lag(),
            bytes,
            bytes_total: seen.leader.db_size,
            rate,
            snapshot: seen.metrics.snapshot_in_flight.unwrap_or(false),
            eta,
        }));
    }

    /// Fails where the learner has died, or nothing has moved for too long, or its time for this database is over.
    async fn check_stall(&mut self, run: &mut Run, seen: &Seen, reason: &str) -> Result<(), Failure> {
        if seen.candidate.is_none()
            && let Running::No { log } = run.parts.launcher.running().await
        {
            return Err(died(&log));
        }
        let signs = Signs {
            applied: seen.sample.applied_index,
            received: seen.metrics.received_bytes.unwrap_or(0),
            data_size: seen.data_size,
            reachable: seen.sample.reachable,
        };
        let now = Instant::now();
        if signs != self.signs || seen.metrics.snapshot_in_flight == Some(true) {
            (self.signs, self.moved) = (signs, now);
        }
        let budget = BUDGET_BASE + Duration::from_secs(seen.leader.db_size / SLOWEST_RATE);
        let limit = run.plan.timeouts.stall;
        let over = if now - self.moved >= limit {
            format!("no progress for {}", humantime::format_duration(limit))
        } else if self.started.elapsed() >= budget {
            format!("not caught up within {}", humantime::format_duration(budget))
        } else {
            return self.still_there(run).await;
        };
        Err(Failure::new(Outcome::TimedOut, format!("the learner does not catch up: {over}; {reason}"))
            .hint("look at the member's log, the network between it and the leader, and its disk"))
    }

    /// Every few seconds: is the member still in the list?
    async fn still_there(&mut self, run: &mut Run) -> Result<(), Failure> {
        if self.moved.elapsed() < Duration::from_secs(2) {
            return Ok(());
        }
        match (run.journal.state().member(), run.member_list().await) {
            (Some(id), Ok(list)) if list.get(id).is_none() => Err(removed_by_other(id)),
            _ => Ok(()),
        }
    }
}

/// A look for the promotion: fails only where trying again cannot help.
pub(super) async fn look_again(run: &mut Run, id: MemberId) -> Result<Option<Seen>, ClusterError> {
    match look(run, id).await {
        Ok(seen) => Ok(Some(seen)),
        Err(error) if error.class() == crate::cluster::Class::Fatal => Err(error),
        Err(_) => Ok(None),
    }
}
