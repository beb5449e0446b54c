//! The compilation of everything, beside whatever else there is to do.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Stdio},
};

use anyhow::{Context as _, Result, bail};

use super::program::Built;
use crate::{context::Context, say};

/// A compilation under way; it is ended where this is dropped.
pub(super) struct Building {
    cargo: Child,
    /// What cargo says for programs, in a file: a pipe that nobody reads would stop it.
    messages: PathBuf,
}

impl Building {
    /// Starts cargo. What it is at, it says itself.
    pub(super) fn start(context: &Context) -> Result<Self> {
        say::line("compiling the runner and all tests, beside the set-up ...");
        let messages = context.logs().join("cargo-test.json");
        let failed = || format!("failed to write {}", messages.display());
        fs::create_dir_all(context.logs()).with_context(failed)?;
        let mut cargo = context.cargo(&["test", "--workspace", "--no-run", "--message-format", "json-render-diagnostics"]);
        cargo.stdin(Stdio::null()).stdout(File::create(&messages).with_context(failed)?);
        Ok(Self { cargo: cargo.spawn().context("failed to start cargo")?, messages })
    }

    /// Waits for its end, and says what there is now. Errors where something does not compile; cargo has said what.
    pub(super) fn finish(mut self) -> Result<Built> {
        let status = self.cargo.wait().context("failed to wait for cargo")?;
        if !status.success() {
            bail!("something does not compile; cargo says above what");
        }
        let messages = &self.messages;
        let text = fs::read_to_string(messages).with_context(|| format!("failed to read {}", messages.display()))?;
        Built::read(&text)
    }
}

impl Drop for Building {
    fn drop(&mut self) {
        // One that has ended is not there to be killed.
        let _ = self.cargo.kill();
        let _ = self.cargo.wait();
    }
}
