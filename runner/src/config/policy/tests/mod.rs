//! Policies that are right, every mistake in its own words, and any text at all.

use std::path::Path;

use super::{Mistake, PolicyFile};

mod any_text;
mod good;
mod mistakes;
mod schema;

/// The head of a policy; `spec:` is open.
const HEAD: &str = "apiVersion: runner.dev/v1alpha1\nkind: JoinPolicy\nmetadata:\n  name: prod\nspec:\n";

fn read(text: impl AsRef<[u8]>) -> Result<PolicyFile, Mistake> {
    PolicyFile::of_bytes(Path::new("policy.yaml"), text.as_ref())
}

/// A policy with this spec, indented by two.
fn spec(text: &str) -> String {
    format!("{HEAD}{text}")
}
