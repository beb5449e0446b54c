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
        insta::assert_snapshot!(Difference { old: &old, new: &new }, @r"
        steady
          source    oci://r.example/steady:1.0
          manifest  sha256:05b3abf2579a5eb66403cd78be557fd860633a1fe2103c7642030defe32c657f
        - digest    sha256:6985ca1f4daa5a584a28eae043a239cb96689af1337ea13afb63e00c2bf512fa
        + digest    sha256:d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa
        - size      9 B
        + size      1.9 MiB
        - contract  0.1.1
        + contract  0.1.2
        - signed by sha256:2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683
        + signed by nobody
        - imports   runner:plugin/facts@0.1.1
        + imports   runner:plugin/http@0.1.2: it wants to send HTTP requests (to the hosts that you grant)
        + imports   runner:plugin/clock@0.1.2
        ");
        insta::assert_snapshot!(Difference { old: &old, new: &Entry { size: 10, ..old.clone() } }, @r"
        steady
          source    oci://r.example/steady:1.0
          manifest  sha256:05b3abf2579a5eb66403cd78be557fd860633a1fe2103c7642030defe32c657f
          digest    sha256:6985ca1f4daa5a584a28eae043a239cb96689af1337ea13afb63e00c2bf512fa
        - size      9 B
        + size      10 B
          contract  0.1.1
          signed by sha256:2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683
          imports   the same 1
        ");
    }
}
