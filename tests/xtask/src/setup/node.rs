//! JavaScript's tools: `componentize-qjs` and `esbuild`, pinned by a lock file, in `target/tools/node`.

use std::{fs, path::PathBuf, process::Command, time::Duration};

use anyhow::{Result, bail};

use super::{Item, Need, State};
use crate::{context::Context, process, say, scratch::Scratch};

const MANIFESTS: [&str; 2] = ["package.json", "package-lock.json"];

/// Installs the packages where they are not there or not those of the lock file.
pub(crate) fn install(context: &Context) -> Item {
    let state = match ensure(context) {
        Ok(()) => State::Here("componentize-qjs and esbuild for JavaScript and TypeScript guests".to_owned()),
        Err(error) => State::lacks(&error, "apt-get install nodejs npm   # Node 18 or newer".to_owned()),
    };
    Item::new("Node tools", Need::Tests, state)
}

/// A command that the packages bring.
pub(crate) fn command(context: &Context, name: &str) -> Command {
    Command::new(place(context).join("node_modules/.bin").join(name))
}

fn place(context: &Context) -> PathBuf {
    context.tools.join("node")
}

fn ensure(context: &Context) -> Result<()> {
    for tool in ["node", "npm"] {
        if process::on_path(tool).is_none() {
            bail!("there is no {tool} on the PATH");
        }
    }
    let manifests = context.source("tests/tools/node");
    let same = |name| fs::read(manifests.join(name)).ok() == fs::read(place(context).join(name)).ok();
    let usable = || process::output(command(context, "esbuild").arg("--version")).is_ok();
    if MANIFESTS.into_iter().all(same) && usable() {
        return Ok(());
    }
    say::timed("Node tools: npm install (componentize-qjs, esbuild)", || {
        let scratch = Scratch::new(&context.tools, "node")?;
        for name in MANIFESTS {
            fs::copy(manifests.join(name), scratch.path().join(name))?;
        }
        let mut npm = Command::new("npm");
        // Both packages carry their binaries: no install script is needed, so none is run.
        npm.args(["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"])
            .current_dir(scratch.path());
        context.quiet("npm", &mut npm, Duration::from_secs(600))?;
        scratch.publish(scratch.path(), &place(context))
    })?;
    process::output(command(context, "esbuild").arg("--version")).map(drop)
}
