//! `cargo xtask bindings`: generated files that are committed, made of the contract in `wit/` and of the Go adapter's text.

mod adapter;
mod go;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::{context::Context, process, say, scratch};

/// Files by their path from the workspace's root.
type Generated = BTreeMap<PathBuf, Vec<u8>>;

/// Writes them anew.
pub(crate) fn write(context: &Context) -> Result<()> {
    let generated = generate(context)?;
    scratch::remove(&context.source(go::FOLDER))?;
    for (name, bytes) in &generated {
        let file = context.source(name);
        let parent = file.parent().unwrap_or(&context.root);
        fs::create_dir_all(parent).with_context(|| format!("failed to create {}", parent.display()))?;
        fs::write(&file, bytes).with_context(|| format!("failed to write {}", file.display()))?;
    }
    say::line(&format!("{} generated files are written", generated.len()));
    Ok(())
}

/// Whether they are what the contract and the generators give today. Errors name the first file that is not.
pub(crate) fn check(context: &Context) -> Result<()> {
    let wanted = generate(context)?;
    let stale = |name: &Path| fs::read(context.source(name)).ok().as_ref() != wanted.get(name);
    let mut names: Vec<PathBuf> = wanted.keys().cloned().collect();
    // What lies beside them and is not generated any more is a leftover.
    names.extend(
        files(&context.source(go::FOLDER))?
            .into_iter()
            .filter_map(|file| file.strip_prefix(&context.root).ok().map(Path::to_owned)),
    );
    match names.iter().find(|name| stale(name)) {
        Some(name) => bail!("{} is not what the contract gives today; hint: cargo xtask bindings", name.display()),
        None => Ok(()),
    }
}

fn generate(context: &Context) -> Result<Generated> {
    if process::on_path("gofmt").is_none() {
        bail!(
            "there is no gofmt on the PATH, and Go's bindings are committed as it formats them; hint: install Go 1.24 or newer"
        );
    }
    let mut generated = go::generate(&context.root)?;
    generated.extend(adapter::generate(&context.root)?);
    Ok(generated)
}

/// Every file under a folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).with_context(|| format!("failed to read {}", next.display()))? {
            let path = entry?.path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    Ok(found)
}
