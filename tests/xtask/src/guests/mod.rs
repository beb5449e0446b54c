//! Builds the plugins and the test guests into `target/guests/<name>.wasm`. What there is to build is found by folder.

mod compiled;
mod examples;
mod javascript;
mod python;
mod rust;
mod stamp;
mod wasi;

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
};

use anyhow::{Context as _, Result, anyhow};

use crate::{
    context::Context,
    lock::Held,
    process, say,
    scratch::{self, Scratch},
};

/// Every guest of every language. Needs the whole set-up.
pub(crate) fn everything(context: &Context) -> Result<()> {
    without_runner(context)?;
    say::timed("runner, which builds the other guests", || {
        process::stream(&mut context.cargo(&["build", "--quiet", "--package", "runner"]))
    })?;
    by_runner(context, &context.target.join("debug/runner"))
}

/// The guests that are built by tools of their languages alone. Needs the whole set-up.
pub(crate) fn without_runner(context: &Context) -> Result<()> {
    let _held = begin(context)?;
    say::timed("guests: Rust, JavaScript, Python", || {
        thread::scope(|scope| {
            // cargo keeps to one build at a time; the other tools run beside it.
            let others = scope.spawn(|| javascript::build(context).and(python::build(context)));
            let all: Vec<&str> = context.rust_guests.iter().map(|guest| guest.package.as_str()).collect();
            let rust = rust::build(context, &all).and_then(|()| wasi::build(context));
            let others = others.join().map_err(|_| anyhow!("building a guest panicked"))?;
            rust.and(others)
        })
    })
}

/// The worked examples, which this runner builds; then the large guests are compiled into the cache that the tests share. Needs the others.
pub(crate) fn by_runner(context: &Context, runner: &Path) -> Result<()> {
    let _held = begin(context)?;
    say::timed("guests: the worked examples", || examples::build(context, runner))?;
    compiled::fill(context, runner)
}

/// Some of the workspace's plugins, by package name. Needs the Rust guest target only.
pub(crate) fn plugins(context: &Context, packages: &[&str]) -> Result<()> {
    let _held = begin(context)?;
    rust::build(context, packages)
}

/// The component of that name.
pub(crate) fn component(context: &Context, name: &str) -> PathBuf {
    context.guests.join(format!("{name}.wasm"))
}

/// Takes the lock and removes what killed runs left.
fn begin(context: &Context) -> Result<Held<'_>> {
    fs::create_dir_all(&context.guests).with_context(|| format!("failed to create {}", context.guests.display()))?;
    let held = context.lock.hold()?;
    scratch::sweep(&context.guests)?;
    Ok(held)
}

/// Puts a built file at its place; whoever maps the old one keeps it. An unchanged file is left alone.
fn publish(context: &Context, built: &Path, name: &str) -> Result<()> {
    let place = component(context, name);
    let bytes = fs::read(built).with_context(|| format!("failed to read {}", built.display()))?;
    if fs::read(&place).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    let scratch = Scratch::new(&context.guests, &format!("publish-{name}"))?;
    let unfinished = scratch.path().join(name);
    fs::write(&unfinished, bytes).with_context(|| format!("failed to write {}", unfinished.display()))?;
    fs::rename(&unfinished, &place).with_context(|| format!("failed to write {}", place.display()))
}

/// The entries of a folder of the sources, by name; none where there is no such folder.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    found.sort();
    found
}

/// A path's last part without its extension.
fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
