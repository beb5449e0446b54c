//! The adapter that takes WASI's place in Go plugins: committed as text, and as the two modules that `runner plugin build` links.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};

use super::Generated;

const FOLDER: &str = "runner/src/authoring/go";

/// `deny.wasm` refuses random bytes; `deny-random.wasm` asks the host for them.
pub(super) fn generate(root: &Path) -> Result<Generated> {
    let folder = Path::new(FOLDER);
    let source = root.join(folder).join("deny.wat");
    let text = fs::read_to_string(&source).with_context(|| format!("failed to read {}", source.display()))?;
    let mut generated = Generated::new();
    for (file, variant) in [("deny.wasm", "random_get_denied"), ("deny-random.wasm", "random_get_granted")] {
        ensure!(text.matches(variant).count() == 1, "{} must name {variant} once", source.display());
        let module = wat::parse_str(text.replace(variant, "random_get")).context("failed to assemble the adapter")?;
        generated.insert(folder.join(file), module);
    }
    Ok(generated)
}
