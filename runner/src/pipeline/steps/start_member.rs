//! start-member: its etcd comes up and publishes itself in the member list.

use async_trait::async_trait;

use super::add_learner::removed_by_other;
use crate::cluster::{Member, MemberId, MemberList};
use crate::pipeline::journal::Record;
use crate::pipeline::run::{Patience, Run};
use crate::pipeline::step::{Reversible, StepName, UndoError};
use crate::pipeline::{DataDir, Failure, MemberSpec, Outcome, Running};

/// Starts the member; the undo stops it and removes what it wrote.
pub(in crate::pipeline) struct StartMember;

#[async_trait]
impl Reversible for StartMember {
    fn name(&self) -> StepName {
        "start-member"
    }

    async fn run(&self, run: &mut Run) -> Result<String, Failure> {
        let mut patience = Patience::new(self.name(), run.plan.timeouts.start);
        let mut handed_over = false;
        loop {
            run.check_interrupt()?;
            let list = match run.member_list().await {
                Ok(list) => list,
                Err(error) => {
                    patience.wait_out(run, "cannot read the member list", &error).await?;
                    continue;
                }
            };
            let member = ours(run, &list)?;
            if !handed_over {
                // The list must be the one that etcd sees at its start, or it refuses with `member count is unequal`.
                let spec = spec(run, &list, member.id);
                run.record(Record::StartIntended)?;
                run.parts.launcher.start(&spec).await?;
                handed_over = true;
            } else if let Running::No { log } = run.parts.launcher.running().await {
                return Err(died(&log));
            }
            if member.started() {
                return Ok(format!("{} runs", member.name));
            }
            if let Err(mut failure) = patience.wait(run, "the member has not published itself yet").await {
                if failure.outcome == Outcome::TimedOut {
                    failure.hints.push("its log tells what it waits for".to_owned());
                    failure.hints.extend(run.parts.launcher.where_to_look().await);
                }
                return Err(failure);
            }
        }
    }

    async fn undo(&self, run: &mut Run) -> Result<Option<String>, UndoError> {
        let state = run.journal.state();
        if !state.start_intended {
            return Ok(None);
        }
        let ours = state.added.is_some();
        let launcher = std::sync::Arc::clone(&run.parts.launcher);
        let path = launcher.data_dir_path();
        let failed = |error: crate::pipeline::LaunchError| UndoError {
            error: error.message,
            remedy: format!("stop the member's etcd, then remove {}", path.display()),
        };
        launcher.stop().await.map_err(failed)?;
        // Data that was there before is not ours to remove, and a member that was taken over keeps its log: without it, it could
        // never start again.
        let folder = match run.data_dir_before() {
            Some(DataDir::Absent) if ours => true,
            Some(DataDir::Empty) if ours => false,
            _ => return Ok(Some("the member is stopped; its data stays".to_owned())),
        };
        let aside = launcher.discard_data(folder).await.map_err(failed)?;
        Ok(Some(match aside {
            Some(aside) => format!("the member is stopped and its data moved to {}", aside.display()),
            None => "the member is stopped and its data removed".to_owned(),
        }))
    }
}

/// Our member in the list; it must be there and in it by the id that we know.
fn ours<'a>(run: &Run, list: &'a MemberList) -> Result<&'a Member, Failure> {
    let id = run.ours(list).ok_or_else(|| Failure::new(Outcome::RolledBack, "the member is not in the list"))?;
    list.get(id).ok_or_else(|| removed_by_other(id))
}

/// What the member starts with. Every member of the list must be named: one that has not started gets its id for a name, as
/// kubeadm does it.
pub(super) fn spec(run: &Run, list: &MemberList, id: MemberId) -> MemberSpec {
    let entries = list.members.iter().flat_map(|m| {
        let name = match (m.id == id, m.name.is_empty()) {
            (true, _) => run.plan.name.clone(),
            (false, true) => m.id.to_string(),
            (false, false) => m.name.clone(),
        };
        m.peer_urls.iter().map(move |url| (name.clone(), url.clone()))
    });
    MemberSpec {
        name: run.plan.name.clone(),
        peer_urls: run.plan.peer_urls.clone(),
        client_urls: run.plan.client_urls.clone(),
        initial_cluster: entries.collect(),
        existing: true,
    }
}

/// The member's etcd ended by itself: its last words are the reason.
pub(super) fn died(log: &[String]) -> Failure {
    let last = log.last().map_or("it logged nothing", String::as_str);
    let mut failure = Failure::new(Outcome::RolledBack, format!("the member's etcd has stopped: {last}"));
    let before = log.len().saturating_sub(6);
    failure.hints.extend(log[before..log.len().saturating_sub(1)].iter().map(|line| format!("it logged: {line}")));
    failure
}
