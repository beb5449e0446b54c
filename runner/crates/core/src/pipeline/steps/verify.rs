//! verify: every member sees the new voter, and the new voter serves a linearizable read.

use std::sync::Arc;

use futures::future::join_all;

use crate::cluster::{MemberId, View};
use crate::pipeline::Failure;
use crate::pipeline::run::{Patience, Run};
use crate::terms::{Outcome, Step};

/// Returns when all that can be asked agree. There is no undo: a voter is only tried again.
pub(in crate::pipeline) async fn verify(run: &mut Run) -> Result<String, Failure> {
    let mut patience = Patience::new(Step::Verify, run.plan.timeouts.verify);
    loop {
        run.check_interrupt()?;
        let reason = match run.observe().await {
            Ok(view) => match ours(run, &view) {
                Some(id) => match disagreement(run, &view, id).await {
                    None => return Ok(format!("{} voters agree, and it serves reads", view.voters().count())),
                    Some(reason) => reason,
                },
                None => return Err(gone(run)),
            },
            Err(error) => format!("cannot read the cluster: {error}"),
        };
        patience.wait(run, &reason).await.map_err(|failure| match failure.outcome {
            Outcome::TimedOut => unverified(&failure.message),
            _ => failure,
        })?;
    }
}

fn ours(run: &Run, view: &View) -> Option<MemberId> {
    run.journal.state().member().filter(|id| view.get(*id).is_some())
}

/// Who does not agree yet, or why the new voter does not serve; none where all is well.
async fn disagreement(run: &Run, view: &Arc<View>, id: MemberId) -> Option<String> {
    let ours = view.get(id)?;
    if ours.member.learner {
        return Some("the member list still calls it a learner".to_owned());
    }
    let status = match &ours.status {
        Ok(status) => status,
        Err(error) => return Some(format!("the new voter does not answer: {error}")),
    };
    if status.learner {
        return Some("the new voter still takes itself for a learner".to_owned());
    }
    if status.leader.is_none() {
        return Some("the new voter knows of no leader".to_owned());
    }
    let cluster = &run.parts.cluster;
    let url = ours.endpoint.clone().unwrap_or_default();
    // Members that do not answer were known before the join (`voter-silent`), or are told by their absence in the summary.
    let others = view.voters().filter(|m| m.status.is_ok()).filter_map(|m| Some((m.member.label(), m.endpoint.clone()?)));
    let lists = join_all(others.map(|(who, endpoint)| async move { (who, cluster.member_list(&endpoint).await) }));
    let (read, lists) = tokio::join!(cluster.linearizable_read(&url), lists);
    if let Err(error) = read {
        return Some(format!("the new voter does not serve reads yet: {error}"));
    }
    lists.into_iter().find_map(|(who, list)| match list {
        Ok(list) if list.get(id).is_some_and(|m| m.voter()) => None,
        Ok(_) => Some(format!("{who} does not see the new voter yet")),
        Err(error) => Some(format!("{who} does not give its member list: {error}")),
    })
}

fn gone(run: &Run) -> Failure {
    let id = run.journal.state().member().map(|id| id.to_string()).unwrap_or_default();
    Failure::new(Outcome::Stuck, format!("member {id} was promoted and is no longer in the list")).hint(
        "somebody removed it: find out who before joining again; `runner rollback` moves its data aside and closes the run",
    )
}

/// The failure of a voter that could not be verified.
pub(in crate::pipeline) fn unverified(reason: &str) -> Failure {
    Failure::new(Outcome::Stuck, format!("the member is a voter, but could not be verified: {reason}"))
        .hint("a voter is not undone by itself; `runner start` starts it where it does not run, and `runner resume` verifies it when the cause is mended")
}
