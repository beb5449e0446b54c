//! Rust: cargo, for `wasm32-unknown-unknown`; the linker that is part of every toolchain writes a finished component.

use std::path::PathBuf;
use std::process::Command;

use super::Job;
use crate::Problem;
use crate::authoring::{Project, files, tools};

/// The guest's target: without WASI, and part of every release of Rust.
const TARGET: &str = "wasm32-unknown-unknown";

/// The manifest of the SDK where it lies in a project. In runner's own sources it is part of a workspace.
const SDK_MANIFEST: &str = include_str!("sdk.toml");

/// Puts the SDK and the contract into the project, where its manifest looks for them.
pub(in crate::authoring) fn put_sdk(project: &Project) -> Result<(), Problem> {
    let work = project.work();
    files::renew(&work.join("wit"), files::CONTRACT)?;
    let sdk = work.join("rust/sdk");
    for (path, text) in files::SDK_RUST {
        let text = if *path == "Cargo.toml" { SDK_MANIFEST } else { text };
        files::write(&sdk.join(path), text)?;
    }
    Ok(())
}

/// Builds the project into `job.output`.
pub(super) fn build(job: &Job<'_>) -> Result<(), Problem> {
    let project = job.project;
    super::source_of(project, "Cargo.toml")?;
    let get = ["install Rust: https://rustup.rs", "rustup target add wasm32-unknown-unknown"];
    let cargo = tools::need("cargo", "it builds Rust plugins", &get)?;
    target_is_there()?;
    put_sdk(project)?;
    let mut command = Command::new(cargo);
    command.args(["build", "--release", "--target", TARGET, "--message-format=json-render-diagnostics"]);
    if job.offline {
        command.arg("--offline");
    }
    let said = tools::run(command.current_dir(&project.dir))?;
    let built = component_of(&said).ok_or_else(|| {
        Problem::new("cargo built no component: the crate has no library of the kind `cdylib`")
            .hint("put `[lib]` and `crate-type = [\"cdylib\"]` into Cargo.toml")
    })?;
    std::fs::copy(&built, &job.output).map(drop).map_err(|e| files::problem("copy", &built, &e))
}

/// Whether the guest target's standard library is installed.
fn target_is_there() -> Result<(), Problem> {
    let add = "rustup target add wasm32-unknown-unknown";
    let rustc = tools::need("rustc", "it compiles Rust plugins", &["install Rust: https://rustup.rs", add])?;
    let folder = tools::run(Command::new(rustc).args(["--print", "target-libdir", "--target", TARGET]))?;
    let has_std = std::fs::read_dir(folder.trim()).into_iter().flatten().flatten().any(|entry| {
        let name = entry.file_name();
        name.to_string_lossy().starts_with("libstd-")
    });
    if has_std { Ok(()) } else { Err(Problem::new(format!("Rust's target {TARGET} is not installed")).hint(add)) }
}

/// The last component among the files that cargo says it wrote.
fn component_of(messages: &str) -> Option<PathBuf> {
    let read = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let artifacts = read.filter(|message| message["reason"] == "compiler-artifact");
    let names = artifacts.flat_map(|a| a["filenames"].as_array().cloned().unwrap_or_default());
    names.filter_map(|name| name.as_str().filter(|name| name.ends_with(".wasm")).map(PathBuf::from)).next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_component_is_the_one_that_cargo_names() {
        let said = "{\"reason\":\"compiler-artifact\",\"filenames\":[\"/t/libserde.rlib\"]}\nnot json\n\
                    {\"reason\":\"compiler-artifact\",\"filenames\":[\"/t/caught_up.wasm\"]}\n{\"reason\":\"build-finished\"}";
        assert_eq!(component_of(said), Some("/t/caught_up.wasm".into()));
        assert_eq!(component_of("{\"reason\":\"build-finished\"}"), None);
    }

    #[test]
    fn the_sdks_manifest_is_that_of_the_workspace() {
        let workspace: toml_edit::Document<&str> =
            toml_edit::Document::parse(include_str!("../../../../Cargo.toml")).unwrap();
        let ours = toml_edit::Document::parse(include_str!("../../../../plugins/sdk/Cargo.toml")).unwrap();
        let carried = toml_edit::Document::parse(SDK_MANIFEST).unwrap();
        let names = |d: &toml_edit::Document<&str>| -> Vec<String> {
            d["dependencies"].as_table().unwrap().iter().map(|(name, _)| name.to_owned()).collect()
        };
        assert_eq!(names(&ours), names(&carried));
        let version = |item: &toml_edit::Item| {
            item.as_str().or_else(|| item.get("version").and_then(|v| v.as_str())).map(str::to_owned)
        };
        for name in names(&carried) {
            let wanted = version(&workspace["workspace"]["dependencies"][name.as_str()]);
            assert_eq!(version(&carried["dependencies"][name.as_str()]), wanted, "{name}");
        }
        let bindgen = &carried["target"]["cfg(target_family = \"wasm\")"]["dependencies"]["wit-bindgen"];
        assert_eq!(version(bindgen), version(&workspace["workspace"]["dependencies"]["wit-bindgen"]));
    }
}
