//! The end of a run whose node was reset: by `kubeadm reset`, which takes away the data and the certificates, but leaves the member in the
//! list where it does not know the node yet.

use std::path::Path;

use super::execution::execute_run;
use super::resume;
use super::setup::Setup;
use super::state_dir::MemberState;
use super::{Ended, Frame, bad_input};
use crate::cluster::remedy::{Only, Remedy};
use crate::pipeline::{DataDir, Failure, Guarded, JoinPlan, Journal, Operation, Outcome, Record};

/// Closes the run where nothing of it is left on this node: its member has no log to ever start from again. Where there still is something,
/// only the cluster could tell whether it is a voter's, and nobody can ask it: then nothing is touched.
///
/// `lost` is the file that is missing.
pub(super) async fn end(
    operation: Operation,
    lost: &Path,
    plan: &JoinPlan,
    setup: &Setup,
    mut journal: Journal,
    frame: &Frame,
) -> Ended {
    let name = &plan.name;
    let gone = format!("the join of {name} (run {}) is unfinished, and {} is gone", plan.run, lost.display());
    let launcher = setup.launcher.build(|_| {});
    let data = launcher.data_dir().await.map_err(Failure::launch)?;
    let path = launcher.data_dir_path();
    let path = path.display();
    if !matches!(data, DataDir::Absent | DataDir::Empty) {
        let what = match &data {
            DataDir::Member { member_id, .. } => format!("the data of member {member_id}"),
            DataDir::Foreign { what } => what.clone(),
            _ => "data that cannot be seen from here".to_owned(),
        };
        return Err(bad_input(format!("{gone}, so the cluster cannot be asked; {path} still holds {what}"))
            .hint(format!(
                "bring the file back (from a backup, or from another control-plane node), then run `runner {}` again",
                word(operation)
            ))
            .hint(format!("{}, which closes this run and touches nothing", Remedy::Abandon { only: Only::ClusterGone })));
    }
    if operation == Operation::Resume {
        return Err(bad_input(format!("{gone}, and {path} holds no data: there is nothing to go on with"))
            .hint(format!("{} closes the run; then the node can be joined anew", Remedy::Rollback)));
    }
    // A manifest that was left would start a member without its log.
    let identity = journal.state().identity();
    if let Some(whose) = identity
        && let Guarded::NotOurs(whose) = launcher.stop(&whose).await.map_err(Failure::launch)?
    {
        frame.printer.print_warning(&format!("an etcd of this node is left as it is: {whose}"));
    }
    let member = journal.state().member();
    journal.write(Record::Finished { outcome: Outcome::Overtaken }).map_err(|error| bad_input(error.to_string()))?;
    frame.printer.say(&format!("{gone}, and so is its data: the node was reset, and the run is closed"));
    if let Some(id) = member {
        // Whether it has left the list only the cluster can say.
        frame.printer.print_warning(&format!(
            "whether its member {id} has left the cluster cannot be seen from here: look on another control-plane node; \
             {}, or no other node can join",
            Remedy::remove(id, Only::Learner)
        ));
    }
    Ok(Outcome::RolledBackOnRequest)
}

/// Undoes an unfinished run that nobody can go on with, as its etcd was started and its data is gone; does nothing where there is none. The
/// certificates are there again.
///
/// # Errors
///
/// Something of it could not be undone, or its member is a voter by now, which only a person removes.
pub(super) async fn undo(state: &MemberState, frame: &Frame) -> Result<(), Failure> {
    if !state.journal_path().is_file() {
        return Ok(());
    }
    let journal = state.journal()?;
    if !journal.state().unfinished() || !journal.state().start_intended {
        return Ok(());
    }
    let (plan, setup) = resume::read(&journal)?;
    let data = setup.launcher.build(|_| {}).data_dir().await.map_err(Failure::launch)?;
    if !matches!(data, DataDir::Absent | DataDir::Empty) {
        return Ok(());
    }
    frame.printer.say("an earlier join of this member was reset in the middle, and its data is gone: it is undone first");
    let setup = setup.without_absent(&frame.defaults.distribution, frame.printer);
    match execute_run(Operation::Rollback, plan, &setup, journal, state, frame).await? {
        Outcome::RolledBackOnRequest | Outcome::Overtaken => Ok(()),
        other => Err(Failure::new(other, "the earlier join could not be undone; what was said above tells why")),
    }
}

fn word(operation: Operation) -> &'static str {
    match operation {
        Operation::Resume => "resume",
        _ => "rollback",
    }
}
