//! The adapter that takes WASI's place in Go plugins: committed as text, and as the two modules that `runner plugin build` links.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};

use super::Generated;

const FOLDER: &str = "runner/src/authoring/go";

/// What the adapter imports for random bytes, and what stands there in the variant that refuses them.
const IMPORT: &str = r#"(import "runner:plugin/random@0.1.1" "bytes" (func $bytes (param i32 i32)))"#;
const NO_IMPORT: &str = "(func $bytes (param i32 i32) (unreachable))";

/// `deny.wasm` refuses random bytes; `deny-random.wasm` asks the host for them.
pub(super) fn generate(root: &Path) -> Result<Generated> {
    let folder = Path::new(FOLDER);
    let source = root.join(folder).join("deny.wat");
    let text = fs::read_to_string(&source).with_context(|| format!("failed to read {}", source.display()))?;
    let variant = |import: &str, random_get: &str| {
        let known = [IMPORT, random_get].iter().all(|part| text.matches(part).count() == 1);
        ensure!(known, "{} must have {IMPORT} and {random_get}, once each", source.display());
        wat::parse_str(text.replace(IMPORT, import).replace(random_get, "random_get"))
            .context("failed to assemble the adapter")
    };
    Ok(Generated::from([
        (folder.join("deny.wasm"), variant(NO_IMPORT, "random_get_denied")?),
        (folder.join("deny-random.wasm"), variant(IMPORT, "random_get_granted")?),
    ]))
}
