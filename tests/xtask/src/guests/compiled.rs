//! Compiles the large guests once, into the cache that the tests share: one of those takes seconds of every core, and in a test its limits of
//! time would run meanwhile.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::Result;

use super::{entries, stem};
use crate::{context::Context, say, scratch::Scratch};

/// From this size on, in bytes: less is compiled in a moment.
const LARGE: u64 = 500_000;

/// Python's take some ten seconds on two idle cores.
const LIMIT: Duration = Duration::from_secs(300);

/// Fills it; what is there already is not compiled again. Where one cannot be compiled, the tests tell of it.
pub(super) fn fill(context: &Context, runner: &Path) -> Result<()> {
    let large = |file: &PathBuf| {
        file.extension().is_some_and(|kind| kind == "wasm") && file.metadata().is_ok_and(|file| file.len() >= LARGE)
    };
    say::timed("guests: compiling the large ones", || {
        let store = Scratch::new(&context.guests, "accepted")?;
        for guest in entries(&context.guests).iter().filter(|file| large(file)) {
            let name = stem(guest);
            let mut add = Command::new(runner);
            add.args(["plugin", "add"]).arg(guest).args(["--name", &name]).arg("--store").arg(store.path());
            add.env("RUNNER_CACHE_DIR", context.compiled());
            if let Err(error) = context.quiet(&format!("compile-{name}"), &mut add, LIMIT) {
                say::line(&format!("guest {name} is not compiled beforehand: {error:#}"));
            }
        }
        Ok(())
    })
}
