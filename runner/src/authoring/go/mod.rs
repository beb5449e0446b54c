//! Go: `go build` for WASI's command-line target, with everything of WASI taken away again.
//!
//! Stock Go of any release since 1.24. The SDK lies in this program and is put beside the project, so nothing is fetched; what Go
//! would ask of WASI is answered by an adapter of our own (`deny.wat`), which denies it.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::{Job, files, tools};
use crate::Problem;

mod link;

/// The oldest Go that exports functions with their own types from WebAssembly.
const OLDEST: u32 = 24;

/// The SDK's module, and where a project finds it.
const MODULE: &str = "runner.dev/plugin";
const SDK: &str = "./.runner/sdk-go";

const GET: [&str; 2] =
    ["get Go from https://go.dev/dl/", "or from your distribution, where it is 1.24 or newer: `apt-get install golang`"];

/// Puts the SDK where the project's `go.mod` looks for it, so that editors, `go vet` and `go test` find it too.
///
/// # Errors
///
/// What cannot be written.
pub(super) fn put_sdk(dir: &Path) -> Result<(), Problem> {
    files::renew(&dir.join(SDK), files::SDK_GO)
}

/// Builds the project into `job.output`.
pub(super) fn build(job: &Job<'_>) -> Result<(), Problem> {
    let (project, go) = (job.project, tools::need("go", "it builds Go plugins", &GET)?);
    let go = |arguments: &[&str]| {
        let mut command = Command::new(&go);
        command.args(arguments).current_dir(&project.dir).env("GOWORK", "off");
        if job.offline {
            command.env("GOPROXY", "off").env("GOTOOLCHAIN", "local");
        }
        command
    };
    if !project.dir.join("go.mod").is_file() {
        return Err(Problem::new(format!("there is no go.mod in {}", project.dir.display()))
            .hint(format!("in that folder: `go mod init example.org/{}`", project.name)));
    }
    require_version(&tools::run(&mut go(&["env", "GOVERSION"]))?)?;
    find_sdk(job, &go)?;

    let work = fs::canonicalize(&project.dir).map_err(|e| files::problem("find", &project.dir, &e))?;
    let (overlay, core) = (write_exports(job, &work)?, project.work().join("core.wasm"));
    let mut command = go(&["build", "-trimpath", "-buildvcs=false", "-buildmode=c-shared", "-ldflags=-s -w"]);
    command.arg("-overlay").arg(&overlay).arg("-o").arg(work.join(".runner/core.wasm")).arg(".");
    tools::run(command.env("GOOS", "wasip1").env("GOARCH", "wasm").env("CGO_ENABLED", "0"))?;

    let module = fs::read(&core).map_err(|e| files::problem("read", &core, &e))?;
    let component = link::link(project, &module)?;
    // Beside its place, from where it can be moved there.
    let unfinished = job.output.with_extension("wasm.unfinished");
    fs::write(&unfinished, component).map_err(|e| files::problem("write", &unfinished, &e))?;
    fs::rename(&unfinished, &job.output).map_err(|e| files::problem("write", &job.output, &e))?;
    let _ = fs::remove_file(&core);
    Ok(())
}

/// Refuses a Go that is too old.
fn require_version(version: &str) -> Result<(), Problem> {
    let version = version.trim();
    let minor = version.strip_prefix("go1.").and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
    match minor.and_then(|minor| minor.parse::<u32>().ok()) {
        Some(minor) if minor < OLDEST => {
            let trouble = Problem::new(format!("this is {version}, and Go plugins need Go 1.{OLDEST} or newer"));
            Err(GET.iter().fold(trouble, |trouble, hint| trouble.hint(*hint)))
        }
        // A version of another form is a development one: newer than all.
        _ => Ok(()),
    }
}

/// Sees to it that the project has the SDK: where its `go.mod` says nothing of it, a line for the copy beside the project is added.
fn find_sdk(job: &Job<'_>, go: &dyn Fn(&[&str]) -> Command) -> Result<(), Problem> {
    let text = tools::run(&mut go(&["mod", "edit", "-json"]))?;
    let module: Value = serde_json::from_str(&text).map_err(|e| Problem::new(format!("`go mod edit -json` said: {e}")))?;
    let all = |key: &str| module[key].as_array().cloned().unwrap_or_default();
    let replaced = all("Replace").iter().find(|r| r["Old"]["Path"] == MODULE).map(|r| r["New"]["Path"].clone());
    let required = all("Require").iter().any(|r| r["Path"] == MODULE);
    let place = match &replaced {
        Some(place) => place.as_str().unwrap_or_default().to_owned(),
        // Required of a proxy, as any other module.
        None if required => return Ok(()),
        None => SDK.to_owned(),
    };
    if !required || replaced.is_none() {
        (job.say)(&format!("go.mod: {MODULE} is found at {place}"));
        let (require, replace) = (format!("-require={MODULE}@v0.0.0"), format!("-replace={MODULE}={place}"));
        tools::run(&mut go(&["mod", "edit", &require, &replace]))?;
    }
    if place == SDK { put_sdk(&job.project.dir) } else { Ok(()) }
}

/// Writes the file that exports the project's roles: of the package `main`, but not among its files. Returns where it says so.
fn write_exports(job: &Job<'_>, dir: &Path) -> Result<std::path::PathBuf, Problem> {
    let (work, mut text) = (dir.join(".runner"), String::from("package main\n\nimport (\n"));
    let roles = job.project.roles.iter().map(|role| role.name().replace('-', ""));
    for package in roles.chain(["configuration".to_owned()]) {
        text.push_str(&format!("\t_ \"{MODULE}/export/{package}\"\n"));
    }
    text.push_str(&format!("\t\"{MODULE}/export/started\"\n)\n\nfunc init() {{ started.Done() }}\n"));
    let (exports, overlay) = (work.join("exports.go"), work.join("overlay.json"));
    files::write(&exports, &text)?;
    // Go runs init functions in the order of the files' names.
    let place = dir.join("zzz_runner_exports.go").to_string_lossy().into_owned();
    files::write(&overlay, &json!({ "Replace": { place: exports } }).to_string())?;
    Ok(overlay)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_go_is_refused_by_its_version() {
        for good in ["go1.24", "go1.26.8\n", "go1.27rc1", "devel go1.28-abcdef"] {
            assert_eq!(require_version(good), Ok(()), "{good}");
        }
        let old = require_version("go1.23.4").unwrap_err();
        assert_eq!(old.message, "this is go1.23.4, and Go plugins need Go 1.24 or newer");
        assert_eq!(old.hints, GET);
    }
}
