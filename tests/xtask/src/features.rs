//! Whether every selection of packages builds the same dependencies: with other features they would be built once more.

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use crate::{context::Context, process};

/// Compares what cargo would build for each of our crates with what it builds for all of them.
///
/// Guests are left out: they are built for another target, by a profile of their own. Does not look at `cargo` flags that choose
/// features; there are none here.
pub(crate) fn check(context: &Context) -> Result<()> {
    let all = built(context, &["--workspace"], "normal,build,dev")?;
    let mut found = Vec::new();
    for package in &context.host_packages {
        for edges in ["normal,build,dev", "normal,build"] {
            let others: Vec<String> = built(context, &["--package", package], edges)?.difference(&all).cloned().collect();
            if !others.is_empty() {
                found.push(format!("`--package {package}` ({edges}): {}", others.join("; ")));
            }
        }
    }
    if !found.is_empty() {
        bail!(
            "some packages build dependencies with other features than the workspace does:\n  {}\n\
             hint: name what the workspace has in runner/crates/features/Cargo.toml (`cargo tree --workspace -f '{{p}} {{f}}'`)",
            found.join("\n  ")
        );
    }
    Ok(())
}

/// Every dependency from a registry with its features, as cargo would build it for this selection.
fn built(context: &Context, selection: &[&str], edges: &str) -> Result<BTreeSet<String>> {
    let mut cargo = context.cargo(&["tree", "--prefix", "none", "--no-dedupe", "--format", "{p} {f}", "--edges", edges]);
    let text = process::output(cargo.args(selection))?;
    // What lies in the workspace is said with its folder, and has no features.
    let lines = text.lines().filter(|line| !line.is_empty() && !line.contains("(/"));
    Ok(lines.map(|line| line.replace(" (proc-macro)", "")).collect())
}
