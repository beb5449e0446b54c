//! Bundles, good and harmful.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{EntryType, Header};

use super::*;
use crate::supply::{Bundle, Loaded};

/// An archive of these parts: name, kind, content. Names are written as they are, whatever they are.
fn archive(parts: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    for (name, kind, content) in parts {
        let mut header = Header::new_ustar();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        if *kind == EntryType::Symlink {
            header.set_link_name("/etc/passwd").unwrap();
        }
        header.set_cksum();
        gzip.write_all(header.as_bytes()).unwrap();
        gzip.write_all(content).unwrap();
        gzip.write_all(&vec![0; content.len().next_multiple_of(512) - content.len()]).unwrap();
    }
    gzip.write_all(&[0; 1024]).unwrap();
    gzip.finish().unwrap()
}

/// Why this archive is refused.
fn why(bytes: &[u8]) -> String {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("b.tar.gz");
    std::fs::write(&file, bytes).unwrap();
    Loaded::read(&file, None, None).unwrap_err().to_string()
}

fn lock_of(entry: Entry) -> Vec<u8> {
    let mut lock = Lock::default();
    lock.put(entry);
    lock.to_text().into_bytes()
}

#[test]
fn a_bundle_is_the_same_bytes_each_time_and_holds_what_was_verified() {
    let (scratch, store, entry) = store();
    let write = |name: &str| {
        let file = scratch.path().join(name);
        Bundle::collect(&store, &[], Some(b"policy".to_vec())).unwrap().write(&file).unwrap();
        std::fs::read(file).unwrap()
    };
    assert_eq!(write("a"), write("b"));
    assert!(matches!(Bundle::collect(&store, &["other".into()], None), Err(SupplyError::NotLocked(_))));
    std::fs::write(store.component_path(&entry), component("other")).unwrap();
    assert!(matches!(Bundle::collect(&store, &[], None), Err(SupplyError::ComponentChanged { .. })));
}

#[test]
fn names_links_sizes_and_kinds_that_do_not_belong_are_refused() {
    let bytes = component("a");
    let entry = candidate("gate", &bytes, None).entry;
    let (lock, file) = (lock_of(entry.clone()), format!("sha256-{}.wasm", entry.digest.hex()));
    let plain = EntryType::Regular;
    let first = ("plugins.lock", plain, lock.as_slice());
    assert!(why(b"not gzip").contains("cannot be unpacked"));
    assert!(why(&archive(&[])).contains("has no plugins.lock"));
    assert!(why(&archive(&[("../../etc/cron.d/x", plain, b"x")])).contains("\"../../etc/cron.d/x\" does not belong"));
    assert!(why(&archive(&[("/etc/passwd", plain, b"x")])).contains("does not belong"));
    assert!(why(&archive(&[(&file, plain, &bytes)])).contains("does not belong"), "before the lock says so");
    assert!(why(&archive(&[first, ("./plugins.lock", plain, b"x")])).contains("does not belong"));
    for kind in [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Char,
        EntryType::Directory,
        EntryType::GNULongName,
        EntryType::XHeader,
    ] {
        assert!(why(&archive(&[first, (&file, kind, b"")])).contains("is not a plain file"), "{kind:?}");
    }
    assert!(why(&archive(&[first, first])).contains("plugins.lock twice"));
    assert!(why(&archive(&[first])).contains("is missing"));
    let larger = [bytes.clone(), vec![0; 10]].concat();
    assert!(why(&archive(&[first, (&file, plain, &larger)])).contains("are expected at most"));
    assert!(why(&archive(&[first, (&file, plain, &component("b"))])).contains("was changed"));
    let cut = archive(&[first, (&file, plain, &bytes)]);
    assert!(why(&cut[..cut.len() / 2]).contains("bundle"));
}

#[test]
fn a_lock_in_a_bundle_is_held_to_its_component() {
    let bytes = component("a");
    let entry = candidate("gate", &bytes, None).entry;
    let file = format!("sha256-{}.wasm", entry.digest.hex());
    let with = |entry: Entry| {
        why(&archive(&[("plugins.lock", EntryType::Regular, &lock_of(entry)), (&file, EntryType::Regular, &bytes)]))
    };
    assert!(with(Entry { contract: "0.1.0".into(), ..entry.clone() }).contains("built for runner:plugin 0.1.0"));
    assert!(with(Entry { imports: Vec::new(), ..entry.clone() }).contains("which was not accepted"));
    let signer = Signer { key: Digest::of(b"k"), signature: Digest::of(b"s") };
    assert!(with(Entry { signer: Some(signer), ..entry }).contains("signature.json, of gate, is missing"));
    assert!(why(&archive(&[("plugins.lock", EntryType::Regular, b"# seal: x\n")])).contains("lock"));
}
