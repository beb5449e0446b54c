//! Rust guests: the workspace's crates with a `cdylib`, in one call of cargo. The linker writes finished components.

use anyhow::Result;

use super::publish;
use crate::{context::Context, process, setup::wasm_target};

/// Builds these packages.
pub(super) fn build(context: &Context, packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let mut cargo = context.cargo(&["build", "--profile", "plugin", "--target", wasm_target::GUEST]);
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
