//! Where the real tools are: etcd of several versions, the built runner, the built guests.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const SETUP: &str = "run `cargo xtask setup`";

/// A real etcd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EtcdBinary {
    /// Its version, as it says itself: `3.6.16`.
    pub version: String,
    /// The program.
    pub path: PathBuf,
}

impl EtcdBinary {
    /// Major, minor and patch, for comparing.
    pub fn number(&self) -> (u32, u32, u32) {
        let mut parts = self.version.split(['.', '-', '+']).map(|p| p.parse().unwrap_or(0));
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0), parts.next().unwrap_or(0))
    }

    /// Major and minor, as text: `3.6`.
    pub fn minor(&self) -> String {
        let (major, minor, _) = self.number();
        format!("{major}.{minor}")
    }
}

/// Cargo's target directory of this workspace: the one that this test program lies in.
pub fn target_dir() -> PathBuf {
    if let Some(dir) = env::var_os("CARGO_TARGET_DIR") {
        return PathBuf::from(dir);
    }
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target").canonicalize().expect("the workspace has a target directory")
}

/// `RUNNER_CACHE_DIR` for the runners of tests: a guest is compiled once for all of them, most before any test begins.
pub fn compiled_cache() -> PathBuf {
    target_dir().join("tmp/runner-cache")
}

/// The same for tests that load plugins into their own process: where those runners keep compiled plugins.
pub fn compiled_plugins() -> Option<PathBuf> {
    Some(compiled_cache().join("plugins"))
}

/// The workspace's own folder.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the tests are built in it")
}

/// Every etcd at hand, oldest first: `RUNNER_ETCD` and `<target>/tools/etcd/*/etcd`, one per version.
///
/// Panics with the command that gets them where there is none, and where one does not run.
pub fn etcd_versions() -> Vec<EtcdBinary> {
    static FOUND: OnceLock<Vec<EtcdBinary>> = OnceLock::new();
    FOUND.get_or_init(find_etcd).clone()
}

/// The newest etcd at hand.
pub fn newest() -> EtcdBinary {
    etcd_versions().pop().expect("etcd_versions is never empty")
}

/// The newest etcd at hand of this minor version (`3.5`). Panics with the command that gets it where there is none.
pub fn of_minor(minor: &str) -> EtcdBinary {
    let found = etcd_versions().into_iter().rev().find(|e| e.minor() == minor);
    found.unwrap_or_else(|| panic!("no etcd {minor} under {}: {SETUP}", target_dir().join("tools/etcd").display()))
}

/// The newest patch of every minor version at hand, oldest first.
pub fn every_minor() -> Vec<EtcdBinary> {
    let mut all = etcd_versions();
    all.reverse();
    all.dedup_by_key(|e| e.minor());
    all.reverse();
    all
}

/// The runner that belongs to this test program, brought up to date first; `RUNNER_BIN` names another one.
///
/// Panics with cargo's words where it does not build.
pub fn runner_bin() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(find_runner).clone()
}

/// The finished component `<target>/guests/<name>.wasm`. Panics with the command that builds it where it is missing.
pub fn guest(name: &str) -> PathBuf {
    let path = target_dir().join("guests").join(format!("{name}.wasm"));
    assert!(path.is_file(), "{} is missing: {SETUP}", path.display());
    path
}

fn find_etcd() -> Vec<EtcdBinary> {
    let folder = target_dir().join("tools/etcd");
    let installed = fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path().join("etcd"));
    let named = env::var_os("RUNNER_ETCD").map(PathBuf::from);
    let mut found: Vec<_> = named.into_iter().chain(installed.filter(|p| p.is_file())).map(ask_version).collect();
    found.sort_by_key(EtcdBinary::number);
    found.dedup_by(|a, b| a.version == b.version);
    assert!(!found.is_empty(), "no etcd under {} and RUNNER_ETCD is not set: {SETUP}", folder.display());
    found
}

fn ask_version(path: PathBuf) -> EtcdBinary {
    let answer = Command::new(&path).arg("--version").output();
    let answer = answer.unwrap_or_else(|e| panic!("{} does not run ({e}): {SETUP}", path.display()));
    let text = String::from_utf8_lossy(&answer.stdout);
    let version = text.lines().find_map(|line| line.strip_prefix("etcd Version: "));
    let version =
        version.unwrap_or_else(|| panic!("{} does not say its version: {SETUP}", path.display())).trim().to_owned();
    EtcdBinary { version, path }
}

/// The cargo that has built this test program, in the workspace's own folder.
pub fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What cargo tells a test of its own package would make build scripts that look at it run again, and much with them.
    let told = ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_CRATE_", "CARGO_BIN_", "CARGO_PRIMARY_"];
    for (name, _) in env::vars_os().filter(|(name, _)| told.iter().any(|t| name.to_string_lossy().starts_with(t))) {
        command.env_remove(name);
    }
    command.current_dir(repository());
    command
}

fn find_runner() -> PathBuf {
    if let Some(path) = env::var_os("RUNNER_BIN") {
        return PathBuf::from(path);
    }
    // Nothing to do is found out in a moment: every selection of packages chooses the same features (runner/crates/features).
    let mut command = cargo();
    let built = command.args(["build", "--quiet", "--package", "runner"]).output().expect("cargo runs");
    let words = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "the runner cannot be built; set RUNNER_BIN to use a built one\n{words}");
    target_dir().join("debug/runner")
}
