//! `runner status`

use super::cluster_args::ClusterArgs;
use super::state_dir::StateArgs;
use super::{Ended, Frame, Output, joins};
use crate::clock;
use crate::cluster::View;
use crate::kubernetes::{self, Api};
use crate::pipeline::{Failure, Outcome};
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
    // This node's own runs first, without etcd and without certificates: they matter most where etcd does not answer.
    let runs = unfinished(&args.state, frame)?;
    for (name, run) in runs.iter().filter(|_| frame.global.output == Output::Text) {
        frame
            .printer
            .print_warning(&format!("the join of {name} (run {run}) is unfinished: `runner resume` or `runner rollback`"));
    }
    match cluster(&args, &runs, frame).await {
        Err(failure) if frame.global.output == Output::Json => {
            let known = serde_json::json!({ "error": failure.message, "unfinishedRuns": listed(&runs) });
            let _ = frame.printer.data(&format!("{known:#}"));
            Err(failure)
        }
        shown => shown,
    }
}

/// The cluster's members, and the joins that Kubernetes knows of.
async fn cluster(args: &Args, runs: &[(String, String)], frame: &Frame) -> Ended {
    // No node's pod is left out: nobody is joining here.
    let settings = args.cluster.kubernetes.settings(&frame.defaults, "", false)?;
    let endpoints = args.cluster.found(settings.as_ref()).await?.endpoints;
    let cluster = args.cluster.trust.trust(&frame.defaults).cluster()?;
    let view = View::observe(&*cluster, &endpoints)
        .await
        .map_err(|error| Failure { outcome: Outcome::Unreachable, ..Failure::cluster("cannot read the cluster", &error) })?;
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
            value["unfinishedRuns"] = listed(runs);
            value["joins"] = serde_json::json!(seen.as_ref().ok());
            format!("{value:#}")
        }
    };
    // A reader that went away is no error of ours.
    let _ = frame.printer.data(&shown);
    if let Err(error) = &seen {
        frame.printer.print_warning(&format!("Kubernetes does not say whether a join is under way: {error}"));
    }
    Ok(Outcome::Joined)
}

fn listed(runs: &[(String, String)]) -> serde_json::Value {
    runs.iter().map(|(name, run)| serde_json::json!({ "member": name, "run": run })).collect()
}

/// The unfinished runs of this node that nobody is at work on. A journal that cannot be read is said, and is no reason to say nothing of
/// the others.
fn unfinished(state: &StateArgs, frame: &Frame) -> Result<Vec<(String, String)>, Failure> {
    let mut found = Vec::new();
    for name in state.members(&frame.defaults)? {
        match state.member(&frame.defaults, &name)?.peek() {
            Ok(Some(seen)) if !seen.busy && seen.state.unfinished() => {
                found.extend(seen.state.begun.map(|(plan, _)| (name, plan.run)));
            }
            Ok(_) => {}
            Err(failure) => frame.printer.print_warning(&failure.message),
        }
    }
    Ok(found)
}
