//! The container runtime: containerd by Go, runc from Debian, and the program of a pod's first container.

use std::{fs, path::PathBuf, process::Command, time::Duration};

use anyhow::{Context as _, Result, bail};

use super::{is_of, texts};
use crate::{
    context::Context,
    process, say,
    scratch::Scratch,
    setup::{debian::PrivateApt, go},
};

const MODULE: &str = "tests/containerd";
const PROGRAMS: [&str; 3] = ["containerd", "containerd-shim-runc-v2", "ctr"];
/// A minute on two cores; much more for a slow or busy machine.
const LIMIT: Duration = Duration::from_secs(1500);

/// Where they are.
pub(super) fn folder(context: &Context) -> PathBuf {
    super::folder(context).join("containerd")
}

/// What they are made of.
fn inputs(context: &Context) -> Result<String> {
    let files = ["go.mod", "go.sum", "main.go"].map(|file| format!("{MODULE}/{file}"));
    let own = ["node/containerd.rs", "setup/go.rs"].map(|file| format!("tests/xtask/src/{file}"));
    texts(context, &[files.as_slice(), &own].concat())
}

/// Whether they are there, and up to date.
pub(super) fn is_there(context: &Context) -> Result<bool> {
    Ok(is_of(&folder(context), &inputs(context)?))
}

/// Builds them, unless they are there.
pub(super) fn build(context: &Context) -> Result<()> {
    let inputs = inputs(context)?;
    if is_of(&folder(context), &inputs) {
        return Ok(());
    }
    say::timed("containerd: building with Go", || {
        let scratch = Scratch::new(&context.tools, "containerd")?;
        let mut go = go::build(context, MODULE, "")?;
        go.args(["-tags", "no_btrfs no_devmapper no_zfs", "-o"]).arg(scratch.path());
        go.args(PROGRAMS.map(|name| format!("github.com/containerd/containerd/v2/cmd/{name}")));
        context.quiet("containerd", &mut go, LIMIT)?;
        let mut go = go::build(context, MODULE, "")?;
        go.arg("-o").arg(scratch.path().join("pause")).arg(".");
        context.quiet("pause", &mut go, LIMIT)?;
        let runc = scratch.path().join("runc");
        match process::on_path("runc") {
            Some(there) => fs::copy(there, &runc).map(drop).context("failed to copy runc")?,
            None => {
                let apt = PrivateApt::open(context, "bookworm")?;
                let unpacked = apt.unpack(&["runc"])?;
                fs::copy(unpacked.join("usr/sbin/runc"), &runc).context("failed to copy Debian's runc")?;
            }
        }
        if let Err(error) = process::output(Command::new(&runc).arg("--version")) {
            bail!("runc does not run here ({error:#}); hint: apt-get install libseccomp2");
        }
        fs::write(scratch.path().join("inputs"), &inputs)?;
        scratch.publish(scratch.path(), &folder(context))
    })
}
