//! Kubernetes' own programs, as one that looks at its own name: `tests/kubeadm`.

use std::{fs, os::unix::fs::symlink, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result};

use super::{images, is_of, texts};
use crate::{
    context::Context,
    say,
    scratch::Scratch,
    setup::{etcd, go},
};

/// Those whose `go.mod` is in `tests/kubeadm`.
pub(super) const MINORS: [&str; 3] = ["1.36", "1.35", "1.33"];
const MODULE: &str = "tests/kubeadm";
pub(super) const NAMES: [&str; 6] =
    ["kubeadm", "kubelet", "kubectl", "kube-apiserver", "kube-controller-manager", "kube-scheduler"];
/// 5 min 7 s on two cores (1.36.3, nothing cached); much more for a slow or busy machine.
const LIMIT: Duration = Duration::from_secs(5400);

/// Where those of a minor version (`1.36`) are.
pub(super) fn folder(context: &Context, minor: &str) -> PathBuf {
    super::folder(context).join(format!("kubernetes-{minor}"))
}

/// What they are made of, beside etcd and [`super::containerd`].
fn inputs(context: &Context, minor: &str) -> Result<String> {
    let module = ["go.mod", "go.sum"].map(|file| format!("{MODULE}/v{minor}/{file}"));
    let own = ["node/kubernetes.rs", "node/images.rs", "setup/go.rs"].map(|file| format!("tests/xtask/src/{file}"));
    texts(context, &[&module[..], &[format!("{MODULE}/main.go")], &own].concat())
}

/// Whether they are there, and up to date. Obtains no etcd.
pub(super) fn is_there(context: &Context, minor: &str) -> Result<bool> {
    let newest = etcd::at_hand(context)?.into_iter().rev().find(|server| server.is_built(etcd_line(minor)));
    let Some(server) = newest else { return Ok(false) };
    Ok(is_of(&folder(context, minor), &(inputs(context, minor)? + &server.version)))
}

/// Builds them and their images, unless they are there. After [`super::containerd::build`].
pub(super) fn build(context: &Context, minor: &str) -> Result<()> {
    let server = etcd::built(context, etcd_line(minor))?;
    let module = format!("v{minor}/go.mod");
    let inputs = inputs(context, minor)? + &server.version;
    if is_of(&folder(context, minor), &inputs) {
        return Ok(());
    }
    let version = pinned(&inputs).with_context(|| format!("{module} does not require k8s.io/kubernetes"))?.to_owned();
    say::timed(&format!("Kubernetes {version}: building with Go (some minutes the first time)"), || {
        let scratch = Scratch::new(&context.tools, &format!("kubernetes-{minor}"))?;
        let program = scratch.path().join("kubernetes");
        let stamp = "k8s.io/component-base/version";
        let (major, minor_number) = minor.split_once('.').unwrap_or((minor, ""));
        // Without the stamp kubeadm takes itself for no version at all.
        let link = format!("-X {stamp}.gitVersion={version} -X {stamp}.gitMajor={major} -X {stamp}.gitMinor={minor_number}");
        let mut go = go::build(context, MODULE, &link)?;
        go.args(["-modfile", &module, "-o"]).arg(&program).arg(".");
        context.quiet(&format!("kubernetes-{minor}"), &mut go, LIMIT)?;
        for name in NAMES {
            symlink("kubernetes", scratch.path().join(name))?;
        }
        let pause = images::write(context, &scratch, &version, &server)?;
        for (file, text) in [("version", &version), ("etcd", &server.version), ("pause", &pause), ("inputs", &inputs)] {
            fs::write(scratch.path().join(file), text)?;
        }
        scratch.publish(scratch.path(), &folder(context, minor))
    })
}

/// The release line of etcd that this Kubernetes comes with (kubeadm's constants.go, `DefaultEtcdVersion`).
fn etcd_line(minor: &str) -> &'static str {
    if minor == "1.33" { "3.5" } else { "3.6" }
}

fn pinned(module: &str) -> Option<&str> {
    module.lines().find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes "))
}
