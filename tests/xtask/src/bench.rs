//! `cargo xtask bench`: the set-up that the measurements need, an optimised build, then `runner-bench`.

use std::{os::unix::process::CommandExt as _, process::Command};

use anyhow::{Context as _, Result};

use crate::{context::Context, guests, process, say, setup};

/// One for each role.
const PLUGINS: [&str; 3] = ["version-window", "steady-sync", "run-summary"];

/// Sets up, builds, and becomes `runner-bench`; `arguments` are passed on to it.
pub(crate) fn run(context: &Context, arguments: &[String]) -> Result<()> {
    setup::for_bench(context)?;
    say::timed("building runner, its reference plugins and the measurements, optimised", || {
        guests::plugins(context, &PLUGINS)?;
        let packages = ["--package", "runner", "--package", "runner-bench"];
        process::stream(context.cargo(&["build", "--release", "--bins"]).args(packages))
    })?;
    let programs = context.target.join("release");
    let mut bench = Command::new(programs.join("runner-bench"));
    bench.arg("--runner").arg(programs.join("runner"));
    bench.arg("--plugins").args(PLUGINS.map(|name| guests::component(context, name)));
    bench.arg(format!(
        "--called={}",
        ["cargo xtask bench"].into_iter().chain(arguments.iter().map(String::as_str)).collect::<Vec<_>>().join(" ")
    ));
    bench.args(arguments);
    Err(bench.exec()).context("failed to start runner-bench")
}
