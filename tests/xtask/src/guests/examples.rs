//! The worked examples: each project `plugins/examples/<name>/` becomes `<name>.wasm`, built as its author would build it, by
//! `runner plugin build` itself; and so does `tests/guests/go/<name>/`, as `go-<name>.wasm`. Go's project needs Go, which not every machine has; the others' tools come from the set-up.

use std::{
    env,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::{component, entries, stamp::Guest, stem};
use crate::{context::Context, process, say};

/// What an example is made of besides itself: what the build writes into it, and the tools.
const INPUTS: [&str; 7] = [
    "plugins/sdk",
    "plugins/sdk-c",
    "plugins/sdk-js",
    "plugins/sdk-python",
    "runner/src/authoring",
    "tests/tools/node/package-lock.json",
    "tests/tools/python/requirements.txt",
];

/// Builds those that are there and have changed.
pub(super) fn build(context: &Context, runner: &Path) -> Result<()> {
    let examples = entries(&context.source("plugins/examples")).into_iter().map(|folder| (stem(&folder), folder));
    let guests =
        entries(&context.source("tests/guests/go")).into_iter().map(|folder| (format!("go-{}", stem(&folder)), folder));
    for (name, folder) in examples.chain(guests) {
        if !folder.join("runner-plugin.toml").is_file() {
            continue;
        }
        if name.starts_with("go-") && process::on_path("go").is_none() {
            say::line(&format!("guest {name} is NOT built; fix: install Go 1.24 or newer"));
            crate::scratch::remove(&component(context, &name))?;
            continue;
        }
        let mut inputs: Vec<PathBuf> = INPUTS.iter().map(|input| context.source(input)).collect();
        inputs.extend([folder.clone(), context.source("plugins/sdk-go")].into_iter().filter(|input| input.exists()));
        let guest = Guest { name, inputs: &inputs };
        guest.build(context, |scratch| {
            let project = scratch.join("project");
            copy(&folder, &project)?;
            let mut command = Command::new(runner);
            command.args(["plugin", "build", "--offline"]).arg(&project).arg("--to").arg(scratch.join("out.wasm"));
            command.env("PATH", path(context)?).env("CARGO_TARGET_DIR", context.target.join("examples"));
            command.env("RUNNER_CACHE_DIR", context.compiled());
            Ok(command)
        })?;
    }
    Ok(())
}

/// The tools of the set-up before those of the system.
fn path(context: &Context) -> Result<OsString> {
    let ours = [context.tools.join("node/node_modules/.bin"), context.tools.join("python/bin")];
    let system = env::var_os("PATH").unwrap_or_default();
    env::join_paths(ours.into_iter().chain(env::split_paths(&system))).context("the target folder's path has a `:` in it")
}

/// Copies a project without what builds leave in it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let failed = |e: io::Error| anyhow::Error::new(e).context(format!("failed to copy {}", from.display()));
    fs::create_dir_all(to).map_err(failed)?;
    for entry in entries(from) {
        let name = entry.file_name().unwrap_or_default();
        if entry.is_dir() && ![".runner", "build", "node_modules", "target", ".venv"].iter().any(|left| name == *left) {
            copy(&entry, &to.join(name))?;
        } else if entry.is_file() {
            fs::copy(&entry, to.join(name)).map_err(failed)?;
        }
    }
    Ok(())
}
