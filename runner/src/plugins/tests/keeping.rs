//! Compiled code: kept where only we can write, used where nothing is in doubt.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;
use crate::event::EventKind;
use crate::plugins::cache::Cache;
use crate::plugins::engine::Engine;
use crate::surroundings::Nothing;

const DIGEST: [u8; 32] = [7; 32];

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A cache with one component in it, and the file that it is kept in.
fn filled(engine: &Engine, folder: &Path) -> (Cache, PathBuf) {
    let cache = Cache::open(folder).unwrap();
    let component = wasmtime::component::Component::new(engine.wasmtime(), wat::parse_str("(component)").unwrap()).unwrap();
    cache.put(engine.wasmtime(), &DIGEST, &component).unwrap();
    let files: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    (cache, files[0].clone())
}

#[test]
fn what_was_kept_is_found_again_in_private_files() {
    let (files, engine) = (Files::new(), Engine::new().unwrap());
    let folder = files.path().join("a/b");
    let (cache, file) = filled(&engine, &folder);
    assert!(cache.get(engine.wasmtime(), &DIGEST).unwrap().is_some());
    assert!(cache.get(engine.wasmtime(), &[8; 32]).unwrap().is_none());
    assert_eq!((mode(&folder), mode(&file)), (0o700, 0o600));
    // Another engine, another key.
    let other = wasmtime::Engine::default();
    assert!(cache.get(&other, &DIGEST).unwrap().is_none());
}

#[test]
fn damaged_and_foreign_files_are_not_used() {
    let (files, engine) = (Files::new(), Engine::new().unwrap());
    let folder = files.path().join("cache");
    let (cache, file) = filled(&engine, &folder);
    let whole = fs::read(&file).unwrap();
    let usable = || cache.get(engine.wasmtime(), &DIGEST).is_ok_and(|kept| kept.is_some());

    let mut damaged = whole.clone();
    *damaged.last_mut().unwrap() ^= 1;
    for bytes in [&damaged[..], &whole[..whole.len() - 1], &whole[..20], b""] {
        fs::write(&file, bytes).unwrap();
        assert!(!usable(), "{} bytes", bytes.len());
    }
    fs::write(&file, &whole).unwrap();
    assert!(usable());

    set_mode(&file, 0o620);
    assert!(!usable());
    set_mode(&file, 0o600);

    let aside = files.path().join("aside");
    fs::rename(&file, &aside).unwrap();
    symlink(&aside, &file).unwrap();
    assert!(!usable(), "a link was followed");
}

#[test]
fn a_folder_that_others_may_change_is_not_used() {
    let files = Files::new();
    let open = files.path().join("open");
    fs::create_dir(&open).unwrap();
    set_mode(&open, 0o777);
    assert_eq!(Cache::open(&open).err().unwrap().to_string(), "others may write to it");

    let (private, link) = (files.path().join("private"), files.path().join("link"));
    Cache::open(&private).unwrap();
    symlink(&private, &link).unwrap();
    assert!(Cache::open(&link).is_err(), "a link was followed");
    assert!(Cache::open(&files.write("file", b"")).is_err());
    if rustix::process::geteuid().is_root() {
        let foreign = files.path().join("foreign");
        fs::create_dir(&foreign).unwrap();
        std::os::unix::fs::chown(&foreign, Some(12345), None).unwrap();
        assert_eq!(Cache::open(&foreign).err().unwrap().to_string(), "it belongs to somebody else");
    } else {
        assert_eq!(Cache::open(Path::new("/")).err().unwrap().to_string(), "it belongs to somebody else");
    }
}

#[tokio::test]
async fn plugins_work_with_and_without_a_usable_folder() {
    let (files, folder) = (Files::new(), Files::new());
    let (cache, open) = (folder.path().join("cache"), folder.path().join("open"));
    fs::create_dir(&open).unwrap();
    set_mode(&open, 0o777);
    for (dir, kept) in [(&cache, true), (&cache, true), (&open, false)] {
        let seen = Arc::new(Seen::default());
        let plugins = Plugins::load(
            vec![files.component("p", &plain("(call $ok)"))],
            Some(dir.clone()),
            Arc::new(Nothing),
            seen.clone(),
        );
        notify(&plugins).await.remove(0).0.unwrap();
        assert_eq!(seen.notes().is_empty(), kept, "{:?}", seen.notes());
    }
    assert_eq!(fs::read_dir(&cache).unwrap().count(), 1);
    assert_eq!(fs::read_dir(&open).unwrap().count(), 0);
}

#[tokio::test]
async fn compiled_code_that_was_tampered_with_is_refused_aloud_and_made_anew() {
    let (files, folder) = (Files::new(), Files::new());
    let cache = folder.path().join("cache");
    let load = async || {
        let seen = Arc::new(Seen::default());
        let config = vec![files.component("p", &plain("(call $ok)"))];
        let plugins = Plugins::load(config, Some(cache.clone()), Arc::new(Nothing), seen.clone());
        notify(&plugins).await.remove(0).0.unwrap();
        seen.notes().join("\n")
    };
    assert_eq!(load().await, "");
    let file = fs::read_dir(&cache).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&file).unwrap();
    let mut altered = whole.clone();
    *altered.last_mut().unwrap() ^= 1;
    fs::write(&file, altered).unwrap();
    assert!(load().await.contains("was not used, and it was compiled anew: its content was changed"));
    assert_eq!((load().await, fs::read(&file).unwrap()), (String::new(), whole));
}

#[tokio::test]
async fn compiling_something_large_is_said_and_done_once() {
    let (files, folder) = (Files::new(), Files::new());
    let mut config = files.component("p", &plain("(call $ok)"));
    let mut large = fs::read(&config.path).unwrap();
    // A custom section of a MiB, which no code needs: id 0, its length in LEB128, an empty name.
    large.extend([0, 0x81, 0x80, 0x40, 0]);
    large.resize(large.len() + (1 << 20), 0);
    config.path = files.write("large.wasm", &large);
    for expected in [Some(large.len() as u64), None] {
        let seen = Arc::new(Seen::default());
        let cache = Some(folder.path().join("cache"));
        let plugins = Plugins::load(vec![config.clone()], cache, Arc::new(Nothing), seen.clone());
        plugins.ready().await.unwrap();
        let said = |event: &EventKind| match event {
            EventKind::PluginCompiling { bytes, .. } => Some(*bytes),
            _ => None,
        };
        assert_eq!(seen.0.lock().unwrap().iter().find_map(said), expected);
    }
}
