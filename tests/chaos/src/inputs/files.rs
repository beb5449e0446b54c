//! Files that somebody else wrote: read by the same calls that a command makes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use runner::config::kubeadm::Documents;
use runner::config::policy::PolicyFile;
use runner::config::profile::ProfileFile;
use runner::launch::{MemberConfig, ProcessConfig, ProcessLauncher};
use runner::pipeline::{Journal, Launcher};
use runner::plugins::Face;
use runner::supply::{Loaded, PublicKey, Store};
use runner::tls::ClientTls;
use runner_harness::repository;

use super::journals::Prefixes;
use super::mutate::Mutation;
use super::seeds::Seeds;
use super::{Fed, Kind};

/// Reads a file; the refusal's text where it is refused.
type Read = fn(&Path) -> Result<(), String>;

/// All kinds.
pub(super) fn kinds(seeds: &Seeds) -> Vec<Kind> {
    let repository = repository();
    let all = |folders: &[&str], extension: &str| {
        let folders = folders.iter().flat_map(|f| fs::read_dir(repository.join(f)).expect("a folder of the repository"));
        let paths = folders.flatten().map(|entry| entry.path());
        let mut paths: Vec<_> = paths.filter(|p| p.extension().is_some_and(|e| e == extension)).collect();
        paths.sort();
        let text = |p| fs::read_to_string(p).expect("a file of the repository");
        // kubeadm's are kept for any minor version of Kubernetes.
        paths.into_iter().map(|p| text(p).replace("@MINOR@", "33").into_bytes()).collect::<Vec<_>>()
    };
    vec![
        kind("kubeadm's configuration", all(&["tests/kubeadm/configs"], "yaml"), |p| {
            Documents::read(p).map(drop).map_err(|e| e.to_string())
        }),
        kind("policy", all(&["runner/src/config/policy/tests"], "yaml"), |p| {
            PolicyFile::read(p).map(drop).map_err(|e| e.to_string())
        }),
        kind("profile", all(&["runner/profiles"], "toml"), |p| ProfileFile::read(p).map(drop).map_err(|e| e.to_string())),
        kind("scenarios", all(&["plugins/webhook/scenarios", "plugins/peer-network/scenarios"], "yaml"), |p| {
            runner::scenario::read(p).map(drop)
        }),
        kind("recording", vec![seeds.recording.clone()], |p| runner::recording::read(p).map(drop)),
        kind("lock of plugins", vec![seeds.lock.clone()], lock),
        kind("public key", all(&["tests/e2e/tests/supply/keys"], "pub"), |p| {
            PublicKey::read(p).map(drop).map_err(|e| e.to_string())
        }),
        kind("bundle", vec![seeds.bundle.clone()], |p| Loaded::read(p, None, None).map(drop).map_err(|e| e.to_string())),
        kind("component", vec![seeds.component.clone()], |p| {
            Face::of("plugin", &fs::read(p).unwrap_or_default()).map(drop).map_err(|e| e.to_string())
        }),
        kind("component, compiled", vec![seeds.component.clone()], |p| {
            runner::plugins::inspect(p).map(drop).map_err(|e| e.to_string())
        }),
        kind("certificate", vec![seeds.certificate.clone()], |p| {
            ClientTls { ca: Some(p.to_owned()), ..ClientTls::default() }.load().map(drop).map_err(|e| e.to_string())
        }),
        kind("etcd's write-ahead log", vec![seeds.wal.clone()], wal),
        journal(seeds),
    ]
}

fn kind(name: &'static str, seeds: Vec<Vec<u8>>, read: Read) -> Kind {
    assert!(!seeds.is_empty(), "no good {name} to begin with");
    let feed = move |folder: &Path, _: Mutation, bytes: &[u8]| {
        let file = write(folder, bytes);
        Fed { taken: read(&file), wrong: None }
    };
    Kind { name, seeds, feed: Arc::new(feed) }
}

/// What is left of a journal after a crash is a beginning of it, or refused.
fn journal(seeds: &Seeds) -> Kind {
    let prefixes = Prefixes::of(&seeds.journal);
    let feed = move |folder: &Path, mutation: Mutation, bytes: &[u8]| {
        let file = write(folder, bytes);
        let read = Journal::open(&file).map(|journal| journal.state().clone());
        let misread = |state| mutation.a_disk_does_it() && !prefixes.has(state);
        let wrong = read.as_ref().ok().filter(|state| misread(state)).map(|state| format!("it was misread: {state:?}"));
        Fed { taken: read.map(drop).map_err(|e| e.to_string()), wrong }
    };
    Kind { name: "journal", seeds: vec![seeds.journal.clone()], feed: Arc::new(feed) }
}

fn write(folder: &Path, bytes: &[u8]) -> std::path::PathBuf {
    let file = folder.join("input");
    fs::write(&file, bytes).expect("the folder can be written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("it is ours");
    file
}

fn lock(file: &Path) -> Result<(), String> {
    let folder = file.with_file_name("store");
    let done = fs::create_dir_all(&folder).and_then(|()| fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)));
    done.and_then(|()| fs::copy(file, folder.join("plugins.lock"))).map_err(|e| e.to_string())?;
    let store = Store::open(&folder).map_err(|e| e.to_string())?.ok_or("there is no store")?;
    store.lock().map(drop).map_err(|e| e.to_string())
}

/// In a data directory, as a joining node's is looked at.
fn wal(file: &Path) -> Result<(), String> {
    let data_dir = file.with_file_name("data");
    let wal = data_dir.join("member/wal");
    let done = fs::create_dir_all(&wal);
    done.and_then(|()| fs::copy(file, wal.join("0000000000000000-0000000000000000.wal"))).map_err(|e| e.to_string())?;
    let member = MemberConfig { data_dir, ..MemberConfig::default() };
    let launcher = ProcessLauncher::new(ProcessConfig { member, ..ProcessConfig::default() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    runtime.block_on(launcher.data_dir()).map(drop).map_err(|e| e.to_string())
}
