//! Programs that are built with Go, each from a folder of the sources whose `go.mod` pins it.

use std::process::Command;

use anyhow::{Result, bail};

use crate::{context::Context, process};

/// `go build` in a folder of the sources, without what only a debugger reads; more arguments and what is built follow. Without cgo no C compiler
/// is needed, and the programs run in an empty image; without version control stamps it builds in any checkout.
pub(crate) fn build(context: &Context, folder: &str, link: &str) -> Result<Command> {
    let Some(go) = process::on_path("go") else { bail!("there is no go on the PATH") };
    let mut build = Command::new(go);
    build.args(["build", "-trimpath", "-buildvcs=false", "-ldflags", format!("-s -w {link}").trim_end()]);
    build.current_dir(context.source(folder)).env("CGO_ENABLED", "0").env("GOWORK", "off");
    Ok(build)
}
