//! promote: the learner becomes a voter. The point of no return: what was asked for here may be true whatever the answer.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::add_learner::removed_by_other;
use super::{Sync, check, lock, sync};
use crate::cluster::{MemberId, Reason, Result as ClusterResult};
use crate::pipeline::Failure;
use crate::pipeline::forecast;
use crate::pipeline::gate::{Opinion, Window};
use crate::pipeline::journal::Record;
use crate::pipeline::run::{Patience, Run};
use crate::pipeline::step::Reversible;
use crate::terms::{Outcome, Step};

/// How long the learner may take to apply an entry that was written for it to see: ten heartbeats of etcd's default. One that cannot in that
/// time would hold up every write once its vote is needed.
const PROOF: Duration = Duration::from_secs(1);

/// How often is looked whether it has: about a round trip within a data centre.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Promotes our member, and returns when the member list says that it is a voter.
///
/// etcd promotes a learner that has caught up and died since, or that nobody can reach any more (its rule looks at neither), and on a
/// cluster of one voter that is an outage. So the last thing before every try is a proof: an entry is written and seen applied by the
/// learner. The lock and the journal come before it, and nothing that can wait comes after it.
pub(in crate::pipeline) async fn promote(run: &mut Run) -> Result<String, Failure> {
    // After a proof that was missed the gate's whole window has to pass again, and once more after the next.
    let mut patience = Patience::new(Step::Promote, run.plan.timeouts.promote + 3 * run.plan.gate.stability);
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
        if lock::ensure_held(run, Step::Promote).await? {
            approved_again(run).await?;
            patience.renew();
            continue;
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
        if let Some(reason) = not_steady(run, id).await? {
            patience.wait(run, &reason).await?;
            continue;
        }
        if !run.journal.state().promote_intended {
            run.record(Record::PromoteIntended)?;
        }
        let proven = prove(run, id).await;
        let endpoint = match run.noted(proven) {
            Ok(Proof::Given { leader }) => leader,
            Ok(Proof::Missing { reason }) => {
                // What was steady before has ended.
                run.window = Window::default();
                patience.wait(run, &reason).await?;
                continue;
            }
            Err(error) => {
                patience.wait_out(run, "cannot write an entry for the learner to apply", &error).await?;
                continue;
            }
        };
        run.promotion_sent = true;
        let answer = run.parts.cluster.promote(&endpoint, id).await;
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

/// After a queue: the checks, the gate's window and the plugins anew, as if the run had come here for the first time.
async fn approved_again(run: &mut Run) -> Result<(), Failure> {
    check::again(run).await?;
    run.window = Window::default();
    Sync.run(run).await.map(drop)
}

/// Whether the learner has applied an entry that was written for it.
enum Proof {
    /// It has, in this very moment; the leader is to be asked here.
    Given { leader: String },
    /// It has not, and why.
    Missing { reason: String },
}

async fn prove(run: &mut Run, id: MemberId) -> ClusterResult<Proof> {
    let leader = run.leader().await?;
    let cluster = Arc::clone(&run.parts.cluster);
    cluster.propose(&leader).await?;
    let written = cluster.status(&leader).await?;
    if written.leader != Some(written.member_id) {
        run.view = None;
        return Ok(Proof::Missing { reason: "the leader has changed".to_owned() });
    }
    let (entry, url) = (written.raft_applied_index, run.plan.client_urls.first().cloned().unwrap_or_default());
    let applied = async {
        loop {
            let seen = cluster.status(&url).await.ok().filter(|own| own.member_id == id);
            if seen.is_some_and(|own| own.raft_applied_index >= entry) {
                return;
            }
            sleep(LOOK_EVERY).await;
        }
    };
    Ok(match timeout(PROOF, applied).await {
        Ok(()) => Proof::Given { leader },
        Err(_) => Proof::Missing {
            reason: format!("the learner does not apply what is written: not entry {entry} within {} s", PROOF.as_secs()),
        },
    })
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

/// Why the learner is not steady in this moment, by the gate; none where it is.
async fn not_steady(run: &mut Run, id: MemberId) -> Result<Option<String>, Failure> {
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
