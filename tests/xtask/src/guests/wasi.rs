//! The Rust guest built out of habit for WASI: `tests/guests/rust-wasip2/`, a workspace of its own, becomes
//! `rust-wasip2.wasm`. The one guest that may be left out, and said to be, where rustup cannot provide the target.

use anyhow::Result;

use super::{component, publish};
use crate::{context::Context, process, say, scratch, setup::wasm_target};

const NAME: &str = "rust-wasip2";

/// Builds it. Without the target an old build is removed, so that nobody tests that by mistake.
pub(super) fn build(context: &Context) -> Result<()> {
    let manifest = context.source("tests/guests").join(NAME).join("Cargo.toml");
    if !wasm_target::installed(wasm_target::WASI)? {
        say::line(&format!("guest {NAME} is NOT built; fix: rustup target add {}", wasm_target::WASI));
        return scratch::remove(&component(context, NAME));
    }
    // In our target folder, so that what builds the bindings is built once for both workspaces.
    let mut cargo = context.cargo(&["build", "--profile", "plugin", "--target", wasm_target::WASI]);
    cargo.arg("--manifest-path").arg(&manifest).arg("--target-dir").arg(&context.target);
    process::stream(&mut cargo)?;
    let built = context.target.join(wasm_target::WASI).join("plugin").join("rust_wasip2.wasm");
    publish(context, &built, NAME)
}
