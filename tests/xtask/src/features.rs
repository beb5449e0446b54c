//! Whether every selection of packages builds the same dependencies: with other features they would be built once more.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{context::Context, process};

/// What cargo tells compilations apart by, as far as the choice of packages can change it: package and target, and the features.
type Units = BTreeMap<String, BTreeSet<String>>;

/// Compares what cargo would compile for each of our crates with what it compiles for all of them. Compiles nothing.
///
/// Guests are left out: they are built for another target, by a profile of their own.
pub(crate) fn check(context: &Context) -> Result<()> {
    let all = units(context, &["test", "--no-run", "--workspace"])?;
    let mut found = BTreeSet::new();
    for package in &context.host_packages {
        for call in [&["test", "--no-run", "--package", package][..], &["build", "--package", package]] {
            for (unit, chosen) in units(context, call)? {
                let known = all.get(&unit).cloned().unwrap_or_default();
                let others = chosen.difference(&known).map(|features| format!("{unit} with [{features}]"));
                found.extend(others.map(|other| format!("{}: {other}, and not with {known:?}", call.join(" "))));
            }
        }
    }
    if !found.is_empty() {
        bail!(
            "some packages build dependencies with other features than the whole workspace does:\n  {}\n\
             hint: name what the workspace has in runner/crates/features/Cargo.toml",
            found.into_iter().collect::<Vec<_>>().join("\n  ")
        );
    }
    Ok(())
}

/// What cargo would compile of other people's crates for this call.
///
/// The unit graph is the only exact answer: `cargo tree` does not tell what is compiled for macros from what is compiled for programs.
/// It is not stable, hence the variable; this one command sees it, and nothing is compiled with it.
fn units(context: &Context, call: &[&str]) -> Result<Units> {
    let mut cargo = context.cargo(call);
    cargo.args(["--unit-graph", "-Z", "unstable-options"]).env("RUSTC_BOOTSTRAP", "1");
    let graph: Value = serde_json::from_str(&process::output(&mut cargo)?).context("failed to read cargo's unit graph")?;
    let list = graph["units"].as_array().context("cargo's unit graph has no units")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut units = Units::new();
    for unit in list.iter().filter(|unit| text(&unit["pkg_id"]).starts_with("registry")) {
        let package = text(&unit["pkg_id"]).rsplit('#').next().unwrap_or_default().to_owned();
        let (target, mode) = (&unit["target"], text(&unit["mode"]));
        let features: Vec<String> = unit["features"].as_array().into_iter().flatten().map(text).collect();
        let name = format!("{package} {} ({mode})", target["kind"][0].as_str().unwrap_or_default());
        units.entry(name).or_default().insert(features.join(","));
    }
    if units.is_empty() {
        bail!("cargo's unit graph names no dependency: it may have another form by now");
    }
    Ok(units)
}
