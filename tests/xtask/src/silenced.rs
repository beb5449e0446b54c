//! Whether a program or library for which the manifest says `test = false` has tests all the same: nobody would ever run them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{context::Context, process};

/// Looks through the sources of all of them.
pub(crate) fn check(context: &Context) -> Result<()> {
    let metadata = process::output(&mut context.cargo(&["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: Value = serde_json::from_str(&metadata).context("failed to read `cargo metadata`'s answer")?;
    let mut found = Vec::new();
    for root in silenced(&metadata) {
        found.extend(with_tests(&root)?);
    }
    if !found.is_empty() {
        let files: Vec<String> = found.iter().map(|file| file.display().to_string()).collect();
        bail!("these hold tests, and their package's manifest says `test = false`:\n  {}", files.join("\n  "));
    }
    Ok(())
}

/// The source files that such targets begin with. Build scripts are never tested.
fn silenced(metadata: &Value) -> Vec<PathBuf> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let targets = packages.filter_map(|package| package["targets"].as_array()).flatten();
    let silenced = targets.filter(|target| target["test"] == false && target["kind"][0] != "custom-build");
    silenced.filter_map(|target| target["src_path"].as_str().map(PathBuf::from)).collect()
}

/// The files with tests: this one, and what lies beside and beneath a library's first file. A program's other files may be a library's.
fn with_tests(root: &Path) -> Result<Vec<PathBuf>> {
    if !root.ends_with("lib.rs") {
        return Ok(if has_tests(root)? { vec![root.to_owned()] } else { Vec::new() });
    }
    let (mut folders, mut found): (Vec<PathBuf>, Vec<PathBuf>) =
        (root.parent().map(Path::to_owned).into_iter().collect(), Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("failed to read {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") && has_tests(&path)? {
                found.push(path);
            }
        }
    }
    Ok(found)
}

fn has_tests(file: &Path) -> Result<bool> {
    let text = fs::read_to_string(file).with_context(|| format!("failed to read {}", file.display()))?;
    Ok(text.lines().map(str::trim).any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scratch;

    #[test]
    fn a_test_beneath_a_silenced_library_is_found() {
        let folder = std::env::temp_dir().join(format!("xtask-silenced-{}", std::process::id()));
        fs::create_dir_all(folder.join("deep")).unwrap();
        fs::write(folder.join("lib.rs"), "mod deep;").unwrap();
        fs::write(folder.join("deep/mod.rs"), "    #[test]\n    fn never_run() {}").unwrap();
        let target = |kind: &str, test: bool| json!({ "kind": [kind], "test": test, "src_path": folder.join("lib.rs") });
        let found = |targets: Value| {
            let roots = silenced(&json!({ "packages": [{ "targets": targets }] }));
            roots.iter().flat_map(|root| with_tests(root).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(found(json!([target("lib", false)])), [folder.join("deep/mod.rs")]);
        assert_eq!(found(json!([target("lib", true), target("custom-build", false)])), [] as [PathBuf; 0]);
        scratch::remove(&folder).unwrap();
    }
}
