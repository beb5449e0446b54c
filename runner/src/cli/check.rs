//! `runner check`

use super::join::{JoinArgs, Prepared, warn_insecure};
use super::output::Readers;
use super::{Ended, Frame, ended, signals};
use crate::pipeline::{check_for_worker, check_only};

/// Arguments of `runner check`: those of a join.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Which kind of node is to join; for a worker, the arguments about a member are not needed
    #[arg(long = "for", value_enum, default_value_t)]
    whom: Whom,
    #[command(flatten)]
    join: JoinArgs,
}

/// Which kind of node is to join.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Whom {
    /// This node, with an etcd member
    #[default]
    ControlPlane,
    /// A node without one: are the control-plane nodes and every etcd member healthy?
    Worker,
}

pub(super) async fn run(args: Args, frame: &Frame) -> Ended {
    warn_insecure(&args.join, frame);
    check(&args.join, args.whom, frame).await
}

/// Asks whether this node, or any worker, would be accepted now.
pub(super) async fn check(join: &JoinArgs, whom: Whom, frame: &Frame) -> Ended {
    let Prepared { plan, setup, .. } = match whom {
        Whom::ControlPlane => join.prepare(false, frame).await?,
        Whom::Worker => join.prepare_for_worker(&frame.defaults).await?,
    };
    let readers = Readers::new(frame);
    let printer = frame.printer;
    // Nothing is written to Kubernetes: a check changes nothing there, either.
    let side = setup.side(&plan, false, readers.sink.clone());
    let program = &frame.defaults.distribution;
    let parts = setup.parts(&plan, program, readers.sink.clone(), None, side.as_ref(), move |text| printer.say(&text))?;
    let interrupt = signals::listen(printer);
    let conclusion = match whom {
        Whom::ControlPlane => check_only(plan, parts, interrupt).await,
        Whom::Worker => check_for_worker(plan, parts, interrupt).await,
    };
    readers.flush();
    ended(&conclusion)
}
