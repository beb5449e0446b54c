//! `runner status`

use super::cluster_args::ClusterArgs;
use super::defaults::Defaults;
use super::state_dir::StateArgs;
use super::{Ended, Frame, Output, joins};
use crate::clock;
use crate::cluster::View;
use crate::kubernetes::{self, Api};
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
    let settings = args.cluster.kubernetes.settings(&frame.defaults, "", false)?;
    let endpoints = args.cluster.found(settings.as_ref()).await?.endpoints;
    let cluster = args.cluster.trust.trust(&frame.defaults).cluster()?;
    let view = View::observe(&*cluster, &endpoints)
        .await
        .map_err(|error| Failure { outcome: Outcome::Unreachable, ..Failure::cluster("cannot read the cluster", &error) })?;
    let runs = unfinished(&args.state, &frame.defaults)?;
    let (now, names) = (clock::now(), &frame.defaults.kubernetes);
    let seen = match settings.map(|settings| Api::new(settings.kubeconfig)) {
        Some(api) => kubernetes::joins(&api, names, now).await.map(Some),
        None => Ok(None),
    };
    let shown = match frame.global.output {
        Output::Text => {
            let (style, width) = (frame.printer.stdout.style, frame.printer.stdout.width);
            let under_way = seen.as_ref().ok().and_then(Option::as_ref);
            let under_way = under_way.map(|joins| joins::text(joins, names, now, style, width.unwrap_or(usize::MAX)));
            let table = status::text(&view, style, width);
            [table].into_iter().chain(under_way.into_iter().flatten()).collect::<Vec<_>>().join("\n")
        }
        Output::Json => {
            let mut value = status::json(&view);
            value["unfinishedRuns"] =
                runs.iter().map(|(name, run)| serde_json::json!({ "member": name, "run": run })).collect();
            value["joins"] = serde_json::json!(seen.as_ref().ok());
            format!("{value:#}")
        }
    };
    // A reader that went away is no error of ours.
    let _ = frame.printer.data(&shown);
    if let Err(error) = &seen {
        frame.printer.print_warning(&format!("Kubernetes does not say whether a join is under way: {error}"));
    }
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
