//! `cargo xtask demo`: the least set-up that the main job needs, then `runner demo` on real etcd.

use std::{os::unix::process::CommandExt as _, process::Command};

use anyhow::{Context as _, Result};

use crate::{context::Context, guests, process, say, setup};

/// One for each role.
const PLUGINS: [&str; 3] = ["version-window", "steady-sync", "run-summary"];

/// Options of the demo.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Build runner with optimisations; the first such build takes minutes.
    #[arg(long)]
    release: bool,
    /// Passed on to `runner demo`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    demo: Vec<String>,
}

/// Sets up, builds, and becomes `runner demo`, so that Ctrl-C and the exit code are its own.
pub(crate) fn run(context: &Context, arguments: &Arguments) -> Result<()> {
    let etcd = setup::for_demo(context)?;
    say::line(&format!("demo on etcd {}", etcd.version));
    say::timed("building runner and its reference plugins", || {
        guests::plugins(context, &PLUGINS)?;
        let flags: &[&str] = if arguments.release { &["--release"] } else { &[] };
        process::stream(context.cargo(&["build", "--package", "runner"]).args(flags))
    })?;
    let program = context.target.join(if arguments.release { "release" } else { "debug" }).join("runner");
    let mut demo = Command::new(&program);
    demo.arg("demo").arg("--etcd").arg(&etcd.program).arg("--plugins");
    demo.args(PLUGINS.map(|name| guests::component(context, name)));
    demo.args(&arguments.demo);
    Err(demo.exec()).with_context(|| format!("failed to start {}", program.display()))
}
