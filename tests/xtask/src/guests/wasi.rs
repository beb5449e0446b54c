//! Rust guests built out of habit for WASI: `tests/guests/rust-wasip2/<name>/`, each a workspace of its own, becomes
//! `<name>.wasm`. The one kind of guest that may be left out, and said to be, where rustup cannot provide the target.

use anyhow::{Context as _, Result};

use super::{component, entries, publish, stem};
use crate::{context::Context, process, say, scratch, setup::wasm_target};

/// Builds those that are there. Without the target old builds are removed, so that nobody tests those by mistake.
pub(super) fn build(context: &Context) -> Result<()> {
    let there = wasm_target::installed(wasm_target::WASI)?;
    for folder in entries(&context.source("tests/guests/rust-wasip2")) {
        let manifest = folder.join("Cargo.toml");
        if !manifest.is_file() {
            continue;
        }
        let name = stem(&folder);
        if !there {
            say::line(&format!("guest {name} is NOT built; fix: rustup target add {}", wasm_target::WASI));
            scratch::remove(&component(context, &name))?;
            continue;
        }
        let mut cargo = context.cargo(&["build", "--profile", "plugin", "--target", wasm_target::WASI]);
        // The other guests' profile and target folder, so that what makes the bindings is built once for all workspaces.
        cargo.args(["--config", "profile.plugin.inherits=\"release\""]).arg("--target-dir").arg(&context.target);
        process::stream(cargo.arg("--manifest-path").arg(&manifest))?;
        let built = context.target.join(wasm_target::WASI).join("plugin").join(format!("{}.wasm", name.replace('-', "_")));
        publish(context, &built, &name)
            .with_context(|| format!("the crate in {} must be named {name}", folder.display()))?;
    }
    Ok(())
}
