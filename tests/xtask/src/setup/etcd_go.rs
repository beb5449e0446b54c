//! etcd built with Go: each folder of `tests/etcd/` is a program of a few lines whose `go.mod` pins etcd's version.

use std::{process::Command, time::Duration};

use anyhow::{Result, bail};

use super::etcd::{self, Source};
use crate::{context::Context, process, say, scratch::Scratch};

const FIX: &str = "install Go 1.26 or newer (with an older one: GOTOOLCHAIN=auto), then cargo xtask setup";
/// Some 75 s on two idle cores; twenty times that for a slow or busy machine.
const LIMIT: Duration = Duration::from_secs(1500);

/// Oldest first.
pub(crate) const SOURCES: &[Source] = &[
    Source { line: "3.5", name: "tests/etcd/v3.5", obtain, fix: FIX },
    Source { line: "3.6", name: "tests/etcd/v3.6", obtain, fix: FIX },
    Source { line: "3.7", name: "tests/etcd/v3.7", obtain, fix: FIX },
];

fn obtain(context: &Context, source: &Source) -> Result<()> {
    let Some(go) = process::on_path("go") else { bail!("there is no go on the PATH") };
    say::timed(&format!("etcd {}: building {} with Go", source.line, source.name), || {
        let scratch = Scratch::new(&context.tools, &format!("etcd-go-{}", source.line))?;
        let mut build = Command::new(go);
        // Without cgo no C compiler is needed; without version control stamps it builds in any checkout.
        build
            .args(["build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o"])
            .arg(scratch.path().join("etcd"))
            .arg(".");
        build.current_dir(context.source(source.name)).env("CGO_ENABLED", "0").env("GOWORK", "off");
        context.quiet(&format!("etcd-go-{}", source.line), &mut build, LIMIT)?;
        etcd::publish(context, source, &scratch, scratch.path())
    })
}
