//! `cargo xtask node`: joins on real control-plane nodes: kubeadm, kubelet, containerd and Kubernetes' own programs, no stand-in.
//!
//! Builds the parts once (they are kept under `target/tools/node`) and runs `tests/e2e/tests/real_node`, whose nodes are namespaces of
//! this machine.

mod containerd;
mod images;
mod kubernetes;

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::{context::Context, guests, process, say, setup};

/// The test program, as `cargo test` takes it.
pub(crate) const PROGRAM: &str = "-p runner-e2e --test real_node";

/// What `cargo xtask test` runs of it, where everything is built: half a minute each.
pub(crate) const QUICK: [&str; 4] = [
    "--ignored",
    "--exact",
    "joins::runner_and_kubeadm_join_nodes_of_one_cluster",
    "orders::an_old_run_does_not_harm_a_node_that_kubeadm_has_joined",
];

/// Sets up, builds the parts, and tests; `arguments` are the test program's, for example the name of a test.
pub(crate) fn run(context: &Context, arguments: &[String]) -> Result<()> {
    if !is_root() {
        bail!(
            "real nodes need root: containerd and the kubelet mount and make control groups; hint: run it as root (sudo -E)"
        );
    }
    if only_v2() {
        bail!(
            "real nodes need control groups of version 1, which this machine has not; hint: boot it with systemd.unified_cgroup_hierarchy=0"
        );
    }
    setup::everything(context)?.require_all()?;
    parts(context)?;
    guests::everything(context)?;
    let times = context.logs().join("node-times.txt");
    let _ = fs::remove_file(&times);
    let mut cargo = context.cargo(&["test"]);
    cargo.args(PROGRAM.split(' ')).args(["--", "--ignored", "--test-threads=1"]).args(arguments);
    cargo.env("RUNNER_NODE_TIMES", &times);
    let ended = say::timed("real nodes", || process::stream(&mut cargo));
    let said = fs::read_to_string(&times).unwrap_or_default();
    if !said.is_empty() {
        say::plain(&format!("times:\n{}", said.lines().map(|line| format!("  {line}\n")).collect::<String>()));
    }
    ended
}

/// Builds what is not there yet.
fn parts(context: &Context) -> Result<()> {
    let _held = context.lock.hold()?;
    containerd::build(context)?;
    for minor in kubernetes::MINORS {
        kubernetes::build(context, minor)?;
    }
    Ok(())
}

/// Why real nodes cannot be tested right away; none where they can.
pub(crate) fn lacking(context: &Context) -> Option<&'static str> {
    let there = || anyhow::Ok(containerd::is_there(context)? && kubernetes::is_there(context, "1.36")?);
    match (there().unwrap_or(false), is_root()) {
        (false, _) => Some("Kubernetes and containerd are not built, or not as they are pinned now"),
        (true, false) => Some("this user is not root"),
        (true, true) if only_v2() => Some("this machine has control groups of version 2 only"),
        (true, true) => None,
    }
}

/// What the nodes lay out are hierarchies of version 1; nobody has tried them with version 2.
fn only_v2() -> bool {
    Path::new("/sys/fs/cgroup/cgroup.controllers").exists()
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// `target/tools/node`.
fn folder(context: &Context) -> PathBuf {
    context.tools.join("node")
}

/// Whether the folder was made of these inputs: their text is kept in it.
fn is_of(folder: &Path, inputs: &str) -> bool {
    fs::read_to_string(folder.join("inputs")).is_ok_and(|there| there == inputs)
}

/// The texts of these files, in a row.
fn texts(context: &Context, files: &[String]) -> Result<String> {
    let read = |file: &String| {
        let path = context.source(file);
        fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))
    };
    files.iter().map(read).collect()
}
