//! `runner resume` and `runner rollback`

use super::cluster_args::endpoint;
use super::defaults::Defaults;
use super::execution::execute_run;
use super::mandatory;
use super::reset;
use super::setup::Setup;
use super::state_dir::{MemberState, StateArgs};
use super::{Ended, Frame, bad_input};
use crate::pipeline::{Failure, JoinPlan, Journal, Operation, Outcome, Record};

/// Which run.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    state: StateArgs,
    /// The member whose run it is; needed only where several runs of this node are unfinished
    #[arg(long)]
    name: Option<String>,
    /// Client URLs to find the cluster by, before those that the run was begun with and those that it has seen since
    #[arg(long, value_delimiter = ',', value_name = "URL", help_heading = "Cluster")]
    endpoints: Vec<String>,
}

pub(super) async fn resume(args: Args, frame: &Frame) -> Ended {
    run(args, Operation::Resume, frame).await
}

/// `runner rollback`: which run, and how.
#[derive(Debug, clap::Args)]
pub(super) struct RollbackArgs {
    #[command(flatten)]
    which: Args,
    /// Close the run without touching anything, for a cluster that is gone for good: its member, where it still has one, stays as it is
    #[arg(long)]
    abandon: bool,
}

pub(super) async fn rollback(args: RollbackArgs, frame: &Frame) -> Ended {
    if args.abandon {
        return abandon(args.which, frame);
    }
    run(args.which, Operation::Rollback, frame).await
}

fn abandon(args: Args, frame: &Frame) -> Ended {
    let (name, state) = chosen(&args, frame)?;
    let mut journal = state.unfinished_journal()?;
    let member = journal.state().member();
    journal.write(Record::Finished { outcome: Outcome::Overtaken }).map_err(|error| bad_input(error.to_string()))?;
    frame.printer.say(&match member {
        Some(id) => format!(
            "the run of {name} is closed; nothing was touched: its member {id}, its etcd and its data are as they are. Where its cluster \
             is not gone: `runner start` starts it, `runner join` takes it over, and while it is a learner no other node can join"
        ),
        None => format!("the run of {name} is closed; nothing was touched"),
    });
    Ok(Outcome::RolledBackOnRequest)
}

/// The run that is meant, by its member's name. Refuses a name that no run has: opening its journal would make one.
fn chosen(args: &Args, frame: &Frame) -> Result<(String, MemberState), Failure> {
    let name = match &args.name {
        Some(name) => name.clone(),
        None => only_one(&args.state, &frame.defaults)?,
    };
    let state = args.state.member(&frame.defaults, &name)?;
    if !state.journal_path().is_file() {
        let folder = args.state.folder(&frame.defaults)?;
        return Err(bad_input(format!("there is no run of {name} in {}", folder.display())));
    }
    Ok((name, state))
}

async fn run(args: Args, operation: Operation, frame: &Frame) -> Ended {
    let (_, state) = chosen(&args, frame)?;
    let journal = state.unfinished_journal()?;
    let (mut plan, setup) = read(&journal)?;
    let given: Result<Vec<_>, _> = args.endpoints.iter().map(|e| endpoint(e, setup.trust.insecure)).collect();
    plan.endpoints.splice(0..0, given?);
    let judged = journal.state().promoted || journal.state().undo_intended;
    if operation == Operation::Resume && !judged {
        mandatory::held_by(&frame.defaults, &setup)?;
    }
    if let Some(lost) = setup.trust.lost() {
        return reset::end(operation, &lost, &plan, &setup, journal, frame).await;
    }
    let setup = if operation == Operation::Rollback {
        setup.without_absent(&frame.defaults.distribution, frame.printer)
    } else {
        setup
    };
    execute_run(operation, plan, &setup, journal, &state, frame).await
}

/// The member of this name, or the only one of this node that runner has ever worked for.
pub(super) fn the_member(state: &StateArgs, name: Option<String>, defaults: &Defaults) -> Result<String, Failure> {
    let folder = state.folder(defaults)?;
    let members = state.members(defaults)?;
    match (name, members.as_slice()) {
        (Some(name), all) if all.contains(&name) => Ok(name),
        (Some(name), _) => Err(bad_input(format!("there is no run of {name} in {}", folder.display()))),
        (None, [name]) => Ok(name.clone()),
        (None, []) => Err(bad_input(format!("runner has started no member on this node, by {}", folder.display()))
            .hint("give the --state-dir that it was started with")),
        (None, names) => {
            Err(bad_input(format!("this node has several members: {}", names.join(", "))).hint("choose one with --name"))
        }
    }
}

/// The only member with an unfinished run.
fn only_one(state: &StateArgs, defaults: &Defaults) -> Result<String, Failure> {
    let folder = state.folder(defaults)?;
    let mut unfinished = Vec::new();
    for name in state.members(defaults)? {
        // A journal that cannot be read is a reason to stop, not to look the other way.
        if state.member(defaults, &name)?.peek()?.is_some_and(|seen| seen.state.unfinished()) {
            unfinished.push(name);
        }
    }
    match unfinished.as_slice() {
        [name] => Ok(name.clone()),
        [] => Err(bad_input(format!("no run in {} is unfinished", folder.display())).hint("`runner join` starts one")),
        names => Err(bad_input(format!("several runs are unfinished: {}", names.join(", "))).hint("choose one with --name")),
    }
}

/// What an unfinished run was begun with.
pub(super) fn read(journal: &Journal) -> Result<(JoinPlan, Setup), Failure> {
    let Some((plan, setup)) = &journal.state().begun else { return Err(bad_input("the journal holds no run")) };
    let setup = serde_json::from_value(setup.clone())
        .map_err(|e| bad_input(format!("the journal was written by another version of runner: {e}")))?;
    Ok((plan.clone(), setup))
}
