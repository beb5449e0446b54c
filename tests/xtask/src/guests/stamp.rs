//! Skips a build whose inputs have not changed: componentizing takes seconds and its outputs differ from run to run.

use std::{
    collections::hash_map::DefaultHasher,
    fs,
    hash::{Hash as _, Hasher as _},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result};

use super::{component, entries, publish};
use crate::{context::Context, say, scratch::Scratch};

/// A guest that is built by a tool of another language.
pub(super) struct Guest<'a> {
    /// The component's file name without `.wasm`.
    pub(super) name: String,
    /// Files and folders that it is made of, the tool's lock file included. The contract is always one of them.
    pub(super) inputs: &'a [PathBuf],
}

impl Guest<'_> {
    /// Calls `build` with a scratch folder where the inputs have changed since the last build; it returns the command that
    /// writes `out.wasm` there.
    pub(super) fn build(&self, context: &Context, build: impl FnOnce(&Path) -> Result<Command>) -> Result<()> {
        let stamp = context.guests.join(format!(".{}.inputs", self.name));
        let inputs = self.fingerprint(context)?;
        if component(context, &self.name).is_file() && fs::read_to_string(&stamp).is_ok_and(|there| there == inputs) {
            return Ok(());
        }
        say::timed(&format!("guest {}", self.name), || {
            let scratch = Scratch::new(&context.guests, &self.name)?;
            let mut command = build(scratch.path())?;
            context.quiet(&format!("guest-{}", self.name), &mut command, Duration::from_secs(600))?;
            publish(context, &scratch.path().join("out.wasm"), &self.name)?;
            fs::write(&stamp, &inputs).with_context(|| format!("failed to write {}", stamp.display()))
        })
    }

    fn fingerprint(&self, context: &Context) -> Result<String> {
        let mut hasher = DefaultHasher::new();
        add(&context.source("wit"), &mut hasher)?;
        for input in self.inputs {
            add(input, &mut hasher)?;
        }
        Ok(format!("{:016x}", hasher.finish()))
    }
}

/// Names and contents, folders with everything in them but what Python leaves behind.
fn add(path: &Path, hasher: &mut DefaultHasher) -> Result<()> {
    if path.is_dir() {
        for entry in entries(path) {
            if !entry.ends_with("__pycache__") {
                add(&entry, hasher)?;
            }
        }
        return Ok(());
    }
    path.file_name().hash(hasher);
    fs::read(path).with_context(|| format!("failed to read {}", path.display()))?.hash(hasher);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::remove;

    #[test]
    fn names_and_contents_count_and_python_leftovers_do_not() {
        let root = std::env::temp_dir().join(format!("xtask-stamp-{}", std::process::id()));
        fs::create_dir_all(root.join("__pycache__")).unwrap();
        let print = || {
            let mut hasher = DefaultHasher::new();
            add(&root, &mut hasher).unwrap();
            hasher.finish()
        };
        fs::write(root.join("app.py"), "one").unwrap();
        let first = print();
        fs::write(root.join("__pycache__/app.pyc"), "x").unwrap();
        assert_eq!(print(), first);
        fs::write(root.join("app.py"), "two").unwrap();
        let second = print();
        fs::rename(root.join("app.py"), root.join("other.py")).unwrap();
        assert!(first != second && second != print());
        remove(&root).unwrap();
    }
}
