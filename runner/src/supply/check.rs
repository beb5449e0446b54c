//! Whether a component is what the lock says of it.

use super::lock::Entry;
use super::signature::Signature;
use super::{Digest, SupplyError};
use crate::plugins::Face;

/// Fails unless the component has the entry's digest, contract and imports.
pub(super) fn component(entry: &Entry, bytes: &[u8]) -> Result<(), SupplyError> {
    let found = Digest::of(bytes);
    if found != entry.digest {
        return Err(SupplyError::ComponentChanged { name: entry.name.clone(), found, locked: entry.digest });
    }
    let face = Face::of(&entry.name, bytes)?;
    let contract = face.contract.unwrap_or_else(|| "none".to_owned());
    if contract != entry.contract {
        return Err(SupplyError::OtherContract {
            name: entry.name.clone(),
            locked: entry.contract.clone(),
            found: contract,
        });
    }
    match imports(&entry.imports, &face.imports) {
        Some(difference) => Err(SupplyError::OtherImports { name: entry.name.clone(), difference }),
        None => Ok(()),
    }
}

/// Fails unless the entry's signature is good for the component, by the key and through the manifest that the entry names.
pub(super) fn signature(entry: &Entry, component: &[u8], signature: Option<&[u8]>) -> Result<(), SupplyError> {
    let Some(signer) = &entry.signer else { return Ok(()) };
    let bytes = signature.ok_or_else(|| kept(entry, "it is missing".to_owned()))?;
    let good = Signature::parse(bytes).and_then(|s| s.verify(component)).map_err(|reason| kept(entry, reason))?;
    if good.key != signer.key {
        return Err(kept(entry, format!("it is by {}, accepted was {}", good.key.short(), signer.key.short())));
    }
    if good.manifest.is_some() && good.manifest != entry.manifest {
        return Err(kept(entry, "it is of another manifest than the lock has".to_owned()));
    }
    Ok(())
}

/// A kept signature that cannot be used.
pub(super) fn kept(entry: &Entry, reason: String) -> SupplyError {
    SupplyError::KeptSignature { name: entry.name.clone(), reason }
}

/// How the component's imports differ from the accepted ones, in words; none where they do not.
fn imports(accepted: &[String], found: &[String]) -> Option<String> {
    let missing =
        |from: &[String], of: &[String]| -> Vec<String> { of.iter().filter(|name| !from.contains(name)).cloned().collect() };
    let (more, less) = (missing(accepted, found), missing(found, accepted));
    let more = (!more.is_empty()).then(|| format!("it imports {}, which was not accepted", more.join(", ")));
    let less = (!less.is_empty()).then(|| format!("it does not import {}, which was", less.join(", ")));
    let parts: Vec<String> = more.into_iter().chain(less).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_compared_as_sets() {
        let of = |names: &[&str]| names.iter().map(|n| n.to_string()).collect::<Vec<_>>();
        assert_eq!(imports(&of(&["a", "b"]), &of(&["b", "a"])), None);
        assert_eq!(
            imports(&of(&["a", "b"]), &of(&["b", "c"])).unwrap(),
            "it imports c, which was not accepted; it does not import a, which was"
        );
    }
}
