//! A real OCI registry for the tests: Debian's `docker-registry`, unpacked into `target/tools/registry`. No service is installed.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result};

use super::{Item, Need, State, debian::PrivateApt};
use crate::{context::Context, process, say, scratch};

/// Names another registry program to use.
const GIVEN_VARIABLE: &str = "RUNNER_REGISTRY";
/// Debian's stable releases that have the package.
const SUITE: &str = "bookworm";
const PACKAGE: &str = "docker-registry";
const FIX: &str = "RUNNER_REGISTRY=/path/to/docker-registry   # or RUNNER_DEBIAN_MIRROR=<URL of a Debian mirror>";

/// Unpacks it where it is not there.
pub(crate) fn obtain(context: &Context) -> Item {
    let state = match ensure(context) {
        Ok(version) => State::Here(version),
        Err(error) => State::lacks(&error, FIX.to_owned()),
    };
    Item::new("OCI registry", Need::Tests, state)
}

fn ensure(context: &Context) -> Result<String> {
    if let Some(given) = std::env::var_os(GIVEN_VARIABLE) {
        return version(Path::new(&given)).with_context(|| format!("{GIVEN_VARIABLE} does not name a registry that runs"));
    }
    let place = context.tools.join("registry");
    let program = place.join(PACKAGE);
    if let Ok(version) = version(&program) {
        return Ok(version);
    }
    say::timed(&format!("OCI registry: unpacking {PACKAGE} of Debian {SUITE}"), || {
        let apt = PrivateApt::open(context, SUITE)?;
        let unpacked = apt.unpack(&[PACKAGE])?.join("usr/bin");
        fs::metadata(unpacked.join(PACKAGE)).context("the package holds no registry")?;
        scratch::remove(&place)?;
        apt.scratch().publish(&unpacked, &place)
    })?;
    version(&program)
}

/// Asks the program for its version; errors where it does not run here.
fn version(program: &Path) -> Result<String> {
    let text = process::output(Command::new(program).arg("--version"))?;
    let last = text.split_whitespace().last().unwrap_or_default();
    Ok(format!("{PACKAGE} {last}"))
}
