//! etcd built with Go: each folder of `tests/etcd/` is a program of a few lines whose `go.mod` pins etcd's version.

use std::time::Duration;

use anyhow::Result;

use super::{
    etcd::{self, Source},
    go,
};
use crate::{context::Context, say, scratch::Scratch};

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
    let mut build = go::build(context, source.name, "")?;
    say::timed(&format!("etcd {}: building {} with Go", source.line, source.name), || {
        let scratch = Scratch::new(&context.tools, &format!("etcd-go-{}", source.line))?;
        build.arg("-o").arg(scratch.path().join("etcd")).arg(".");
        context.quiet(&format!("etcd-go-{}", source.line), &mut build, LIMIT)?;
        etcd::publish(context, source, &scratch, scratch.path())
    })
}
