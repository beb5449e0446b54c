//! `runner status`

use super::cluster_args::ClusterArgs;
use super::defaults::Defaults;
use super::state_dir::StateArgs;
use super::{Ended, Frame, Output};
use crate::cluster::View;
use crate::pipeline::{Failure, Journal, Outcome};
use crate::report::status;

/// Arguments of `runner status`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    state: StateArgs,
}

pub(super) async fn run(args: Args, frame: &Frame) -> Ended {
    // No node's pod is left out: nobody is joining here.
    let kubernetes = args.cluster.kubernetes.settings(&frame.defaults, "", false)?;
    let endpoints = args.cluster.found(kubernetes.as_ref()).await?.endpoints;
    let cluster = args.cluster.trust.trust(&frame.defaults).cluster()?;
    let view = View::observe(&*cluster, &endpoints)
        .await
        .map_err(|error| Failure { outcome: Outcome::Unreachable, ..Failure::cluster("cannot read the cluster", &error) })?;
    let runs = unfinished(&args.state, &frame.defaults)?;
    let shown = match frame.global.output {
        Output::Text => status::text(&view, frame.printer.stdout.style, frame.printer.stdout.width),
        Output::Json => {
            let mut value = status::json(&view);
            value["unfinishedRuns"] =
                runs.iter().map(|(name, run)| serde_json::json!({ "member": name, "run": run })).collect();
            format!("{value:#}")
        }
    };
    // A reader that went away is no error of ours.
    let _ = frame.printer.data(&shown);
    for (name, run) in runs.iter().filter(|_| frame.global.output == Output::Text) {
        frame
            .printer
            .print_warning(&format!("the join of {name} (run {run}) is unfinished: `runner resume` or `runner rollback`"));
    }
    Ok(Outcome::Joined)
}

/// The unfinished runs of this node that nobody is at work on.
fn unfinished(state: &StateArgs, defaults: &Defaults) -> Result<Vec<(String, String)>, Failure> {
    let mut found = Vec::new();
    for name in state.members(defaults)? {
        let Ok(journal) = Journal::open(&state.member(defaults, &name)?.journal_path()) else { continue };
        if let (true, Some((plan, _))) = (journal.state().unfinished(), &journal.state().begun) {
            found.push((name, plan.run.clone()));
        }
    }
    Ok(found)
}
