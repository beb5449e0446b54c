//! Whether every selection of packages builds the same dependencies: with other features they would be built once more.

use std::collections::{HashMap, HashSet};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{context::Context, process};

/// Compares what cargo would compile for each of our crates with what it compiles for all of them. Compiles nothing.
///
/// Guests are left out: they are built for another target, by a profile of their own.
pub(crate) fn check(context: &Context) -> Result<()> {
    let workspace = Units::of(context, &["test", "--no-run", "--workspace"])?;
    let all = workspace.known();
    let mut found = Vec::new();
    for package in &context.host_packages {
        for call in [&["test", "--no-run", "--package", package][..], &["build", "--package", package]] {
            let others = Units::of(context, call)?.first_unknown(&all);
            found.extend(others.into_iter().map(|unit| format!("{}: {unit}", call.join(" "))));
        }
    }
    if !found.is_empty() {
        bail!(
            "some packages build dependencies with other features than the whole workspace does:\n  {}\n\
             hint: name what the workspace has in runner/crates/features/Cargo.toml",
            found.join("\n  ")
        );
    }
    Ok(())
}

/// What cargo would compile of other people's crates for one call.
struct Units {
    graph: Vec<Value>,
    /// Each unit's identity: what it is, with which features, and the same of everything that it stands on.
    identities: HashMap<usize, String>,
}

impl Units {
    /// Asks cargo. Its unit graph is the only exact answer: `cargo tree` does not tell what is compiled for macros from what is
    /// compiled for programs. It is not stable, hence the variable; this one command sees it, and nothing is compiled with it.
    fn of(context: &Context, call: &[&str]) -> Result<Self> {
        let mut cargo = context.cargo(call);
        cargo.args(["--unit-graph", "-Z", "unstable-options"]).env("RUSTC_BOOTSTRAP", "1");
        let text = process::output(&mut cargo)?;
        let answer: Value = serde_json::from_str(&text).context("failed to read cargo's unit graph")?;
        Self::read(&answer)
    }

    /// Errors where nothing is compiled: then the graph has another form than this code knows, and would compare as equal.
    fn read(answer: &Value) -> Result<Self> {
        let graph =
            answer["units"].as_array().filter(|units| !units.is_empty()).context("cargo's unit graph has no units")?;
        let mut units = Self { graph: graph.clone(), identities: HashMap::new() };
        (0..graph.len()).for_each(|unit| drop(units.identity(unit)));
        Ok(units)
    }

    fn known(&self) -> HashSet<&str> {
        self.identities.values().map(String::as_str).collect()
    }

    fn identity(&mut self, unit: usize) -> String {
        if let Some(identity) = self.identities.get(&unit) {
            return identity.clone();
        }
        let mut beneath: Vec<String> = self.beneath(unit).into_iter().map(|other| self.identity(other)).collect();
        beneath.sort();
        let this = &self.graph[unit];
        let parts = ["pkg_id", "mode", "platform", "features"].map(|key| this[key].to_string());
        let text = format!("{} {} {}", parts.join(" "), this["target"]["kind"], beneath.join(","));
        let identity = format!("{:016x}", hash(&text));
        self.identities.insert(unit, identity.clone());
        identity
    }

    fn beneath(&self, unit: usize) -> Vec<usize> {
        let dependencies = self.graph[unit]["dependencies"].as_array();
        dependencies.into_iter().flatten().filter_map(|other| Some(other["index"].as_u64()? as usize)).collect()
    }

    /// What is not compiled for all, though all that it stands on is.
    fn first_unknown(&self, all: &HashSet<&str>) -> Vec<String> {
        let known = |unit: &usize| all.contains(self.identities[unit].as_str());
        let others = |unit: &usize| self.graph[*unit]["pkg_id"].as_str().is_some_and(|id| id.starts_with("registry"));
        let first = |unit: &usize| others(unit) && !known(unit) && self.beneath(*unit).iter().all(known);
        (0..self.graph.len()).filter(first).map(|unit| self.described(unit)).collect()
    }

    fn described(&self, unit: usize) -> String {
        let unit = &self.graph[unit];
        let package = unit["pkg_id"].as_str().unwrap_or_default().rsplit('#').next().unwrap_or_default();
        format!("{package} ({}) with {}", unit["mode"], unit["features"])
    }
}

/// Only compared within one run of this program.
fn hash(text: &str) -> u64 {
    use std::hash::{DefaultHasher, Hasher as _};
    let mut hasher = DefaultHasher::new();
    hasher.write(text.as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Ours on tokio, which stands on mio with these features.
    fn graph(mio: &[&str]) -> Units {
        let unit = |id: &str, features: &[&str], on: &[usize]| {
            let on: Vec<_> = on.iter().map(|index| json!({ "index": index })).collect();
            json!({ "pkg_id": id, "mode": "build", "features": features, "target": { "kind": ["lib"] }, "dependencies": on })
        };
        let ours = unit("path+file:///runner#0.1.0", &[], &[1]);
        let units = [ours, unit("registry+x#tokio@1.0.0", &["net"], &[2]), unit("registry+x#mio@1.0.0", mio, &[])];
        Units::read(&json!({ "units": units })).unwrap()
    }

    #[test]
    fn the_dependency_that_differs_is_named_and_not_what_stands_on_it() {
        let (all, other) = (graph(&["net", "log"]), graph(&["net"]));
        assert_eq!(all.first_unknown(&all.known()), [""; 0]);
        assert_eq!(other.first_unknown(&all.known()), [r#"mio@1.0.0 ("build") with ["net"]"#]);
    }

    #[test]
    fn a_graph_without_units_is_no_agreement() {
        assert!(Units::read(&json!({ "units": [] })).is_err() && Units::read(&json!({ "version": 2 })).is_err());
    }
}
