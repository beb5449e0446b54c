//! What a run may still do with its member, once time has passed: it may have become a voter, or life may have overtaken the run.
//!
//! Between two commands other hands work on the same node: they remove our member, wipe its data and join the node by other means, or
//! promote it themselves. The journal only says what this run did.

use tokio::time::Instant;

use super::run::{Patience, Run};
use super::{DataDir, Failure, Identity};
use crate::Problem;
use crate::cluster::remedy::{Only, Remedy};
use crate::cluster::{Member, MemberId, MemberList};
use crate::terms::{Outcome, Step};

/// What may be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// The member has no vote, or is not in the list any more: the run may go on, or be undone.
    Open,
    /// It is a learner that this run has added, and other hands start it by now: the run may go on, but to undo it would be to undo theirs.
    /// Says what shows that, as a clause.
    Shared(MemberId, String),
    /// It is a voter, whoever promoted it: there is no way back.
    Voter(MemberId),
    /// The member is gone, and the node belongs to another one: nothing is left for this run to do. Says which, as a clause.
    Overtaken(String),
}

/// Looks what may be done, by the member list and the data on this node. Waits for a cluster that does not answer, as long as an undo
/// may.
///
/// # Errors
///
/// The cluster or the node's data cannot be read: then nothing is known.
pub(super) async fn claim(run: &mut Run) -> Result<Claim, Failure> {
    let mut patience = Patience::new(Step::Undo, run.plan.timeouts.undo);
    loop {
        match run.member_list().await {
            Ok(list) => {
                let dir = run.parts.launcher.data_dir().await.map_err(Failure::launch)?;
                let path = run.parts.launcher.data_dir_path();
                let mut claim = judge(run, &list, &dir, &path.display().to_string());
                if let (Claim::Open, Some(id)) = (&claim, added_learner(run, &list)) {
                    let whose = Identity { cluster_id: list.cluster_id, member_id: id };
                    let shows = run.parts.launcher.taken_over(&whose).await.map_err(Failure::launch)?;
                    claim = shows.map_or(Claim::Open, |shows| Claim::Shared(id, shows));
                }
                // An add that has had no answer may still take effect, and nobody would remove what comes of it.
                match run.add_settles.filter(|until| Instant::now() < *until) {
                    Some(until) if matches!(claim, Claim::Overtaken(_)) => patience.prolong(until),
                    _ => return Ok(claim),
                }
                patience.wait(run, "making sure that an add without an answer does not take effect late").await?;
            }
            Err(error) => {
                let text = format!("cannot tell whether the member is a voter: {error}");
                patience
                    .wait(run, &text)
                    .await
                    .map_err(|failure| Problem { message: text, hints: failure.problem.hints }.ends(failure.outcome))?;
            }
        }
    }
}

/// The learner in the list that an undo would remove.
fn added_learner(run: &Run, list: &MemberList) -> Option<MemberId> {
    let id = run.ours(list).filter(|id| run.journal.state().adopted != Some(*id))?;
    list.get(id).filter(|member| member.learner).map(|member| member.id)
}

fn judge(run: &Run, list: &MemberList, dir: &DataDir, path: &str) -> Claim {
    let state = run.journal.state();
    let ours = run.ours(list);
    if let Some(member) = ours.and_then(|id| list.get(id)) {
        return if member.voter() { Claim::Voter(member.id) } else { Claim::Open };
    }
    let known = |member: &Member| state.before.as_ref().is_some_and(|(before, _)| before.get(member.id).is_some());
    let at_our_url = list.using_peer_url(&run.plan.peer_urls).filter(|member| !known(member));
    if let (None, Some(learner)) = (state.member(), at_our_url.filter(|member| member.learner)) {
        // It may have come of our own add: whoever started it has made it theirs.
        return Claim::Overtaken(format!(
            "the learner {} ({}) with its peer URL was started by other hands (a new `runner join` takes it over; or, {})",
            learner.label(),
            learner.id,
            Remedy::remove(learner.id, Only::NobodyJoins)
        ));
    }
    let gone = match state.member() {
        Some(id) => format!("its member {id} is no longer in the list"),
        None if state.add_intents > 0 => "its member was never added".to_owned(),
        None => return Claim::Open,
    };
    if let DataDir::Member { cluster_id, member_id } = dir {
        let theirs = Identity { cluster_id: *cluster_id, member_id: *member_id };
        // What was there before this run is not its business; a member that was never added has no data.
        let before = run.data_dir_before() == Some(dir);
        if run.identity() != Some(theirs) && !before {
            return Claim::Overtaken(format!("{gone}, and {path} holds the data of member {member_id}"));
        }
    }
    match at_our_url {
        Some(other) => Claim::Overtaken(format!("{gone}, and {} ({}) has its peer URL", other.label(), other.id)),
        None => Claim::Open,
    }
}

/// Why a run is over whose learner other hands start by now.
pub(super) fn shared(id: MemberId, shows: &str) -> String {
    format!(
        "its learner {id} is joined by other hands now: {shows} (where it catches up, a new `runner join` takes it over; or, {})",
        Remedy::remove(id, Only::NobodyJoins)
    )
}

/// The end of a run that life has overtaken.
pub(super) fn overtaken(why: &str) -> Failure {
    Failure::new(Outcome::Overtaken, format!("the run is over: {why}; nothing was touched"))
}
