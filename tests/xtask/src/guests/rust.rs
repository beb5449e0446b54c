//! Rust guests: the workspace's crates with a `cdylib`, in one call of cargo. The linker writes finished components.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::publish;
use crate::{context::Context, process, setup::wasm_target};

/// Builds these packages.
pub(super) fn build(context: &Context, packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    // What a panic says of its place would name this machine's folders, and make each machine's component another one.
    let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = cargo_home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let remap = |from: &Path, to: &str| format!("'--remap-path-prefix={}={to}'", from.display());
    let mut flags = vec![remap(&context.source(""), "/runner")];
    flags.extend(home.map(|home| remap(&home.join("registry/src"), "/cargo")));
    let rustflags = format!("target.{}.rustflags=[{}]", wasm_target::GUEST, flags.join(", "));
    let mut cargo = context.cargo(&["--config", &rustflags, "build", "--profile", "plugin", "--target", wasm_target::GUEST]);
    for package in packages {
        cargo.args(["--package", package]);
    }
    process::stream(&mut cargo)?;
    let built = context.target.join(wasm_target::GUEST).join("plugin");
    for package in packages {
        let guest = context.rust_guest(package)?;
        publish(context, &built.join(format!("{}.wasm", guest.library)), package)?;
    }
    Ok(())
}
