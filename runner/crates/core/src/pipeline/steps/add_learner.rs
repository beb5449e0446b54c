//! add-learner: the member enters the list without a vote.
//!
//! Half-success is normal: an add whose answer was lost may have been applied. So the intent goes to the journal first, with the
//! list as it was, and what is ours is found by peer URLs among what was not there before.

use async_trait::async_trait;
use tokio::time::Instant;

use super::{check, lock};
use crate::cluster::oracle::Change;
use crate::cluster::remedy::{Only, Remedy};
use crate::cluster::{Class, Member, MemberId, MemberList, Reason};
use crate::event::EventKind;
use crate::pipeline::Failure;
use crate::pipeline::adoption::Standing;
use crate::pipeline::forecast;
use crate::pipeline::journal::Record;
use crate::pipeline::run::{Patience, Run};
use crate::pipeline::step::{Reversible, UndoError};
use crate::terms::{Outcome, StaleLearner, Step};

/// Adds the learner; the undo removes it by its id.
pub(in crate::pipeline) struct AddLearner;

#[async_trait]
impl Reversible for AddLearner {
    fn name(&self) -> Step {
        Step::AddLearner
    }

    async fn run(&self, run: &mut Run) -> Result<String, Failure> {
        let mut patience = Patience::new(self.name(), run.plan.timeouts.add);
        let mut slot = Patience::new(self.name(), run.plan.timeouts.learner_slot);
        // The learners beside which etcd refused one more: until they change, it will again.
        let mut full: Option<Vec<MemberId>> = None;
        let mut checked = true;
        loop {
            run.check_interrupt()?;
            let list = match run.member_list().await {
                Ok(list) => list,
                Err(error) => {
                    patience.wait_out(run, "cannot read the member list", &error).await?;
                    continue;
                }
            };
            if let Some(done) = already(run, &list).await? {
                return Ok(done);
            }
            let learners: Vec<MemberId> = list.learners().map(|m| m.id).collect();
            if full.is_some() && full.as_ref() != Some(&learners) {
                full = None;
                patience.renew();
            }
            let blocked = full.is_some() || run.plan.stale_learner == StaleLearner::Fail;
            if let Some(other) = others_learner(run, &list).filter(|_| blocked) {
                let text = taken_slot(other);
                if run.plan.stale_learner == StaleLearner::Fail {
                    return Err(slot_failure(&text, other));
                }
                slot.wait(run, &text).await.map_err(|f| match f.outcome {
                    Outcome::TimedOut => slot_failure(&f.message, other),
                    _ => f,
                })?;
                checked &= !lock::give_way(run, self.name()).await?;
                continue;
            }
            checked &= !lock::ensure_held(run, self.name()).await?;
            if !checked {
                check::again(run).await?;
                checked = true;
                patience.renew();
                continue;
            }
            let data_dir = run.parts.launcher.data_dir().await.map_err(Failure::launch)?;
            let was_there = |id| list.get(id).is_some();
            let (before, data_dir) = (list.clone(), data_dir);
            // An add that has had no answer is told by its record: the one after it needs one of its own.
            let unanswered = run.add_settles.is_some();
            if unanswered || run.last_intent.as_ref() != Some(&(before.clone(), data_dir.clone())) {
                run.last_intent = Some((before.clone(), data_dir.clone()));
                run.record(Record::AddIntended { before, data_dir })?;
            }
            match add(run).await {
                // Not believed, since what is ours is removed when something fails. The list tells.
                Ok(id) if was_there(id) => {
                    patience.wait(run, &format!("etcd answered that it added {id}, which was a member before")).await?;
                }
                Ok(id) => return added(run, id),
                // Applied by an earlier try of ours, or somebody else's just now: the list tells.
                Err(error) if error.reason == Reason::PeerUrlExists || error.reason == Reason::MemberExists => {
                    patience.wait(run, &error.to_string()).await?;
                }
                // An id is made of the peer URLs and the time in whole seconds (computeMemberID in etcd). This second's was removed
                // with an earlier run's member and can never be used again; the next second's can.
                Err(error) if error.reason == Reason::MemberNotFound => {
                    patience.wait(run, "the id that etcd would give the member was removed a moment ago").await?;
                }
                Err(error) if error.class() == Class::WaitForOther => {
                    full = Some(learners);
                    slot.wait(run, &format!("etcd: {error}")).await?;
                }
                Err(error) => {
                    let doing = doing(run, error.reason);
                    patience.wait_out(run, &doing, &error).await?;
                }
            }
        }
    }

    async fn undo(&self, run: &mut Run) -> Result<Option<String>, UndoError> {
        if run.journal.state().before.is_none() {
            return Ok(None);
        }
        let mut patience = Patience::new(self.name(), run.plan.timeouts.undo);
        let mut removed = None;
        loop {
            let list = match run.member_list().await {
                Ok(list) => list,
                Err(error) => {
                    let waited = patience.wait(run, &format!("cannot read the member list: {error}")).await;
                    waited.map_err(|f| by_hand(run, &f.message))?;
                    continue;
                }
            };
            let adopted = run.journal.state().adopted;
            if let Some(voter) = adopted.and_then(|id| list.get(id)).filter(|member| member.voter()) {
                return Err(promoted_by_others(voter.id));
            }
            let ours = run.ours(&list).filter(|id| adopted != Some(*id) && list.get(*id).is_some());
            // An earlier add may take effect after a later one was answered, and undone.
            let ours = ours.or_else(|| run.add_settles.and_then(|_| run.came_unanswered(&list)));
            match ours.and_then(|id| list.get(id)) {
                Some(member) => {
                    let id = member.id;
                    if !member.has_peer_urls(&run.plan.peer_urls) {
                        return Err(UndoError {
                            error: format!("member {id} now has other peer URLs: it may be somebody else's"),
                            remedy: "find out who has changed them; where it has them back, run `runner rollback` again, and where it \
                                     keeps them, `runner rollback --abandon` closes the run and touches nothing"
                                .to_owned(),
                        });
                    }
                    if member.voter() && !run.promotion_sent {
                        return Err(promoted_by_others(id));
                    }
                    removed = Some(id);
                    if run.journal.state().added.is_none() {
                        // So that a second undo knows it by its id.
                        run.record(Record::Added { id }).map_err(|f| by_hand(run, &f.message))?;
                    }
                    if let Err(error) = remove(run, id).await {
                        let waited = match error.class() {
                            Class::Fatal if error.reason != Reason::MemberNotFound => Err(error.to_string()),
                            _ => patience
                                .wait(run, &format!("cannot remove {id}: {error}"))
                                .await
                                .map_err(|f| f.problem.message),
                        };
                        waited.map_err(|text| by_hand(run, &text))?;
                    }
                }
                None if let Some(until) = run.add_settles.filter(|until| Instant::now() < *until) => {
                    // An add of ours has had no answer: it may still be applied, and removing it then is nobody's job but ours.
                    patience.prolong(until);
                    let waited =
                        patience.wait(run, "making sure that an add without an answer does not take effect late").await;
                    waited.map_err(|f| by_hand(run, &f.message))?;
                }
                None => {
                    run.add_settles = None;
                    run.adopted_stays = adopted.is_some_and(|id| list.get(id).is_some());
                    return Ok(removed
                        .or(run.journal.state().added)
                        .map(|id| format!("member {id} is no longer in the list")));
                }
            }
        }
    }
}

/// What needs no add: ours is in the list already, by an earlier run or an answer that was lost.
async fn already(run: &mut Run, list: &MemberList) -> Result<Option<String>, Failure> {
    if let Some(id) = run.ours(list) {
        let Some(member) = list.get(id) else { return Err(removed_by_other(id)) };
        let text = format!("member {id} is in the list as a {}", if member.learner { "learner" } else { "voter" });
        if run.journal.state().member().is_none() {
            added(run, id)?;
        }
        return Ok(Some(text));
    }
    let (id, text) = match run.standing(list).await? {
        Standing::Fresh => return Ok(None),
        Standing::Adopt(id) => (id, "was added for this node and has not started"),
        Standing::Resume(id) => (id, "is a learner with its data on this node"),
        Standing::Voter(id) => (id, "is a voter with its data on this node"),
        Standing::Stop(stop) => return Err(Failure::new(Outcome::CheckRefused, stop.message).hint(stop.remedy)),
    };
    let data_dir = run.parts.launcher.data_dir().await.map_err(Failure::launch)?;
    run.record(Record::AddIntended { before: list.clone(), data_dir })?;
    run.record(Record::Adopted { id })?;
    Ok(Some(format!("took over member {id}: it {text}")))
}

fn added(run: &mut Run, id: MemberId) -> Result<String, Failure> {
    run.record(Record::Added { id })?;
    run.emit(EventKind::MemberAdded { id });
    Ok(format!("member {id}"))
}

async fn add(run: &mut Run) -> crate::cluster::Result<MemberId> {
    forecast::tell(run, &Change::AddLearner(run.plan.peer_urls.clone())).await?;
    let endpoint = run.leader().await?;
    let answer = run.parts.cluster.add_learner(&endpoint, &run.plan.peer_urls).await;
    if answer.as_ref().is_err_and(|e| e.ambiguous()) {
        run.add_unanswered();
    }
    run.noted(answer)
}

async fn remove(run: &mut Run, id: MemberId) -> crate::cluster::Result<()> {
    forecast::tell(run, &Change::Remove(id)).await?;
    let endpoint = run.leader().await?;
    let answer = run.parts.cluster.remove(&endpoint, id).await;
    run.noted(answer)
}

/// What a refused add waits for. etcd counts the voters that have been connected for 5 s (`HealthInterval`): who is down is seen, who was
/// connected too late is not, and is what there is to wait for right after another join.
fn doing(run: &Run, refused: Reason) -> String {
    match (&run.forecast, refused) {
        (Some(forecast), Reason::UnhealthyCluster) if !forecast.accepted() => forecast.why.clone(),
        (_, Reason::UnhealthyCluster) => "etcd adds a member once all voters have been connected for 5 s".to_owned(),
        _ => "cannot add the member".to_owned(),
    }
}

fn others_learner<'a>(run: &Run, list: &'a MemberList) -> Option<&'a Member> {
    list.learners().find(|m| !m.has_peer_urls(&run.plan.peer_urls))
}

fn taken_slot(other: &Member) -> String {
    format!("{} ({}) is a learner, and etcd takes no other beside it", other.label(), other.id)
}

fn slot_failure(text: &str, other: &Member) -> Failure {
    Failure::new(Outcome::CheckRefused, text).hint(Remedy::remove(other.id, Only::NobodyJoins).to_string())
}

/// Somebody else removed our member: this run must not add it again behind their back.
pub(super) fn removed_by_other(id: MemberId) -> Failure {
    Failure::new(Outcome::RolledBack, format!("member {id} was removed from the list by somebody else"))
        .hint("find out who removes members here (a cluster controller, another operator) before joining again")
}

/// Our member got its vote while it was to be removed, or it was never this run's to remove. Only a promotion that this run has asked for
/// itself, and whose answer was lost, is taken back: until it is known, the member counts as a learner.
fn promoted_by_others(id: MemberId) -> UndoError {
    UndoError {
        error: format!("member {id} is a voter now"),
        remedy: "run `runner resume` to verify it; only a person removes a voter".to_owned(),
    }
}

fn by_hand(run: &Run, error: &str) -> UndoError {
    let what = match run.journal.state().added {
        Some(id) => {
            format!("run `runner rollback` when the cluster answers again; or, {}", Remedy::remove(id, Only::Learner))
        }
        None => format!(
            "run {} when the cluster answers again: a member that came of an add without an answer is looked for, and removed",
            Remedy::Rollback
        ),
    };
    UndoError { error: format!("the member could not be removed: {error}"), remedy: what }
}
