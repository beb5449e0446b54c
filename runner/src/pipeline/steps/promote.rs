//! promote: the learner becomes a voter. The point of no return: what was asked for here may be true whatever the answer.

use super::add_learner::removed_by_other;
use super::{lock, sync};
use crate::cluster::{MemberId, Reason};
use crate::pipeline::forecast;
use crate::pipeline::gate::Opinion;
use crate::pipeline::journal::Record;
use crate::pipeline::run::{Patience, Run};
use crate::pipeline::{Failure, Outcome};

/// Promotes our member, and returns when the member list says that it is a voter.
///
/// Every try is preceded by a look at the learner in the same second: etcd promotes one that has caught up and died since
/// (its rule looks at neither), and on a cluster of one voter that is an outage.
pub(in crate::pipeline) async fn promote(run: &mut Run) -> Result<String, Failure> {
    let mut patience = Patience::new("promote", run.plan.timeouts.promote);
    let Some(id) = run.journal.state().member() else {
        return Err(Failure::new(Outcome::RolledBack, "the member is not in the list"));
    };
    loop {
        run.check_interrupt()?;
        match is_voter(run, id).await {
            Ok(true) => return done(run, id),
            Ok(false) => {}
            Err(Refused::Gone) => return Err(removed_by_other(id)),
            Err(Refused::Unknown(error)) => {
                patience.wait_out(run, "cannot read the member list", &error).await?;
                continue;
            }
        }
        match forecast::promotion(run, id).await {
            Ok(None) => {}
            Ok(Some(reason)) => {
                patience.wait(run, &reason).await?;
                continue;
            }
            Err(error) => {
                patience.wait_out(run, "cannot read the cluster", &error).await?;
                continue;
            }
        }
        if let Some(reason) = not_alive(run, id).await? {
            patience.wait(run, &reason).await?;
            continue;
        }
        lock::ensure_held(run, "promote").await?;
        run.record(Record::PromoteIntended)?;
        let answer = match run.leader().await {
            Ok(endpoint) => run.parts.cluster.promote(&endpoint, id).await,
            Err(error) => Err(error),
        };
        match run.noted(answer) {
            Ok(()) => return done(run, id),
            Err(error) if error.reason == Reason::LearnerNotReady => {
                patience.wait(run, "etcd does not take the learner for caught up yet").await?;
            }
            // Promoted already, removed by somebody, or not known: the list tells.
            Err(error) if matches!(error.reason, Reason::MemberNotLearner | Reason::MemberNotFound) => {
                patience.wait(run, &error.to_string()).await?;
            }
            Err(error) => patience.wait_out(run, "cannot promote the member", &error).await?,
        }
    }
}

enum Refused {
    Gone,
    Unknown(crate::cluster::ClusterError),
}

async fn is_voter(run: &mut Run, id: MemberId) -> Result<bool, Refused> {
    match run.member_list().await {
        Ok(list) => list.get(id).map(|m| m.voter()).ok_or(Refused::Gone),
        Err(error) => Err(Refused::Unknown(error)),
    }
}

/// Why the learner must not be promoted in this moment; none where it may.
async fn not_alive(run: &mut Run, id: MemberId) -> Result<Option<String>, Failure> {
    let seen = sync::look_again(run, id).await.map_err(|e| Failure::cluster("cannot follow the learner", &e))?;
    let Some(seen) = seen else { return Ok(Some("the leader does not answer".to_owned())) };
    run.window.push(seen.sample);
    Ok(match run.window.judge(&run.plan.gate) {
        Opinion::Open => None,
        Opinion::Closed { reason } => Some(reason),
    })
}

fn done(run: &mut Run, id: MemberId) -> Result<String, Failure> {
    run.record(Record::Promoted)?;
    Ok(format!("member {id} is a voter"))
}
