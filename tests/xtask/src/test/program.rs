//! Test programs: which ones cargo built, and how one is run.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::context::Context;

/// What cargo built.
#[derive(Debug)]
pub(super) struct Built {
    /// The test programs.
    pub(super) programs: Vec<Program>,
    /// The runner that they start.
    pub(super) runner: PathBuf,
}

/// A test program, or all examples of the documentation.
#[derive(Debug)]
pub(super) struct Program {
    /// How cargo is told to run this one alone: `-p runner-e2e --test engine`.
    pub(super) choice: String,
    /// None where cargo itself has to run it.
    built: Option<Executable>,
    /// What the program itself is told.
    arguments: &'static [&'static str],
}

#[derive(Debug)]
struct Executable {
    file: PathBuf,
    package: String,
    /// The package's folder.
    folder: PathBuf,
}

impl Built {
    /// Reads what `cargo test --no-run --message-format json` says. Errors where there is no runner among it.
    pub(super) fn read(messages: &str) -> Result<Self> {
        let (mut programs, mut runner, mut finished) = (Vec::new(), None, false);
        // A macro that prints does so among them.
        for message in messages.lines().filter(|line| line.starts_with('{')) {
            let message: Value = serde_json::from_str(message).context("failed to read cargo's messages")?;
            finished |= message["reason"] == "build-finished" && message["success"] == true;
            let Some(file) = message["executable"].as_str().map(PathBuf::from) else { continue };
            if message["profile"]["test"] == true {
                let manifest = Path::new(message["manifest_path"].as_str().unwrap_or_default());
                let folder = manifest.parent().unwrap_or(manifest).to_owned();
                let package = package(message["package_id"].as_str().unwrap_or_default()).to_owned();
                let choice = format!("-p {package} {}", choice(&message["target"]));
                let built = Some(Executable { file, package, folder });
                programs.push(Program { choice, built, arguments: &[] });
            } else if message["target"]["name"] == "runner" {
                runner = Some(file);
            }
        }
        ensure!(finished, "cargo's messages have no end");
        Ok(Self { programs, runner: runner.context("cargo built no runner")? })
    }
}

impl Program {
    /// Tells the program which of its tests are meant.
    pub(super) fn choose(&mut self, arguments: &'static [&'static str]) {
        self.arguments = arguments;
        self.choice = format!("{} -- {}", self.choice, arguments.join(" "));
    }

    /// For a file's name: `runner-e2e-test-engine`.
    pub(super) fn name(&self) -> String {
        let choice = self.choice.split(" -- ").next().unwrap_or_default();
        choice.trim_start_matches("-p ").trim_start_matches('-').replace(" --", "-").replace(' ', "-")
    }

    /// The examples in doc comments: rustdoc compiles them, and cargo tells it how.
    pub(super) fn documentation() -> Self {
        Self { choice: "--doc".to_owned(), built: None, arguments: &[] }
    }

    /// What runs it. Where it is `patient`, all else goes first.
    pub(super) fn command(&self, context: &Context, patient: bool) -> Command {
        let Some(Executable { file, package, folder }) = &self.built else {
            return context.cargo(&["test", "--workspace", "--doc", "--no-fail-fast"]);
        };
        let mut command = context.command(if patient { Path::new("nice") } else { file });
        if patient {
            command.arg(file);
        }
        // As cargo does it.
        command.current_dir(folder).env("CARGO_MANIFEST_DIR", folder).env("CARGO_PKG_NAME", package);
        command.args(self.arguments);
        command
    }
}

/// A target among those of its package, as cargo takes it.
fn choice(target: &Value) -> String {
    let name = target["name"].as_str().unwrap_or_default();
    match target["kind"][0].as_str().unwrap_or_default() {
        kind @ ("test" | "bin" | "example" | "bench") => format!("--{kind} {name}"),
        _ => "--lib".to_owned(),
    }
}

/// A package's name in cargo's identifiers: `path+file:///x/e2e#runner-e2e@0.1.0`, and where the folder bears that name,
/// `path+file:///x/runner#0.1.0`.
fn package(id: &str) -> &str {
    let (source, rest) = id.rsplit_once('#').unwrap_or(("", id));
    match rest.rsplit_once('@') {
        Some((name, _)) => name,
        None => source.rsplit('/').next().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn artifact(id: &str, kind: &str, name: &str, test: bool) -> String {
        json!({
            "reason": "compiler-artifact", "package_id": id, "manifest_path": "/x/folder/Cargo.toml",
            "target": { "kind": [kind], "name": name }, "profile": { "test": test }, "executable": format!("/target/{name}"),
        })
        .to_string()
    }

    #[test]
    fn test_programs_are_found_and_named_as_cargo_takes_them() {
        let said = [
            artifact("path+file:///x/tests/e2e#runner-e2e@0.1.0", "test", "engine", true),
            artifact("path+file:///x/runner#0.1.0", "lib", "runner", true),
            artifact("path+file:///x/runner#0.1.0", "bin", "runner", true),
            artifact("path+file:///x/runner#0.1.0", "bin", "runner", false),
            json!({ "reason": "compiler-artifact", "executable": null, "profile": { "test": false } }).to_string(),
            json!({ "reason": "build-finished", "success": true }).to_string(),
        ];
        let built = Built::read(&said.join("\n")).unwrap();
        let choices: Vec<&str> = built.programs.iter().map(|program| program.choice.as_str()).collect();
        assert_eq!(choices, ["-p runner-e2e --test engine", "-p runner --lib", "-p runner --bin runner"]);
        let engine = built.programs[0].built.as_ref().unwrap();
        assert_eq!((engine.package.as_str(), engine.folder.as_path()), ("runner-e2e", Path::new("/x/folder")));
        assert_eq!(built.runner, Path::new("/target/runner"));
    }

    #[test]
    fn a_build_without_a_runner_or_without_an_end_is_an_error() {
        let runner = artifact("path+file:///x/runner#0.1.0", "bin", "runner", false);
        let end = json!({ "reason": "build-finished", "success": true }).to_string();
        assert!(Built::read(&end).is_err() && Built::read(&runner).is_err());
        assert!(Built::read(&format!("{runner}\nprinted by a macro\n{end}")).is_ok());
    }
}
