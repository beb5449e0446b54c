//! One at a time: a lock of the operating system on `target/tools/.lock`, which ends with its holders.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context as _, Result};

use crate::say;

/// A lock that is not held yet.
pub(crate) struct Lock {
    path: PathBuf,
    held: Mutex<Option<File>>,
}

/// Holds the lock until it is dropped.
pub(crate) struct Held<'a>(&'a Lock);

impl Lock {
    /// The lock of this tools' folder.
    pub(crate) fn new(tools: &Path) -> Self {
        Self { path: tools.join(".lock"), held: Mutex::new(None) }
    }

    /// Waits for whoever has it, and says so.
    pub(crate) fn hold(&self) -> Result<Held<'_>> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("failed to create {}", folder.display()))?;
        }
        let open = File::options().read(true).write(true).create(true).truncate(false).open(&self.path);
        let file = open.with_context(|| format!("failed to open {}", self.path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                say::timed("waiting for another set-up in this target folder", || Ok(file.lock()?))?;
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("failed to lock {}", self.path.display()));
            }
        }
        *self.file() = Some(file);
        Ok(Held(self))
    }

    /// A child's standard input: nothing to read. While the lock is held it is the locked file itself, so that children
    /// which outlive a killed xtask go on holding it, and the next run does not write where they still do.
    pub(crate) fn as_input(&self) -> Result<Stdio> {
        match &*self.file() {
            Some(file) => Ok(file.try_clone().context("failed to share the lock")?.into()),
            None => Ok(Stdio::null()),
        }
    }

    fn file(&self) -> MutexGuard<'_, Option<File>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.file().take();
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::scratch;

    #[test]
    fn a_child_goes_on_holding_it() {
        let tools = std::env::temp_dir().join(format!("xtask-lock-{}", std::process::id()));
        let ours = Lock::new(&tools);
        let held = ours.hold().unwrap();
        let mut child = Command::new("sleep").arg("60").stdin(ours.as_input().unwrap()).spawn().unwrap();
        let other = File::options().write(true).open(&ours.path).unwrap();
        assert!(other.try_lock().is_err(), "we hold it");
        drop(held);
        assert!(other.try_lock().is_err(), "the child holds it");
        child.kill().unwrap();
        child.wait().unwrap();
        other.lock().unwrap();
        drop(other);
        drop(ours.hold().unwrap());
        scratch::remove(&tools).unwrap();
    }
}
