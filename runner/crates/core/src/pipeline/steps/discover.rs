//! discover: find the cluster from the given endpoints, and see all of it.

use async_trait::async_trait;

use crate::cluster::{Class, Reason};
use crate::event::EventKind;
use crate::pipeline::Failure;
use crate::pipeline::run::{Patience, Run};
use crate::pipeline::step::Reversible;
use crate::terms::{Outcome, Severity, Step};

/// Changes nothing, so there is nothing to undo.
pub(in crate::pipeline) struct Discover;

#[async_trait]
impl Reversible for Discover {
    fn name(&self) -> Step {
        Step::Discover
    }

    async fn run(&self, run: &mut Run) -> Result<String, Failure> {
        let mut patience = Patience::new(self.name(), run.plan.timeouts.discover);
        let view = loop {
            run.check_interrupt()?;
            match run.observe().await {
                Ok(view) => break view,
                Err(error) => {
                    let two_clusters = error.reason == Reason::ClusterIdMismatch && run.cluster.is_none();
                    let outcome = if two_clusters { Outcome::CheckRefused } else { Outcome::Unreachable };
                    let failure = Failure { outcome, ..Failure::cluster("cannot read the cluster", &error) };
                    if error.class() == Class::Fatal {
                        return Err(failure);
                    }
                    match patience.wait(run, &failure.message).await {
                        Err(timed_out) if timed_out.outcome == Outcome::TimedOut => return Err(failure),
                        waited => waited?,
                    }
                }
            }
        };
        for error in &view.silent {
            run.emit(EventKind::Finding {
                source: "runner".to_owned(),
                severity: Severity::Warning,
                code: "endpoint-silent".to_owned(),
                message: format!("a given endpoint does not answer: {error}"),
                remedy: crate::cluster::advice(error.reason).map(str::to_owned),
                member: None,
                waived: None,
                monitored: false,
            });
        }
        let leader = view.leader_view().map_or_else(|| "none".to_owned(), |m| m.member.label());
        let learners = view.list().learners().count();
        let counted = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let learners = if learners == 0 { String::new() } else { format!(", {}", counted(learners, "learner")) };
        let voters = counted(view.voters().count(), "voter");
        Ok(format!("cluster {:x}: {voters}{learners}, leader {leader}", view.cluster_id))
    }
}
