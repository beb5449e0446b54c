//! Plans version by version, compared with what the real kubeadm says of itself; and a stand-in that is driven.

use std::path::PathBuf;

use super::*;

mod driven;
mod plans;
mod real;

/// What is kept of the real kubeadm of this minor version.
fn kept(minor: u32, file: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../tests/kubeadm/v1.{minor}/{file}"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn makings<'a>(minor: u32, program: &'a str, skipped: &'a [String]) -> Makings<'a> {
    Makings { program, known: Known::minor(minor).unwrap(), config: "join.yaml", skipped_by_file: skipped, runner: &[] }
}

/// The phases that a line has kubeadm leave out.
fn skipped(line: &Line) -> Vec<String> {
    let flag = line.words.iter().find_map(|word| word.strip_prefix("--skip-phases=")).unwrap_or_default();
    flag.split(',').map(str::to_owned).collect()
}
