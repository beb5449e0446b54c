//! Join, resume, rollback: the steps in their order, and what becomes of a failure.
//!
//! The promotion is the point of no return, and a type: [`Unpromoted`] can be undone, [`Promoted`] has no such method.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::claim::{Claim, claim, overtaken, shared};
use super::journal::Journal;
use super::journal::Record;
use super::outcome::{Conclusion, Failure};
use super::run::{Interrupt, Parts, Run, journal_failure};
use super::step::{Reversible, UndoError};
use super::steps::Whom;
use super::{FromData, Guarded, JoinPlan, monitor, start_from_data, steps};
use crate::Problem;
use crate::cluster::MemberId;
use crate::cluster::remedy::{Only, Remedy};
use crate::event::{Event, EventKind};
use crate::terms::{Outcome, RunKind, Step};

/// The steps that can be undone, in their order.
const BEFORE: [&dyn Reversible; 6] =
    [&steps::Discover, &steps::Check(Whom::Member), &steps::Lock, &steps::AddLearner, &steps::StartMember, &steps::Sync];

/// The undos, in their order: the member leaves the list *before* its process is stopped. A promotion whose answer was lost may
/// still be applied, and a voter that is down costs quorum where one that is out of the list does not.
const UNDO: [&dyn Reversible; 3] = [&steps::AddLearner, &steps::StartMember, &steps::Lock];

/// How long `check` waits for plugins in monitor mode; each call has its own limit far below.
const MONITORED: Duration = Duration::from_secs(60);

/// What is wanted of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A new run.
    Join,
    /// Go on with the run in the journal: to its end, or to the end of its undo where that had begun.
    Resume,
    /// Undo the run in the journal.
    Rollback,
}

/// Executes a run and returns how it ended. `setup` is kept in the journal for the command's own use.
///
/// The journal must be fresh for [`Operation::Join`], and hold an unfinished run for the others.
pub async fn execute(
    operation: Operation,
    plan: JoinPlan,
    setup: serde_json::Value,
    parts: Parts,
    mut journal: Journal,
    interrupt: Interrupt,
) -> Conclusion {
    let begun = match operation {
        Operation::Join => journal.write(Record::Begun { plan: Box::new(plan.clone()), setup }),
        Operation::Resume | Operation::Rollback => Ok(()),
    };
    let undoing = journal.state().undo_intended;
    let mut run = Run::new(plan, parts, journal, interrupt.undo.clone());
    // An earlier runner of this run may have left its key.
    run.queued = operation != Operation::Join;
    let kind = match operation {
        Operation::Join => RunKind::Join,
        Operation::Resume => RunKind::Resume,
        Operation::Rollback => RunKind::Rollback,
    };
    let (id, member) = (run.plan.run.clone(), run.plan.name.clone());
    run.emit(EventKind::RunStarted { run: id, operation: kind, member });

    let unpromoted = Unpromoted { run };
    let ended = match begun {
        Err(error) => Ended { failure: Some(journal_failure(&error)), run: unpromoted.run, undone: true },
        Ok(()) if operation == Operation::Rollback => unpromoted.undo(asked_for(), &interrupt).await,
        Ok(()) if operation == Operation::Resume => unpromoted.again(undoing, &interrupt).await,
        Ok(()) => unpromoted.forward(&interrupt).await,
    };
    ended.conclude(undoing && operation == Operation::Resume).await
}

/// Says whether a join would be accepted now: discover and check, and nothing else. Changes nothing and tells no notifier.
pub async fn check_only(plan: JoinPlan, parts: Parts, interrupt: Interrupt) -> Conclusion {
    checked(plan, parts, interrupt, Whom::Member).await
}

/// Says whether the cluster is healthy enough for a worker node to join: the same checks and plugins, as far as they are about the
/// cluster. Of the plan only the name, the endpoints and the times are used, and the launcher not at all.
pub async fn check_for_worker(plan: JoinPlan, parts: Parts, interrupt: Interrupt) -> Conclusion {
    checked(plan, parts, interrupt, Whom::Worker).await
}

async fn checked(plan: JoinPlan, parts: Parts, interrupt: Interrupt, whom: Whom) -> Conclusion {
    let lines = Default::default();
    let journal = match Journal::in_memory(&lines) {
        Ok(journal) => journal,
        Err(error) => {
            let Failure { outcome, problem } = journal_failure(&error);
            return Conclusion { outcome, problem };
        }
    };
    let mut run = Run::new(plan, parts, journal, interrupt.undo);
    let (id, member) = (run.plan.run.clone(), run.plan.name.clone());
    run.emit(EventKind::RunStarted { run: id, operation: RunKind::Check, member });
    let accepted = match whom {
        Whom::Member => "a join would be accepted now",
        Whom::Worker => "the cluster is healthy enough for a worker to join",
    };
    let mut conclusion = Conclusion { outcome: Outcome::Accepted, problem: Problem::new(accepted) };
    let steps: [&dyn Reversible; 2] = [&steps::Discover, &steps::Check(whom)];
    for step in steps {
        let began = begin(&mut run, step.name());
        match step.run(&mut run).await {
            Ok(summary) => finish(&mut run, step.name(), began, summary),
            Err(failure) => {
                fail(&mut run, step.name(), &failure);
                conclusion = Conclusion { outcome: failure.outcome, problem: failure.problem };
                break;
            }
        }
    }
    // Here the report is the whole purpose: it waits for those whose word does not count, too.
    monitor::tell(&mut run, MONITORED).await;
    run.emit(EventKind::RunFinished {
        outcome: conclusion.outcome,
        exit_status: conclusion.outcome.exit_status(),
        message: conclusion.message.clone(),
        hints: conclusion.hints.clone(),
        duration: run.started.elapsed(),
    });
    conclusion
}

/// A run whose member is not a voter, for all that is known.
struct Unpromoted {
    run: Run,
}

/// A run whose member is a voter. There is no way back from here.
struct Promoted {
    run: Run,
}

/// A run that goes no further.
struct Ended {
    run: Run,
    /// Why it did not get to its end; none where it did.
    failure: Option<Failure>,
    /// Nothing of it is left in the cluster or on this node.
    undone: bool,
}

impl Unpromoted {
    async fn forward(mut self, interrupt: &Interrupt) -> Ended {
        for step in BEFORE {
            let began = begin(&mut self.run, step.name());
            match step.run(&mut self.run).await {
                Ok(summary) => finish(&mut self.run, step.name(), began, summary),
                Err(failure) => {
                    fail(&mut self.run, step.name(), &failure);
                    if failure.outcome == Outcome::Stuck {
                        return self.leave(failure).await;
                    }
                    return self.undo(failure, interrupt).await;
                }
            }
        }
        let began = begin(&mut self.run, Step::Promote);
        match steps::promote(&mut self.run).await {
            Ok(summary) => {
                finish(&mut self.run, Step::Promote, began, summary);
                Promoted { run: self.run }.forward().await
            }
            Err(failure) => {
                fail(&mut self.run, Step::Promote, &failure);
                if failure.outcome == Outcome::Stuck {
                    return self.leave(failure).await;
                }
                self.undo(failure, interrupt).await
            }
        }
    }

    /// Leaves everything as it is, resumable. Only the lock is given up: nobody works on this member any more.
    async fn leave(mut self, failure: Failure) -> Ended {
        let _ = undo_step(&mut self.run, &steps::Lock).await;
        Ended { run: self.run, failure: Some(failure), undone: false }
    }

    /// Goes on with what an earlier runner left: to the end of its undo where that had begun, else forward. A member that has become a
    /// voter meanwhile is verified, and nobody is asked about it again: not the queue, the checks or the plugins.
    async fn again(mut self, undoing: bool, interrupt: &Interrupt) -> Ended {
        if self.run.journal.state().before.is_none() {
            return if undoing { self.undo(asked_for(), interrupt).await } else { self.forward(interrupt).await };
        }
        let mut started = false;
        if undoing {
            self.run.cancel = interrupt.leave.clone();
        } else {
            match self.start_from_data().await {
                Ok(now) => started = now,
                Err(failure) => return self.leave(Failure { outcome: Outcome::Stuck, ..failure }).await,
            }
        }
        match claim(&mut self.run).await {
            Ok(Claim::Overtaken(why)) => {
                // Only what was started a moment ago, and is its own.
                let mut end = overtaken(&why);
                if let (true, Some(whose)) = (started, self.run.identity()) {
                    end.message.push_str(match self.run.parts.launcher.stop(&whose).await {
                        Ok(Guarded::Done(())) => " but its etcd, which was started again a moment ago, and is stopped",
                        Ok(Guarded::NotOurs(_)) | Err(_) => " but its etcd, which was started again a moment ago: stop it",
                    });
                }
                self.leave(end).await
            }
            Ok(Claim::Voter(id)) => self.voter(id).await,
            Ok(Claim::Open | Claim::Shared(..)) if undoing => self.undo(asked_for(), interrupt).await,
            Ok(Claim::Open | Claim::Shared(..)) => self.forward(interrupt).await,
            Err(failure) => {
                let unknown = self.unknown(failure);
                self.leave(unknown).await
            }
        }
    }

    /// Starts the member where the run had started it and it has its data: the quorum that everything after this needs may be waiting for
    /// it. Whether it is still ours is for the member list to say.
    async fn start_from_data(&mut self) -> Result<bool, Failure> {
        // What ran before the run is another's to start.
        let state = self.run.journal.state();
        if !state.start_intended || state.was_running {
            return Ok(false);
        }
        let (launcher, cluster) = (Arc::clone(&self.run.parts.launcher), Arc::clone(&self.run.parts.cluster));
        let began = Instant::now();
        let started =
            start_from_data(&*launcher, &*cluster, &self.run.plan, self.run.journal.state()).await? == FromData::Started;
        if started {
            begin(&mut self.run, Step::StartMember);
            finish(&mut self.run, Step::StartMember, began, "it was started again from its data".to_owned());
        }
        Ok(started)
    }

    /// Goes on with a member that is known to be a voter.
    async fn voter(mut self, id: MemberId) -> Ended {
        let mut missing = Vec::new();
        missing.extend(self.run.journal.state().member().is_none().then_some(Record::Added { id }));
        missing.extend(self.run.journal.state().undo_intended.then_some(Record::UndoGivenUp));
        missing.extend((!self.run.journal.state().promoted).then_some(Record::Promoted));
        for record in missing {
            if let Err(failure) = self.run.record(record) {
                return self.leave(Failure { outcome: Outcome::Stuck, ..failure }).await;
            }
        }
        let step = &steps::StartMember;
        let began = begin(&mut self.run, step.name());
        match step.run(&mut self.run).await {
            Ok(summary) => {
                finish(&mut self.run, step.name(), began, summary);
                Promoted { run: self.run }.forward().await
            }
            Err(failure) => {
                fail(&mut self.run, step.name(), &failure);
                let interrupted = failure.outcome == Outcome::Interrupted;
                let outcome = if interrupted { Outcome::Interrupted } else { Outcome::Stuck };
                let message = format!("the member is a voter, and does not run: {}", failure.message);
                self.leave(Problem { message, hints: failure.problem.hints }.ends(outcome)).await
            }
        }
    }

    /// Undoes everything, unless the member turns out to be a voter, or not to be this run's any more.
    async fn undo(mut self, failure: Failure, interrupt: &Interrupt) -> Ended {
        self.run.cancel = interrupt.leave.clone();
        // Where no promotion was asked for, what comes is an undo, whenever the cluster answers. Else that is to be seen.
        if !self.run.journal.state().promote_intended
            && let Err(stuck) = self.intend_undo()
        {
            return self.end(stuck);
        }
        let interrupted = failure.outcome == Outcome::Interrupted;
        if self.run.journal.state().before.is_some() {
            match claim(&mut self.run).await {
                Ok(Claim::Open) => {}
                Ok(Claim::Overtaken(why)) => return self.leave(overtaken(&why)).await,
                Ok(Claim::Shared(id, shows)) => {
                    let mut end = overtaken(&shared(id, &shows));
                    if failure.outcome != Outcome::RolledBackOnRequest {
                        // Its hints are for a node that is this run's own.
                        end.message = format!("{}; {}", failure.message, end.message);
                    }
                    return self.leave(end).await;
                }
                Ok(Claim::Voter(_)) => {
                    // So that it is known to whoever goes on with it: nothing is asked about a voter any more.
                    if let Err(stuck) = self.run.record(Record::Promoted) {
                        return self.end(Failure { outcome: Outcome::Stuck, ..stuck });
                    }
                    let mut stuck = steps_unverified("it was promoted before it could be removed");
                    stuck.outcome = if interrupted { Outcome::Interrupted } else { stuck.outcome };
                    return self.end(stuck);
                }
                Err(unread) => {
                    let stuck = self.unknown(unread);
                    let outcome =
                        if self.run.cancel.is_cancelled() || interrupted { Outcome::Interrupted } else { stuck.outcome };
                    let message = format!("{}; {}", failure.message, stuck.message);
                    return self.end(Problem { message, hints: stuck.problem.hints }.ends(outcome));
                }
            }
        }
        if let Err(stuck) = self.intend_undo() {
            return self.end(stuck);
        }
        let mut stuck: Option<Failure> = None;
        for step in UNDO {
            // A member that could not be removed keeps its process and its data, or it could never be resumed.
            if stuck.is_some() && step.name() != Step::Lock {
                continue;
            }
            if let Err(UndoError { error, remedy }) = undo_step(&mut self.run, step).await
                && step.name() != Step::Lock
            {
                let interrupted = self.run.cancel.is_cancelled();
                let outcome = if interrupted { Outcome::Interrupted } else { Outcome::Stuck };
                stuck = Some(Failure::new(outcome, format!("{}; {error}", failure.message)).hint(remedy));
            }
        }
        match stuck {
            Some(stuck) => self.end(stuck),
            None => Ended { run: self.run, failure: Some(failure), undone: true },
        }
    }

    /// Writes that the undo begins, unless that stands there.
    fn intend_undo(&mut self) -> Result<(), Failure> {
        if self.run.journal.state().undo_intended {
            return Ok(());
        }
        let written = self.run.record(Record::UndoIntended);
        written.map_err(|failure| Failure { outcome: Outcome::Stuck, ..failure })
    }

    /// Whether the member has a vote is not known, so nothing is done.
    fn unknown(&self, failure: Failure) -> Failure {
        let state = self.run.journal.state();
        let outcome = if failure.outcome == Outcome::Interrupted { Outcome::Interrupted } else { Outcome::Stuck };
        let mut failure = Failure { outcome, ..failure };
        if state.start_intended && state.was_running {
            failure = failure.hint(
                "where this node's etcd does not run, start it as it was started before: its vote may be what the quorum waits for",
            );
        } else if state.start_intended {
            failure = failure.hint(format!(
                "where this node's etcd does not run, {} first: its vote may be what the quorum waits for",
                Remedy::Start
            ));
        }
        failure = failure.hint(match state.undo_intended {
            true => format!("when that is mended, run {} again", Remedy::Rollback),
            false => {
                format!("when that is mended, run {} to finish the join or {} to undo it", Remedy::Resume, Remedy::Rollback)
            }
        });
        failure.hint(format!("{}, which closes this run and touches nothing", Remedy::Abandon { only: Only::ClusterGone }))
    }

    /// Goes no further, and leaves everything as it is.
    fn end(self, failure: Failure) -> Ended {
        Ended { run: self.run, failure: Some(failure), undone: false }
    }
}

fn asked_for() -> Failure {
    Failure::new(Outcome::RolledBackOnRequest, "asked for")
}

fn steps_unverified(reason: &str) -> Failure {
    Failure::new(Outcome::Stuck, format!("the member is a voter: {reason}"))
        .hint("run `runner resume` to verify it; only a person removes a voter")
}

impl Promoted {
    async fn forward(mut self) -> Ended {
        let began = begin(&mut self.run, Step::Verify);
        let failure = match steps::verify(&mut self.run).await {
            Ok(summary) => {
                finish(&mut self.run, Step::Verify, began, summary);
                steps::joined(&mut self.run).await;
                None
            }
            Err(failure) => {
                fail(&mut self.run, Step::Verify, &failure);
                Some(failure)
            }
        };
        // Held to the end, so that the next joiner meets a cluster that has settled.
        let _ = undo_step(&mut self.run, &steps::Lock).await;
        Ended { run: self.run, failure, undone: false }
    }
}

impl Ended {
    async fn conclude(mut self, was_undoing: bool) -> Conclusion {
        let conclusion = self.conclusion(was_undoing);
        let kept = conclusion.outcome == Outcome::Stuck || (conclusion.outcome == Outcome::Interrupted && !self.undone);
        if !kept && let Err(failure) = self.run.record(Record::Finished { outcome: conclusion.outcome }) {
            tracing::warn!("{}", failure.message);
        }
        let finished = Event::now(EventKind::RunFinished {
            outcome: conclusion.outcome,
            exit_status: conclusion.outcome.exit_status(),
            message: conclusion.message.clone(),
            hints: conclusion.hints.clone(),
            duration: self.run.started.elapsed(),
        });
        let began = begin(&mut self.run, Step::Announce);
        steps::announce(&mut self.run, &finished).await;
        finish(&mut self.run, Step::Announce, began, String::new());
        self.run.parts.sink.emit(finished);
        conclusion
    }

    fn conclusion(&self, was_undoing: bool) -> Conclusion {
        let name = &self.run.plan.name;
        let touched = self.run.journal.state().before.is_some();
        let Some(failure) = &self.failure else {
            return Conclusion { outcome: Outcome::Joined, problem: Problem::new(format!("{name} is a voter")) };
        };
        let (outcome, mut hints) = (failure.outcome, failure.hints.clone());
        let undone = match (touched, self.run.left.as_slice()) {
            (false, _) => "nothing was changed".to_owned(),
            (true, []) => "undone: the cluster is as it was".to_owned(),
            (true, left) => format!("undone: the cluster is as it was; on this node left as it is: {}", left.join("; ")),
        };
        let message = match outcome {
            Outcome::RolledBackOnRequest if was_undoing => format!("the undo had begun, and is finished: {undone}"),
            Outcome::RolledBackOnRequest => undone,
            Outcome::Interrupted if !self.undone => {
                hints.push(match self.run.journal.state().promoted {
                    true => "`runner resume` goes on".to_owned(),
                    false => "`runner resume` goes on, `runner rollback` undoes it".to_owned(),
                });
                format!("{}; the run can be resumed", failure.message)
            }
            Outcome::Stuck | Outcome::Overtaken => failure.message.clone(),
            _ if self.undone => format!("{}; {undone}", failure.message),
            _ => failure.message.clone(),
        };
        Conclusion { outcome, problem: Problem { message, hints } }
    }
}

fn begin(run: &mut Run, step: Step) -> Instant {
    run.emit(EventKind::StepStarted { step });
    Instant::now()
}

fn finish(run: &mut Run, step: Step, began: Instant, summary: String) {
    run.emit(EventKind::StepFinished { step, duration: began.elapsed(), summary });
}

fn fail(run: &mut Run, step: Step, failure: &Failure) {
    run.emit(EventKind::StepFailed { step, error: failure.message.clone() });
}

async fn undo_step(run: &mut Run, step: &dyn Reversible) -> Result<(), UndoError> {
    let name = step.name();
    if run.journal.state().before.is_some() && name != Step::Lock {
        run.emit(EventKind::Undoing { step: name });
    }
    match step.undo(run).await {
        Ok(None) => Ok(()),
        Ok(Some(summary)) => {
            run.emit(EventKind::Undone { step: name, summary });
            Ok(())
        }
        Err(error) => {
            run.emit(EventKind::UndoFailed { step: name, error: error.error.clone(), remedy: error.remedy.clone() });
            Err(error)
        }
    }
}
