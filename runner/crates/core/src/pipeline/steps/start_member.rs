//! start-member: its etcd comes up and publishes itself in the member list.

use std::sync::Arc;

use async_trait::async_trait;

use super::add_learner::removed_by_other;
use crate::Problem;
use crate::cluster::{Member, MemberId, MemberList};
use crate::pipeline::adoption::Standing;
use crate::pipeline::journal::Record;
use crate::pipeline::run::{Patience, Run};
use crate::pipeline::step::{Reversible, UndoError};
use crate::pipeline::{DataDir, Discard, Failure, Guarded, Identity, MemberSpec, Running};
use crate::terms::{Outcome, Step};

/// Starts the member; the undo stops it and removes what it wrote.
pub(in crate::pipeline) struct StartMember;

#[async_trait]
impl Reversible for StartMember {
    fn name(&self) -> Step {
        Step::StartMember
    }

    async fn run(&self, run: &mut Run) -> Result<String, Failure> {
        let mut patience = Patience::new(self.name(), run.plan.timeouts.start);
        let launcher = Arc::clone(&run.parts.launcher);
        let (mut handed_over, mut again, mut waits_for) = (false, false, "the member has not published itself yet");
        // What an earlier runner found running is another's to start.
        let others_start = run.journal.state().was_running && run.parts.launcher.running().await != Running::Unknown;
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
                its_own_data(run, &list).await?;
                // The list must be the one that etcd sees at its start, or it refuses with `member count is unequal`.
                let spec = spec(run, &list, member.id);
                let running = ran_before(run).await;
                run.record(Record::StartIntended { running })?;
                if !others_start {
                    run.unless_interrupted(launcher.start(&spec)).await?.map_err(Failure::launch)?;
                }
                handed_over = true;
            } else if again {
                // On the list of now, as at first; what it finds is what it left, and that is as good as nothing.
                let spec = spec(run, &list, member.id);
                run.unless_interrupted(launcher.start(&spec)).await?.map_err(Failure::launch)?;
                again = false;
            } else if !others_start && let Running::No { log } = run.parts.launcher.running().await {
                // Who ran before this run is its owner's to start, and the log may be of an earlier start of ours.
                if run.journal.state().was_running || !came_too_early(&log) {
                    return Err(died(&log));
                }
                again = true;
                waits_for = "the cluster has just begun and has not agreed on its version yet: the member is started again";
            }
            if others_start && matches!(run.parts.launcher.running().await, Running::No { .. }) {
                // The kubelet's pod for example, after a reboot. A second etcd would take its ports and its data from it.
                let waited = patience.wait(run, "it does not run yet: whoever ran it before this run starts it").await;
                waited.map_err(|failure| failure.hint("start it as it was started before; then `runner resume`, or `runner join` where this run was undone"))?;
                continue;
            }
            if member.started() {
                return Ok(format!("{} runs", member.name));
            }
            if let Err(mut failure) = patience.wait(run, waits_for).await {
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
        let (ours, keep) = (state.added.is_some(), state.promote_intended || state.promoted);
        let (adopted, asked, ran) = (state.adopted.is_some(), state.promote_intended, state.was_running);
        if asked && run.adopted_stays && !ran {
            let text =
                "the member, which was there before and did not run, runs on: a promotion of it may still take effect";
            return Ok(Some(leave(run, text.to_owned())));
        }
        if adopted && ran {
            return Ok(Some("the member runs on, as it did before".to_owned()));
        }
        let Some(whose) = run.identity() else { return Ok(None) };
        let launcher = Arc::clone(&run.parts.launcher);
        let stopped = run.unless_interrupted(launcher.stop(&whose)).await.map_err(|failure| failed(failure.problem))?;
        if let Guarded::NotOurs(theirs) = stopped.map_err(failed)? {
            return Ok(Some(leave(run, theirs)));
        }
        // Data that was there before is not ours to remove, and a member that was taken over keeps its log: without it, it could
        // never start again.
        let folder = match run.data_dir_before() {
            Some(DataDir::Absent) if ours => true,
            Some(DataDir::Empty) if ours => false,
            _ => return Ok(Some("the member is stopped; its data stays".to_owned())),
        };
        Ok(Some(match launcher.discard_data(&whose, Discard { folder, keep }).await.map_err(failed)? {
            Guarded::Done(Some(aside)) => format!("the member is stopped and its data moved to {}", aside.display()),
            Guarded::Done(None) => "the member is stopped and its data removed".to_owned(),
            Guarded::NotOurs(theirs) => leave(run, theirs),
        }))
    }
}

/// The way on after a stop or a discard that failed is to try again: each looks whose it is first, which a person would have to do, too.
fn failed(error: Problem) -> UndoError {
    let again = "run `runner rollback` again";
    let remedy = match error.hints.as_slice() {
        [] => again.to_owned(),
        hints => format!("{}; then {again}", hints.join("; ")),
    };
    UndoError { error: error.message, remedy }
}

/// Leaves what is not ours, and remembers to say so.
fn leave(run: &mut Run, theirs: String) -> String {
    let text = format!("left as it is: {theirs}");
    run.left.push(theirs);
    text
}

/// The member must find no other data than its own: etcd starts from whatever is there. And where it has run, it must find that: without
/// its log it would break what it has promised to the others.
async fn its_own_data(run: &Run, list: &MemberList) -> Result<(), Failure> {
    let dir = run.parts.launcher.data_dir().await.map_err(Failure::launch)?;
    if matches!(dir, DataDir::Foreign { .. }) && run.parts.launcher.running().await == Running::Yes {
        // An etcd that has just come up has no log yet. Starting what runs is doing nothing.
        return Ok(());
    }
    match run.standing(list).await? {
        Standing::Stop(stop) => Err(Failure::new(Outcome::RolledBack, stop.message).hint(stop.remedy)),
        Standing::Fresh | Standing::Adopt(_) | Standing::Resume(_) | Standing::Voter(_) => Ok(()),
    }
}

/// Whether the member runs before this run starts it. What cannot be seen of a member that was taken over is taken for running: the undo
/// must not stop what its owner has started.
async fn ran_before(run: &Run) -> bool {
    if run.journal.state().was_running {
        return true;
    }
    match run.parts.launcher.running().await {
        Running::Yes => true,
        Running::No { .. } => false,
        Running::Unknown => run.journal.state().adopted.is_some(),
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
    let started = run.journal.state().start_intended || list.get(id).is_some_and(Member::started);
    MemberSpec {
        identity: Some(Identity { cluster_id: list.cluster_id, member_id: id }),
        started,
        name: run.plan.name.clone(),
        peer_urls: run.plan.peer_urls.clone(),
        client_urls: run.plan.client_urls.clone(),
        initial_cluster: entries.collect(),
        existing: true,
    }
}

/// Whether a joining etcd ended since no member of the cluster knew the cluster's version, which it agrees on in the first moments of
/// its first leader. It has written nothing but an empty database then. The words are those of 3.4 to 3.7
/// (server/etcdserver/cluster_util.go, `getVersions` and `isCompatibleWithVers`).
fn came_too_early(log: &[String]) -> bool {
    let says = |part: &str| log.iter().any(|line| line.contains(part));
    says("not_decided") && says("incompatible with current running cluster") && !says("is not compatible; too")
}

/// The member's etcd ended by itself: its last words are the reason.
pub(super) fn died(log: &[String]) -> Failure {
    let last = log.last().map_or("it logged nothing", String::as_str);
    let mut failure = Failure::new(Outcome::RolledBack, format!("the member's etcd has stopped: {last}"));
    let before = log.len().saturating_sub(6);
    failure.hints.extend(log[before..log.len().saturating_sub(1)].iter().map(|line| format!("it logged: {line}")));
    failure
}

#[cfg(test)]
mod tests {
    use super::came_too_early;

    #[test]
    fn only_a_cluster_without_a_version_is_waited_for() {
        let undecided = "warn: failed to parse cluster version of remote member: not_decided is not in dotted-tri format";
        let too_high = "warn: cluster version of remote member is not compatible; too high";
        let end = "fatal: discovery failed: incompatible with current running cluster";
        let told = |lines: &[&str]| came_too_early(&lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>());
        assert!(told(&[undecided, end]));
        assert!(!told(&[end]) && !told(&[undecided, too_high, end]));
        assert!(!told(&[undecided, "fatal: listen tcp: bind: address already in use"]));
    }
}
