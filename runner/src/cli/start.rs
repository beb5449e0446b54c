//! `runner start`

use std::time::Duration;

use super::resume::{read, the_member};
use super::state_dir::StateArgs;
use super::{Ended, Frame, bad_input, init, signals};
use crate::cluster::Cluster;
use crate::pipeline::{DataDir, Failure, FromData, JoinPlan, JournalState, Launcher, Outcome, start_from_data};

/// Arguments of `runner start`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    state: StateArgs,
    /// The member; needed only where this node has several
    #[arg(long)]
    name: Option<String>,
    /// Time for the member to serve a read; after it the member goes on running and waits for the others
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "10s", help_heading = "Limits")]
    start_timeout: Duration,
}

const EXAMPLES: &str = "\
After a power cut of all nodes, on each of them:
  runner start

It needs no quorum: it starts the member from the data that this node has, asks the other members that it can reach whether its place was
given away, and changes nothing in the cluster.";

pub(super) async fn run(args: Args, frame: &Frame) -> Ended {
    let name = the_member(&args.state, args.name, &frame.defaults)?;
    let state = args.state.member(&frame.defaults, &name)?;
    let journal = state.journal()?;
    let (plan, setup) = read(&journal)?;
    let cluster = setup.trust.cluster()?;
    let printer = frame.printer;
    let launcher = setup.launcher.build(move |text| printer.say(&text));
    match from_data(&*launcher, &*cluster, &plan, journal.state()).await? {
        true => frame.printer.say(&format!("started {name} from its data in {}", launcher.data_dir_path().display())),
        false => frame.printer.say(&format!("{name} runs already")),
    }
    let interrupt = signals::listen(frame.printer);
    let client = plan.client_urls.first().cloned().unwrap_or_default();
    match init::serving(&*launcher, cluster, &client, args.start_timeout, &interrupt).await {
        Ok(()) => frame.printer.say(&format!("{name} serves at {client}")),
        Err(failure) if failure.outcome == Outcome::TimedOut => {
            frame.printer.say(&format!("{name} runs, and serves once most of its cluster's members run"));
        }
        Err(failure) => return Err(failure),
    }
    Ok(Outcome::Joined)
}

/// Starts the member from its data; false where it runs already. Says what stands in the way.
pub(super) async fn from_data(
    launcher: &dyn Launcher,
    cluster: &dyn Cluster,
    plan: &JoinPlan,
    state: &JournalState,
) -> Result<bool, Failure> {
    let (path, name) = (launcher.data_dir_path(), &plan.name);
    let refused = |message: String, hint: &str| Err(Failure::new(Outcome::CheckRefused, message).hint(hint));
    match start_from_data(launcher, cluster, plan, state).await? {
        FromData::Started => Ok(true),
        FromData::Runs => Ok(false),
        FromData::NoData(DataDir::Unknown) => {
            Err(bad_input("runner does not start this member: its launcher is external").hint("start it as you did before"))
        }
        FromData::NoData(_) => {
            let text = format!("there is no member's data in {}: nothing can be started from it", path.display());
            Err(bad_input(text).hint("`runner status` shows whether the cluster still counts this member"))
        }
        FromData::Others(theirs) => {
            let text =
                format!("{} holds the data of member {}, not of {name}'s: not started", path.display(), theirs.member_id);
            refused(text, "whoever put that member there starts it; `runner rollback` closes an unfinished run of runner's")
        }
        FromData::Replaced(other) => {
            let text = format!("member {} ({}) has {name}'s peer URL by now: not started", other.label(), other.id);
            refused(text, "this data was replaced by that member's; `runner status` shows where it runs")
        }
    }
}
