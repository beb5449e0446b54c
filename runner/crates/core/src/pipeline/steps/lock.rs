//! lock: one joiner at a time. etcd itself allows one learner; the queue makes waiting for it visible and orderly.

use async_trait::async_trait;

use super::check;
use crate::cluster::Class;
use crate::pipeline::Failure;
use crate::pipeline::run::{Patience, Run};
use crate::pipeline::step::{Reversible, UndoError};
use crate::terms::{Outcome, Step};

/// Takes the join lock and waits for its turn; the undo gives it up.
pub(in crate::pipeline) struct Lock;

#[async_trait]
impl Reversible for Lock {
    fn name(&self) -> Step {
        Step::Lock
    }

    async fn run(&self, run: &mut Run) -> Result<String, Failure> {
        let waited = acquire(run, self.name()).await?;
        if waited {
            check::again(run).await?;
        }
        Ok(if waited { "our turn" } else { "free" }.to_owned())
    }

    async fn undo(&self, run: &mut Run) -> Result<Option<String>, UndoError> {
        release(run).await.map(|()| None)
    }
}

/// Makes sure that the lock is ours; says whether somebody was before us.
pub(super) async fn acquire(run: &mut Run, step: Step) -> Result<bool, Failure> {
    let mut patience = Patience::new(step, run.plan.timeouts.lock);
    let mut troubled = Patience::new(step, run.plan.timeouts.add);
    let mut waited = false;
    run.queued = true;
    loop {
        run.check_interrupt()?;
        let tried = match run.leader().await {
            Ok(endpoint) => run.parts.lock.try_acquire(&endpoint).await,
            Err(error) => Err(error),
        };
        match run.noted(tried) {
            Ok(None) => return Ok(waited),
            Ok(Some(queue)) => {
                waited = true;
                // Trouble is counted from the last answer on: the queue may last far longer than it.
                troubled.renew();
                let others = if queue.before == 1 { String::new() } else { format!(", {} in the queue", queue.before) };
                let text = format!("{} is joining (run {}{others})", queue.node, queue.run);
                patience.wait(run, &text).await.map_err(|f| {
                    f.hint(format!("it holds the lock for {}", humantime::format_duration(round(queue.age))))
                })?;
            }
            Err(error) => troubled.wait_out(run, "cannot take the join lock", &error).await?,
        }
    }
}

/// Before a mutation: the lock must be ours now, not only when the run began. Says whether somebody was before us, or may have been: then
/// the cluster is not the one that was looked at.
pub(super) async fn ensure_held(run: &mut Run, step: Step) -> Result<bool, Failure> {
    let mut patience = Patience::new(step, run.plan.timeouts.add);
    loop {
        run.check_interrupt()?;
        let held = match run.leader().await {
            Ok(endpoint) => run.parts.lock.held(&endpoint).await,
            Err(error) => Err(error),
        };
        match run.noted(held) {
            Ok(true) => return Ok(false),
            // A pause longer than the lease: somebody may have come and gone.
            Ok(false) => return acquire(run, step).await.map(|_| true),
            Err(error) => patience.wait_out(run, "cannot tell whether the join lock is still held", &error).await?,
        }
    }
}

/// Lets the next run go first where there is one, and queues again; says whether it did. For a run that holds the lock and cannot use it,
/// because a learner stands in its way: that learner's own run may be the one that waits for the lock, for as long as we do.
pub(super) async fn give_way(run: &mut Run, step: Step) -> Result<bool, Failure> {
    let waited_for = match run.leader().await {
        Ok(endpoint) => run.parts.lock.waited_for(&endpoint).await,
        Err(error) => Err(error),
    };
    if !matches!(run.noted(waited_for), Ok(true)) {
        return Ok(false);
    }
    release(run).await.map_err(|error| Failure::new(Outcome::Unreachable, error.error))?;
    acquire(run, step).await?;
    Ok(true)
}

/// Gives the lock up; an unreachable cluster lets it expire by itself. Asks nothing where it was never asked for.
pub(in crate::pipeline) async fn release(run: &mut Run) -> Result<(), UndoError> {
    if !run.queued {
        return Ok(());
    }
    let mut patience = Patience::new(Step::Lock, run.plan.timeouts.undo);
    loop {
        let released = match run.leader().await {
            Ok(endpoint) => run.parts.lock.release(&endpoint).await,
            Err(error) => Err(error),
        };
        match run.noted(released) {
            Ok(()) => return Ok(()),
            Err(error) if error.class() == Class::Fatal => return Err(undo_error(&error.to_string())),
            Err(error) => patience.wait(run, &error.to_string()).await.map_err(|f| undo_error(&f.message))?,
        }
    }
}

fn undo_error(error: &str) -> UndoError {
    UndoError {
        error: format!("the join lock could not be given up: {error}"),
        remedy: "nothing: its lease expires by itself within seconds".to_owned(),
    }
}

fn round(age: std::time::Duration) -> std::time::Duration {
    std::time::Duration::from_secs(age.as_secs())
}
