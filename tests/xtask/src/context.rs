//! Where things are: the workspace, cargo's target folder, the packages, and the environment that cargo needs.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{lock::Lock, process, setup::protoc};

/// Everything that a command of xtask needs to know about this checkout.
pub(crate) struct Context {
    /// The workspace's root folder.
    pub(crate) root: PathBuf,
    /// Cargo's target folder; `CARGO_TARGET_DIR` is honoured.
    pub(crate) target: PathBuf,
    /// Obtained tools: `target/tools`.
    pub(crate) tools: PathBuf,
    /// Finished components: `target/guests`.
    pub(crate) guests: PathBuf,
    /// The protobuf compiler that cargo's builds use.
    pub(crate) protoc: PathBuf,
    /// Held while anything is written to `tools` or `guests`.
    pub(crate) lock: Lock,
    /// The workspace's crates that build a `cdylib`: the plugins and the Rust test guests.
    pub(crate) rust_guests: Vec<RustGuest>,
    /// The workspace's other crates, by package name: what is built for this machine.
    pub(crate) host_packages: Vec<String>,
    /// First files of the programs and libraries whose manifest says `test = false`.
    pub(crate) silenced: Vec<PathBuf>,
    cargo: OsString,
}

/// A crate of the workspace that becomes a component.
pub(crate) struct RustGuest {
    /// The package's name, which is the component's file name too.
    pub(crate) package: String,
    /// The library's name: cargo's file name.
    pub(crate) library: String,
}

/// Variables with which cargo describes the package of the program that it runs.
const OF_A_PACKAGE: [&str; 5] = ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_CRATE_", "CARGO_BIN_", "CARGO_PRIMARY_"];

impl Context {
    /// Asks cargo. Errors where there is no cargo, or where a manifest is broken.
    pub(crate) fn load() -> Result<Self> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let metadata = process::output(Command::new(&cargo).args(["metadata", "--no-deps", "--format-version", "1"]))
            .context("failed to read the workspace")?;
        let metadata: Value = serde_json::from_str(&metadata).context("failed to read `cargo metadata`'s answer")?;
        let folder = |key: &str| metadata[key].as_str().map(PathBuf::from).with_context(|| format!("cargo names no {key}"));
        let (root, target) = (folder("workspace_root")?, folder("target_directory")?);
        let tools = target.join("tools");
        Ok(Self {
            protoc: protoc::find(&tools)?,
            guests: target.join("guests"),
            lock: Lock::new(&tools),
            tools,
            rust_guests: rust_guests(&metadata),
            host_packages: host_packages(&metadata, &root),
            silenced: silenced(&metadata),
            root,
            target,
            cargo,
        })
    }

    /// A cargo command in the workspace's root, with the environment that our builds need.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(&self.cargo);
        command.args(arguments).current_dir(&self.root);
        command
    }

    /// Any program, with the environment that our builds need: it may call cargo.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env("PROTOC", &self.protoc);
        // What `cargo xtask` says of the xtask itself: a build script that looks at such a variable (ring's does) would run again,
        // and all that depends on it be compiled again, whenever cargo is called in another way.
        for (name, _) in std::env::vars_os() {
            if OF_A_PACKAGE.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
                command.env_remove(name);
            }
        }
        command
    }

    /// A folder of the sources, from the workspace's root.
    pub(crate) fn source(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root.join(path)
    }

    /// `RUNNER_CACHE_DIR` of the tests: what they compile is kept from run to run. The harness' `compiled_cache` is the same folder.
    pub(crate) fn compiled(&self) -> PathBuf {
        self.target.join("tmp/runner-cache")
    }

    /// Where the output of commands is kept: `target/tools/logs`.
    pub(crate) fn logs(&self) -> PathBuf {
        self.tools.join("logs")
    }

    /// Runs a step's command quietly, with its output in `<step>.log` of [`Self::logs`]; it is killed after `limit`.
    pub(crate) fn quiet(&self, step: &str, command: &mut Command, limit: Duration) -> Result<()> {
        let log = self.logs().join(format!("{step}.log"));
        process::quiet(command, self.lock.as_input()?, &log, limit)
    }

    /// The Rust guest of that package name.
    pub(crate) fn rust_guest(&self, package: &str) -> Result<&RustGuest> {
        match self.rust_guests.iter().find(|guest| guest.package == package) {
            Some(guest) => Ok(guest),
            None => bail!("the workspace has no plugin crate {package:?}"),
        }
    }
}

/// Plugins, their SDK and test guests are all that is built for another target.
fn host_packages(metadata: &Value, root: &Path) -> Vec<String> {
    let guests = [root.join("plugins"), root.join("tests/guests")];
    let here = |package: &Value| {
        let manifest = Path::new(package["manifest_path"].as_str().unwrap_or_default());
        !guests.iter().any(|folder| manifest.starts_with(folder))
    };
    let all = list(&metadata["packages"]);
    all.iter().filter(|package| here(package)).filter_map(|p| p["name"].as_str().map(str::to_owned)).collect()
}

/// Build scripts are left out: they are never tested.
fn silenced(metadata: &Value) -> Vec<PathBuf> {
    let targets = list(&metadata["packages"]).into_iter().flat_map(|package| list(&package["targets"]));
    let silenced = targets.filter(|target| target["test"] == false && target["kind"][0] != "custom-build");
    silenced.filter_map(|target| target["src_path"].as_str().map(PathBuf::from)).collect()
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn rust_guests(metadata: &Value) -> Vec<RustGuest> {
    let mut found = Vec::new();
    for package in list(&metadata["packages"]) {
        for target in list(&package["targets"]) {
            let is_component = list(&target["kind"]).iter().any(|kind| kind == "cdylib");
            if let (true, Some(package), Some(library)) = (is_component, package["name"].as_str(), target["name"].as_str()) {
                found.push(RustGuest { package: package.to_owned(), library: library.to_owned() });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn guests_are_the_packages_with_a_cdylib() {
        let metadata = json!({ "packages": [
            { "name": "runner", "targets": [{ "kind": ["lib"], "name": "runner" }, { "kind": ["bin"], "name": "runner" }] },
            { "name": "steady-sync", "targets": [{ "kind": ["cdylib", "rlib"], "name": "steady_sync" }] },
        ]});
        let found = rust_guests(&metadata);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].package.as_str(), found[0].library.as_str()), ("steady-sync", "steady_sync"));
    }

    #[test]
    fn silenced_is_what_says_so_and_no_build_script() {
        let target = |kind: &str, test: bool| json!({ "kind": [kind], "test": test, "src_path": format!("/{kind}.rs") });
        let metadata = json!({ "packages": [{ "targets": [target("lib", true), target("bin", false), target("custom-build", false)] }] });
        assert_eq!(silenced(&metadata), [Path::new("/bin.rs")]);
    }
}
