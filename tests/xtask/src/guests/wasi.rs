//! Rust guests built out of habit for WASI: `tests/guests/rust-wasip2/<name>/`, each a workspace of its own, becomes
//! `<name>.wasm`. The one kind of guest that may be left out, and said to be, where rustup cannot provide the target.

use anyhow::{Context as _, Result};

use super::{entries, publish, stem};
use crate::{context::Context, process, say, setup::wasm_target};

/// Builds those that are there.
pub(super) fn build(context: &Context) -> Result<()> {
    let there = wasm_target::installed(wasm_target::WASI)?;
    for folder in entries(&context.source("tests/guests/rust-wasip2")) {
        let manifest = folder.join("Cargo.toml");
        if !manifest.is_file() {
            continue;
        }
        let name = stem(&folder);
        if !there {
            say::line(&format!("guest {name} is NOT built: rustup target add {}", wasm_target::WASI));
            continue;
        }
        let target = context.target.join("guests-wasi");
        let mut cargo = context.cargo(&["build", "--release", "--target", wasm_target::WASI]);
        cargo.arg("--manifest-path").arg(&manifest).arg("--target-dir").arg(&target);
        process::stream(&mut cargo)?;
        let built = target.join(wasm_target::WASI).join("release").join(format!("{}.wasm", name.replace('-', "_")));
        publish(context, &built, &name)
            .with_context(|| format!("the crate in {} must be named {name}", folder.display()))?;
    }
    Ok(())
}
