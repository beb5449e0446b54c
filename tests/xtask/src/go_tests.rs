//! `go vet` and `go test` for the Go SDK, and for the projects that use it.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result};

use crate::{context::Context, process, say, scratch::Scratch};

/// Where projects say that the SDK is: `runner plugin build` puts it there.
const BESIDE: &str = "./.runner/sdk-go";

/// Runs them all; says so where there is no Go.
pub(crate) fn run(context: &Context) -> Result<()> {
    if process::on_path("go").is_none() {
        say::line("the Go SDK's own tests are NOT run; fix: install Go 1.24 or newer");
        return Ok(());
    }
    let sdk = context.source("plugins/sdk-go");
    say::timed("go test", || {
        go(&sdk, &["vet", "./..."], &[])?;
        go(&sdk, &["test", "./..."], &[])?;
        let scratch = Scratch::new(&context.tools, "go-test")?;
        for project in ["plugins/examples/go-caught-up", "tests/guests/go/stress"] {
            let folder = context.source(project);
            let text =
                fs::read_to_string(folder.join("go.mod")).with_context(|| format!("failed to read {project}/go.mod"))?;
            let modfile = scratch.path().join("go.mod");
            fs::write(&modfile, text.replace(BESIDE, &sdk.to_string_lossy()))?;
            let modfile = format!("-modfile={}", modfile.display());
            go(&folder, &["vet", &modfile, "./..."], &[])?;
            go(&folder, &["test", &modfile, "./..."], &[])?;
        }
        // What only components are made of.
        go(&sdk, &["vet", "-unsafeptr=false", "./..."], &[("GOOS", "wasip1"), ("GOARCH", "wasm")])
    })
}

fn go(folder: &Path, arguments: &[&str], target: &[(&str, &str)]) -> Result<()> {
    let mut command = Command::new("go");
    command.args(arguments).current_dir(folder).env("GOWORK", "off").envs(target.iter().copied());
    process::output(&mut command).map(drop)
}
