//! `runner check`

use super::join::{JoinArgs, Prepared, warn_insecure};
use super::output::Readers;
use super::{Ended, Frame, ended, signals};
use crate::pipeline::check_only;

/// Arguments of `runner check`: those of a join.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    join: JoinArgs,
}

pub(super) async fn run(args: Args, frame: &Frame) -> Ended {
    warn_insecure(&args.join, frame);
    let Prepared { plan, setup, .. } = args.join.prepare(false, frame).await?;
    let readers = Readers::new(frame);
    let printer = frame.printer;
    let parts =
        setup.parts(&plan, &frame.defaults.distribution, readers.sink.clone(), None, move |text| printer.say(&text))?;
    let conclusion = check_only(plan, parts, signals::listen(printer)).await;
    readers.flush();
    ended(&conclusion)
}
