//! `runner plugin remove`

use super::plugin_store_args::{StoreArgs, show};
use super::{Ended, Frame};
use crate::pipeline::Outcome;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The plugin
    name: String,
    #[command(flatten)]
    store: StoreArgs,
}

pub(super) fn run(args: Args, frame: &Frame) -> Ended {
    let store = args.store.existing(&frame.defaults)?;
    let entry = store.change()?.remove(&args.name)?;
    show(frame, &format!("{} is no longer accepted", entry.name), &entry);
    Ok(Outcome::Joined)
}
