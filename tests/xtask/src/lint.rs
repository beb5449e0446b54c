//! `cargo xtask lint`: what must be clean besides the tests. All checks run, then the failed ones are named.

use std::fs;

use anyhow::{Context as _, Result, bail};

use crate::{context::Context, features, process, say, silenced};

/// Runs every check.
pub(crate) fn run(context: &Context) -> Result<()> {
    type Check = (&'static str, fn(&Context) -> Result<()>);
    let checks: [Check; 6] = [
        ("formatting (cargo fmt)", |context| process::stream(&mut context.cargo(&["fmt", "--all", "--check"]))),
        ("clippy", |context| {
            let flags = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
            process::stream(&mut context.cargo(&flags))
        }),
        ("documentation (cargo doc)", |context| {
            let mut cargo = context.cargo(&["doc", "--workspace", "--no-deps"]);
            process::stream(cargo.env("RUSTDOCFLAGS", "-D warnings"))
        }),
        ("one choice of features", features::check),
        ("tests that would never run", silenced::check),
        ("lock files name no host", lock_files),
    ];
    let mut failed = Vec::new();
    for (name, check) in checks {
        if let Err(error) = say::timed(&format!("lint: {name}"), || check(context)) {
            say::line(&format!("lint: {name}: {error:#}"));
            failed.push(name);
        }
    }
    if !failed.is_empty() {
        bail!("lint failed: {}", failed.join(", "));
    }
    Ok(())
}

/// Packages come from whatever registry the machine is set up with, so no lock file may name one.
fn lock_files(context: &Context) -> Result<()> {
    let file = context.source("tests/tools/node/package-lock.json");
    let text = fs::read_to_string(&file).with_context(|| format!("failed to read {}", file.display()))?;
    if text.contains("\"resolved\"") || text.contains("://") {
        let fix = "npm install --package-lock-only --omit-lockfile-registry-resolved";
        bail!("{} names hosts; hint: in its folder, {fix}", file.display());
    }
    Ok(())
}
