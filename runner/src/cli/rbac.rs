//! `runner rbac`

use super::{Ended, Frame};
use crate::kubernetes::{Names, rbac};
use crate::pipeline::Outcome;

/// Arguments of `runner rbac`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

/// Prints the manifests; asks nobody.
pub(super) async fn run(_: Args, frame: &Frame) -> Ended {
    // A reader that went away is no error of ours.
    let _ = frame.printer.data(rbac::manifests(&Names::default()).trim_end());
    Ok(Outcome::Joined)
}
