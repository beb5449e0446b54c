//! The end of a run whose node was reset: `kubeadm reset` takes away the manifest, the data and the certificates, but leaves the member in
//! the list where it does not know the node yet.

use std::path::Path;

use super::cluster_args::Trust;
use super::execution::execute_run;
use super::resume;
use super::setup::{ChosenLauncher, Setup};
use super::state_dir::MemberState;
use super::{Ended, Frame, bad_input};
use crate::cluster::remedy::{Only, Remedy};
use crate::launch::StaticPodLauncher;
use crate::pipeline::{DataDir, Failure, JoinPlan, Journal, JournalState, Launcher, Operation, Outcome, Record};

/// Whether nothing is left of a static pod that this run has handed to the kubelet: nobody can go on with it, and nothing starts it again. A
/// disk that is not mounted takes away the data, but not the manifest.
///
/// # Errors
///
/// The data directory or the manifests folder cannot be read.
async fn was_reset(state: &JournalState, setup: &Setup) -> Result<bool, Failure> {
    let ChosenLauncher::StaticPod(config) = &setup.launcher else { return Ok(false) };
    if !state.start_intended || state.was_running {
        return Ok(false);
    }
    let launcher = StaticPodLauncher::new(config.clone());
    let data = launcher.data_dir().await.map_err(Failure::launch)?;
    Ok(matches!(data, DataDir::Absent | DataDir::Empty) && !launcher.has_manifest().map_err(Failure::launch)?)
}

/// What becomes of a run that cannot ask the cluster, since a file of its certificates is gone. A rollback closes it where the node was reset
/// and its member never had a vote, as far as the run knows; else nothing is touched.
///
/// `lost` is the file.
pub(super) async fn end(
    operation: Operation,
    lost: &Path,
    plan: &JoinPlan,
    setup: &Setup,
    mut journal: Journal,
    frame: &Frame,
) -> Ended {
    let state = journal.state();
    let gone = format!("the join of {} (run {}) is unfinished, and {} is gone", plan.name, plan.run, lost.display());
    let may_vote = state.promoted || state.promote_intended;
    if may_vote || !was_reset(state, setup).await? {
        let mut failure = bad_input(format!("{gone}: the cluster cannot be asked"))
            .hint("bring the file back, from a backup or another control-plane node, and run the same command again");
        if let Some(id) = state.member().filter(|_| may_vote) {
            failure = failure.hint(format!(
                "its member {id} may have a vote: `etcdctl member list` on another control-plane node tells; {}",
                Remedy::remove(id, Only::GoneForGood)
            ));
        }
        return Err(failure.hint(Remedy::Abandon { only: Only::ClusterGone }.to_string()));
    }
    if operation == Operation::Resume {
        return Err(bad_input(format!("{gone}, and so are its manifest and its data: there is nothing to go on with"))
            .hint(format!("{} closes the run; then the node can be joined anew", Remedy::Rollback)));
    }
    let (member, added) = (state.member(), state.add_intents > 0);
    journal.write(Record::Finished { outcome: Outcome::Overtaken }).map_err(|error| bad_input(error.to_string()))?;
    let printer = frame.printer;
    printer.say(&format!("{gone}, and so are its manifest and its data: the node was reset, and the run is closed"));
    // Whether it has left the list only the cluster can say, and nobody else can join while it is a learner.
    match member {
        Some(id) => printer.print_warning(&format!(
            "whether its member {id} has left the cluster cannot be seen from here: look on another control-plane node; {}",
            Remedy::remove(id, Only::Learner)
        )),
        None if added => printer.print_warning(&format!(
            "whether its member was added cannot be seen from here: look on another control-plane node whether `etcdctl member list` shows \
             a learner with the peer URL {}, and remove that",
            plan.peer_urls.join(", ")
        )),
        None => {}
    }
    Ok(Outcome::Overtaken)
}

/// Undoes an unfinished run whose node was reset; does nothing where there is none. The cluster is asked by these certificates: the run's
/// own went with the node.
///
/// # Errors
///
/// Something of it could not be undone, or its member is a voter by now, which only a person removes.
pub(super) async fn undo(state: &MemberState, trust: Trust, frame: &Frame) -> Result<(), Failure> {
    if !state.journal_path().is_file() {
        return Ok(());
    }
    let journal = state.journal()?;
    if !journal.state().unfinished() {
        return Ok(());
    }
    let (plan, mut setup) = resume::read(&journal)?;
    if !was_reset(journal.state(), &setup).await? {
        return Ok(());
    }
    frame
        .printer
        .say("an earlier join of this member was reset in the middle: what it has left in the cluster is undone first");
    setup.trust = trust;
    let setup = setup.without_absent(&frame.defaults.distribution, frame.printer);
    match execute_run(Operation::Rollback, plan, &setup, journal, state, frame).await? {
        Outcome::RolledBackOnRequest | Outcome::Overtaken => Ok(()),
        other => Err(Failure::new(other, "the earlier join could not be undone; what was said above tells why")),
    }
}
