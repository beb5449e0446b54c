//! The compilation of everything, beside whatever else there is to do.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, ExitStatus, Stdio},
};

use anyhow::{Context as _, Result, bail};

use super::program::Built;
use crate::{context::Context, say};

/// A compilation under way; where this is dropped, its end is waited for.
pub(super) struct Building {
    cargo: Child,
    /// What cargo says for programs, in a file: a pipe that nobody reads would stop it.
    messages: PathBuf,
}

impl Building {
    /// Starts cargo. What it is at, it says itself.
    pub(super) fn start(context: &Context) -> Result<Self> {
        say::line("compiling the runner and all tests, beside the set-up ...");
        // Another run in this target folder has a file of its own.
        let messages = context.logs().join(format!("cargo-test-{}.json", std::process::id()));
        let failed = || format!("failed to write {}", messages.display());
        fs::create_dir_all(context.logs()).with_context(failed)?;
        let mut cargo = context.cargo(&["test", "--workspace", "--no-run", "--message-format", "json-render-diagnostics"]);
        cargo.stdin(Stdio::null()).stdout(File::create(&messages).with_context(failed)?);
        Ok(Self { cargo: cargo.spawn().context("failed to start cargo")?, messages })
    }

    /// Errors where it has ended badly already: then there is no use in going on with anything else.
    pub(super) fn check(&mut self) -> Result<()> {
        match self.cargo.try_wait().context("failed to ask for cargo")? {
            Some(status) => well(status),
            None => Ok(()),
        }
    }

    /// Waits for its end, and says what there is now. Errors where something does not compile; cargo has said what.
    pub(super) fn finish(mut self) -> Result<Built> {
        well(self.cargo.wait().context("failed to wait for cargo")?)?;
        let messages = &self.messages;
        let text = fs::read_to_string(messages).with_context(|| format!("failed to read {}", messages.display()))?;
        Built::read(&text)
    }
}

fn well(status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("something does not compile; cargo says above what");
    }
    Ok(())
}

impl Drop for Building {
    fn drop(&mut self) {
        if matches!(self.cargo.try_wait(), Ok(None)) {
            // Killed, it would leave its compilers at work in the target folder.
            say::line("waiting for cargo to end (Ctrl-C ends it) ...");
            let _ = self.cargo.wait();
        }
        let _ = fs::remove_file(&self.messages);
    }
}
