//! Whether a program or library for which the manifest says `test = false` has tests all the same: nobody would ever run them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::context::Context;

/// Looks through the sources of all of them.
pub(crate) fn check(context: &Context) -> Result<()> {
    let mut found = Vec::new();
    for root in &context.silenced {
        found.extend(with_tests(root)?);
    }
    if !found.is_empty() {
        let files: Vec<String> = found.iter().map(|file| file.display().to_string()).collect();
        bail!(
            "these hold tests, or modules that may, and their package's manifest says `test = false`:\n  {}",
            files.join("\n  ")
        );
    }
    Ok(())
}

/// A library's files with tests. Of a program only its first file is looked at, since the others may be a library's that is tested:
/// so modules of its own count, too.
fn with_tests(root: &Path) -> Result<Vec<PathBuf>> {
    if !root.ends_with("lib.rs") {
        return Ok(if has(root, &["#[test]", "#[tokio::test", "mod "])? { vec![root.to_owned()] } else { Vec::new() });
    }
    let (mut folders, mut found) = (Vec::from_iter(root.parent().map(Path::to_owned)), Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("failed to read {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") && has(&path, &["#[test]", "#[tokio::test"])? {
                found.push(path);
            }
        }
    }
    Ok(found)
}

/// Whether a line of it begins with one of these.
fn has(file: &Path, beginnings: &[&str]) -> Result<bool> {
    let text = fs::read_to_string(file).with_context(|| format!("failed to read {}", file.display()))?;
    Ok(text.lines().any(|line| beginnings.iter().any(|beginning| line.trim_start().starts_with(beginning))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn a_test_beneath_a_library_and_a_module_of_a_program_are_found() {
        let folder = Scratch::new(&std::env::temp_dir(), &format!("xtask-silenced-{}", std::process::id())).unwrap();
        let place = |name: &str| folder.path().join(name);
        fs::create_dir_all(place("deep")).unwrap();
        fs::write(place("lib.rs"), "mod deep;").unwrap();
        fs::write(place("deep/mod.rs"), "    #[test]\n    fn never_run() {}").unwrap();
        fs::write(place("main.rs"), "fn main() {}").unwrap();
        fs::write(place("modular.rs"), "mod arguments;").unwrap();
        assert_eq!(with_tests(&place("lib.rs")).unwrap(), [place("deep/mod.rs")]);
        assert_eq!(with_tests(&place("main.rs")).unwrap(), [] as [PathBuf; 0]);
        assert_eq!(with_tests(&place("modular.rs")).unwrap(), [place("modular.rs")]);
    }
}
