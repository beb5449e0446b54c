//! The store, its lock, signatures and bundles, over real files.

use std::path::Path;

use tempfile::TempDir;

use super::candidate::Candidate;
use super::keys::tests::signing_key;
use super::lock::{self, Entry, Lock, Signer};
use super::signature::{Over, Signature};
use super::{Digest, SigningKey, Store, SupplyError};
use crate::plugins::{Description, Face};

mod archives;
mod cosign;
mod locks;

/// A component with the imports and exports of a notifier, which does nothing. `note` makes it another one.
fn component(note: &str) -> Vec<u8> {
    let text = format!(
        r#"(component
            (import "runner:plugin/clock@0.1.1" (instance))
            (import "runner:plugin/facts@0.1.0" (instance))
            (instance $i)
            (export "runner:plugin/notifier@0.1.0" (instance $i))
            (@custom "note" "{note}"))"#
    );
    wat::parse_str(text).unwrap()
}

/// A plugin as it is accepted, without having been started.
fn candidate(name: &str, component: &[u8], key: Option<&SigningKey>) -> Candidate {
    let face = Face::of(name, component).unwrap();
    let signature = key.map(|key| Signature {
        key: key.public().to_pem(),
        signature: key.sign(component).unwrap(),
        over: Over::Component,
    });
    let signer = signature.as_ref().map(|signature| Signer {
        key: signature.key().unwrap().fingerprint(),
        signature: Digest::of(&signature.to_bytes()),
    });
    let digest = Digest::of(component);
    let entry = Entry {
        name: name.into(),
        source: format!("/plugins/{name}.wasm"),
        manifest: None,
        digest,
        size: component.len() as u64,
        contract: face.contract.clone().unwrap(),
        imports: face.imports.clone(),
        signer,
    };
    let description = Description {
        path: name.into(),
        digest: digest.to_string(),
        size: entry.size,
        contract: face.contract,
        roles: Vec::new(),
        imports: face.imports,
        capabilities: Vec::new(),
        granted: None,
        checks_settings: false,
        wasi: false,
        missing: Vec::new(),
        refusals: Vec::new(),
    };
    Candidate { entry, description, component: component.to_vec(), signature }
}

/// A store with one signed plugin.
fn store() -> (TempDir, Store, Entry) {
    let scratch = tempfile::tempdir().unwrap();
    let store = Store::create(&scratch.path().join("store")).unwrap();
    let candidate = candidate("gate", &component("a"), Some(&signing_key()));
    store.change().unwrap().accept(std::slice::from_ref(&candidate)).unwrap();
    (scratch, store, candidate.entry)
}

/// Puts this lock, whole and sealed, in the place of the store's.
fn put_lock(store: &Store, entry: Entry) {
    let mut lock = Lock::default();
    lock.put(entry);
    std::fs::write(store.path().join(lock::FILE), lock.to_text()).unwrap();
}
