//! Half-done work: a folder that is renamed into place once it is complete, and that goes away when it is not.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

const PREFIX: &str = ".unfinished-";

/// A temporary folder beside its future place, so that the rename stays on one file system.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Creates an empty folder in `parent`.
    pub(crate) fn new(parent: &Path, name: &str) -> Result<Self> {
        let folder = parent.join(format!("{PREFIX}{name}"));
        remove(&folder)?;
        fs::create_dir_all(&folder).with_context(|| format!("failed to create {}", folder.display()))?;
        Ok(Self(folder))
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Renames `finished` (the folder itself or something in it) to `place`, replacing what is there.
    pub(crate) fn publish(&self, finished: &Path, place: &Path) -> Result<()> {
        remove(place)?;
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent).with_context(|| format!("failed to create {}", parent.display()))?;
        }
        fs::rename(finished, place).with_context(|| format!("failed to move {} to {}", finished.display(), place.display()))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Where it cannot be removed, the next run's `new` or `sweep` says so.
        let _ = remove(&self.0);
    }
}

/// Removes what a killed run left in `parent`. Only for the holder of the lock.
pub(crate) fn sweep(parent: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(parent) else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes a file, a link or a folder with everything in it; none there is fine.
pub(crate) fn remove(path: &Path) -> Result<()> {
    let removed = match path.symlink_metadata() {
        Err(_) => return Ok(()),
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    };
    removed.with_context(|| format!("failed to remove {}", path.display()))
}

/// Copies a folder with everything in it; links are followed.
pub(crate) fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("failed to create {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("failed to list {}", from.display()))? {
        let source = entry?.path();
        let target = to.join(source.file_name().unwrap_or_default());
        if source.is_dir() {
            copy_tree(&source, &target)?;
        } else {
            fs::copy(&source, &target).with_context(|| format!("failed to copy {}", source.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_work_stays_and_the_rest_goes() {
        let parent = std::env::temp_dir().join(format!("xtask-scratch-{}", std::process::id()));
        let scratch = Scratch::new(&parent, "tool").unwrap();
        fs::write(scratch.path().join("kept"), "new").unwrap();
        fs::write(scratch.path().join("lost"), "x").unwrap();
        fs::write(parent.join("tool"), "old").unwrap();
        scratch.publish(&scratch.path().join("kept"), &parent.join("tool")).unwrap();
        drop(scratch);
        fs::create_dir(parent.join(format!("{PREFIX}of-a-killed-run"))).unwrap();
        sweep(&parent).unwrap();
        let left: Vec<_> = fs::read_dir(&parent).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["tool"]);
        assert_eq!(fs::read_to_string(parent.join("tool")).unwrap(), "new");
        remove(&parent).unwrap();
    }
}
