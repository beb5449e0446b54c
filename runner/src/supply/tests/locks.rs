//! A lock that is whole and sealed, and does not fit the component: what was accepted is not what is there.

use super::*;
use crate::supply::resolve;

fn why(store: &Store) -> String {
    resolve("gate", Some(store)).unwrap_err().to_string()
}

#[test]
fn a_locked_name_is_its_component() {
    let (_scratch, store, entry) = store();
    let resolved = resolve("gate", Some(&store)).unwrap();
    assert_eq!((resolved.digest, resolved.entry.as_ref()), (entry.digest, Some(&entry)));
    assert_eq!(Digest::of(&std::fs::read(resolved.path).unwrap()), entry.digest);
    assert!(matches!(resolve("other", Some(&store)), Err(SupplyError::NotLocked(_))));
    assert!(matches!(resolve("gate", None), Err(SupplyError::NotLocked(_))));
    assert!(matches!(resolve("oci://r.example/gate", Some(&store)), Err(SupplyError::NotLocked(_))));
}

#[test]
fn a_lock_with_another_contract() {
    let (_scratch, store, entry) = store();
    put_lock(&store, Entry { contract: "0.1.0".into(), ..entry });
    assert_eq!(why(&store), "the lock says that gate was built for runner:plugin 0.1.0, its component says 0.1.1");
}

#[test]
fn a_lock_with_other_imports() {
    let (_scratch, store, mut entry) = store();
    entry.imports[1] = "runner:plugin/http@0.1.1".into();
    put_lock(&store, entry);
    assert_eq!(
        why(&store),
        "what gate imports is not what was accepted: it imports runner:plugin/facts@0.1.0, which was not accepted; \
         it does not import runner:plugin/http@0.1.1, which was"
    );
}

#[test]
fn a_lock_with_another_digest_or_signer() {
    let (_scratch, store, entry) = store();
    put_lock(&store, Entry { digest: Digest::of(b"x"), ..entry.clone() });
    assert!(matches!(resolve("gate", Some(&store)), Err(SupplyError::ComponentMissing { .. })));
    let other = Signer { key: Digest::of(b"x"), ..entry.signer.clone().unwrap() };
    put_lock(&store, Entry { signer: Some(other), ..entry.clone() });
    assert!(why(&store).contains("it is by sha256:"), "{}", why(&store));
    let gone = Signer { signature: Digest::of(b"x"), ..entry.signer.clone().unwrap() };
    put_lock(&store, Entry { signer: Some(gone), ..entry });
    assert!(why(&store).contains("it is missing from the store"), "{}", why(&store));
}

#[test]
fn what_is_no_longer_needed_goes_and_the_rest_stays() {
    let (_scratch, store, _) = store();
    let files = || {
        std::fs::read_dir(store.path())
            .unwrap()
            .flatten()
            .filter(|e| e.file_name().to_string_lossy().starts_with("sha256-"))
            .count()
    };
    assert_eq!(files(), 2);
    let mut change = store.change().unwrap();
    change.accept(&[candidate("twin", &component("a"), None)]).unwrap();
    change.remove("gate").unwrap();
    assert_eq!(files(), 1, "the component is the twin's too, the signature was not");
    assert!(matches!(change.remove("gate"), Err(SupplyError::NotLocked(_))));
    change.accept(&[candidate("twin", &component("b"), None)]).unwrap();
    assert_eq!(files(), 1);
    drop(change);
    store.verified(store.lock().unwrap().get("twin").unwrap()).unwrap();
}

#[test]
fn a_file_is_held_to_what_was_accepted_of_it() {
    let (scratch, store, entry) = store();
    let file = scratch.path().canonicalize().unwrap().join("gate.wasm");
    std::fs::write(&file, component("a")).unwrap();
    let source = file.display().to_string();
    assert_eq!(resolve(&source, Some(&store)).unwrap().entry, None);
    put_lock(&store, Entry { source: source.clone(), ..entry });
    assert!(resolve(&source, Some(&store)).unwrap().entry.is_some());
    std::fs::write(&file, component("b")).unwrap();
    assert!(matches!(resolve(&source, Some(&store)), Err(SupplyError::SourceChanged { .. })));
    assert!(resolve(&source, None).unwrap().entry.is_none(), "without a store nothing is locked");
}

#[test]
fn a_half_written_store_is_never_read() {
    let (_scratch, store, entry) = store();
    std::fs::write(store.path().join(".draft-x"), "half").unwrap();
    store.change().unwrap().accept(&[candidate("more", &component("c"), None)]).unwrap();
    assert!(!store.path().join(".draft-x").exists());
    store.verified(&entry).unwrap();
    assert_eq!(Store::open(Path::new("/nonexistent/store")).unwrap().map(|_| ()), None);
}
