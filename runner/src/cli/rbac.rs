//! `runner rbac`

use super::{Ended, Frame};
use crate::kubernetes::rbac;
use crate::pipeline::Outcome;

/// Arguments of `runner rbac`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

/// Prints the manifests; asks nobody.
pub(super) async fn run(_: Args, frame: &Frame) -> Ended {
    // A reader that went away is no error of ours.
    let _ = frame.printer.data(rbac::manifests(&frame.defaults.kubernetes).trim_end());
    Ok(Outcome::Joined)
}
