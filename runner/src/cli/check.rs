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
enum Whom {
    /// This node, with an etcd member
    #[default]
    ControlPlane,
    /// A node without one: are the control-plane nodes and every etcd member healthy?
    Worker,
}

pub(super) async fn run(args: Args, frame: &Frame) -> Ended {
    warn_insecure(&args.join, frame);
    let Prepared { plan, setup, .. } = match args.whom {
        Whom::ControlPlane => args.join.prepare(false, frame).await?,
        Whom::Worker => args.join.prepare_for_worker(frame).await?,
    };
    let readers = Readers::new(frame);
    let printer = frame.printer;
    // Nothing is written to Kubernetes: a check changes nothing there, either.
    let side = setup.side(&plan, false, readers.sink.clone());
    let program = &frame.defaults.distribution;
    let parts =
        setup.parts(&plan, program, readers.sink.clone(), None, side.as_ref(), move |text| printer.say(&text))?;
    let interrupt = signals::listen(printer);
    let conclusion = match args.whom {
        Whom::ControlPlane => check_only(plan, parts, interrupt).await,
        Whom::Worker => check_for_worker(plan, parts, interrupt).await,
    };
    readers.flush();
    ended(&conclusion)
}
