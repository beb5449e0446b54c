//! `cargo xtask chaos`: the set-up that it needs, a build, then `runner-chaos`.

use std::{os::unix::process::CommandExt as _, process::Command};

use anyhow::{Context as _, Result};

use crate::{context::Context, guests, process, say, setup};

/// Sets up, builds, and becomes `runner-chaos`; `arguments` are passed on to it.
pub(crate) fn run(context: &Context, arguments: &[String]) -> Result<()> {
    setup::everything(context)?.require_all()?;
    guests::everything(context)?;
    say::timed("building runner and the faults", || {
        process::stream(context.cargo(&["build", "--workspace", "--bins"]).args(["--exclude", "xtask"]))
    })?;
    Err(Command::new(context.target.join("debug/runner-chaos")).args(arguments).exec())
        .context("failed to start runner-chaos")
}
