//! What an update would change, as a person reads it.

use std::fmt;

use super::lock::Entry;
use crate::grants::Capability;
use crate::report::human::bytes;

/// The difference between what is accepted and what would be.
#[derive(Clone, Copy, Debug)]
pub struct Difference<'a> {
    /// What is accepted.
    pub old: &'a Entry,
    /// What would be.
    pub new: &'a Entry,
}

impl Difference<'_> {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.old == self.new
    }
}

impl fmt::Display for Difference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { old, new } = self;
        let manifest = |e: &Entry| e.manifest.map_or_else(|| "none".to_owned(), |digest| digest.to_string());
        let signer = |e: &Entry| e.signer.as_ref().map_or_else(|| "nobody".to_owned(), |signer| signer.key.to_string());
        writeln!(f, "{}", new.name)?;
        line(f, "source", &old.source, &new.source)?;
        line(f, "manifest", &manifest(old), &manifest(new))?;
        line(f, "digest", &old.digest.to_string(), &new.digest.to_string())?;
        line(f, "size", &size(old.size, new.size), &size(new.size, old.size))?;
        line(f, "contract", &old.contract, &new.contract)?;
        line(f, "signed by", &signer(old), &signer(new))?;
        for import in old.imports.iter().filter(|name| !new.imports.contains(name)) {
            writeln!(f, "- {:<9} {import}", "imports")?;
        }
        for import in new.imports.iter().filter(|name| !old.imports.contains(name)) {
            writeln!(f, "+ {:<9} {import}{}", "imports", wish(import))?;
        }
        if old.imports == new.imports {
            writeln!(f, "  {:<9} the same {}", "imports", new.imports.len())?;
        }
        Ok(())
    }
}

fn line(f: &mut fmt::Formatter<'_>, what: &str, old: &str, new: &str) -> fmt::Result {
    if old == new {
        return writeln!(f, "  {what:<9} {new}");
    }
    writeln!(f, "- {what:<9} {old}\n+ {what:<9} {new}")
}

/// In units, and exactly where the units hide a difference.
fn size(size: u64, other: u64) -> String {
    if size != other && bytes(size) == bytes(other) { format!("{size} B") } else { bytes(size) }
}

/// What a new import means, for whoever has to say yes to it.
fn wish(import: &str) -> String {
    let name = import.strip_prefix("runner:plugin/").and_then(|rest| rest.split('@').next());
    name.and_then(Capability::of_name).map_or_else(String::new, |capability| format!(": it wants to {}", capability.wish()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supply::Digest;
    use crate::supply::lock::tests::entry;

    #[test]
    fn it_reads_like_a_diff() {
        let old = entry("steady");
        let mut new =
            Entry { digest: Digest::of(b"other"), contract: "0.1.2".into(), size: 2_000_000, signer: None, ..old.clone() };
        new.imports = vec!["runner:plugin/http@0.1.2".into(), "runner:plugin/clock@0.1.2".into()];
        assert!(Difference { old: &old, new: &old }.is_empty());
        insta::assert_snapshot!(Difference { old: &old, new: &new }, @"");
        insta::assert_snapshot!(Difference { old: &old, new: &Entry { size: 10, ..old.clone() } }, @"");
    }
}
