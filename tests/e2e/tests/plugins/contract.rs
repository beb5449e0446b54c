//! The contract's evolution: what was released does not change, and what was built against it goes on working.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::GzDecoder;
use runner::event::{Event, EventKind, EventSink};
use runner::pipeline::{Policy, Verdict};
use runner::plugins::{PluginConfig, PluginSource, Plugins};
use runner::surroundings::Nothing;
use runner::terms::Step;
use runner_harness::compiled_plugins;
use runner_harness::facts::{CANDIDATE, newcomer, view, window};
use sha2::{Digest, Sha256};

/// Everything that was ever released: the contract's folders, and components built against them. A line is added with a release;
/// no line is ever changed.
const RELEASED: &str = include_str!("../../../golden/RELEASED");

struct Nobody;

impl EventSink for Nobody {
    fn emit(&self, _: Event) {}
}

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(files(&entry));
        } else {
            found.push(entry);
        }
    }
    found
}

/// `sha256  path`, as `sha256sum` prints it, sorted by path.
fn sums() -> String {
    let top = top();
    let mut sums = BTreeMap::new();
    for file in ["wit/released", "tests/golden"].iter().flat_map(|folder| files(&top.join(folder))) {
        let name = file.strip_prefix(&top).unwrap().display().to_string();
        if name != "tests/golden/RELEASED" {
            let digest = Sha256::digest(fs::read(&file).unwrap());
            sums.insert(name, digest.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}")));
        }
    }
    sums.iter().fold(String::new(), |mut text, (name, digest)| {
        writeln!(text, "{digest}  {name}").unwrap();
        text
    })
}

#[test]
fn what_was_released_is_as_it_was() {
    let hint = "a released contract and its golden components never change: make a new version instead. For a new version, \
                add its lines: sha256sum wit/released/*/* tests/golden/*/*";
    assert_eq!(sums(), RELEASED, "{hint}");
}

#[test]
fn a_released_version_is_not_developed_further() {
    let contract = top().join("wit");
    let text = fs::read_to_string(contract.join("plugin.wit")).unwrap();
    let version = text.lines().find_map(|l| l.strip_prefix("package runner:plugin@")?.strip_suffix(';')).unwrap();
    let released = contract.join("released").join(version);
    if !released.exists() {
        return;
    }
    let read = |folder: &Path| -> BTreeMap<String, String> {
        let inside = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
        inside.map(|p| (p.file_name().unwrap().display().to_string(), fs::read_to_string(&p).unwrap())).collect()
    };
    let hint = format!("wit/ says {version}, which is released: give it the next version before changing it");
    assert_eq!(read(&contract), read(&released), "{hint}");
}

/// The golden components of a version, unpacked.
fn golden(version: &Path, into: &Path) -> Vec<PluginConfig> {
    let mut configs = Vec::new();
    for packed in files(version) {
        let name = packed.file_stem().unwrap();
        let path = into.join(name);
        let mut bytes = Vec::new();
        GzDecoder::new(fs::File::open(&packed).unwrap()).read_to_end(&mut bytes).unwrap();
        fs::write(&path, bytes).unwrap();
        configs.push(PluginConfig::new(PluginSource { path, name: None }));
    }
    configs
}

#[tokio::test]
async fn what_was_built_against_a_released_contract_still_loads_and_answers() {
    for version in fs::read_dir(top().join("tests/golden")).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir()) {
        let folder = tempfile::tempdir().unwrap();
        let configs = golden(&version, folder.path());
        let languages: Vec<_> = configs.iter().map(|c| c.name.split('-').next().unwrap().to_owned()).collect();
        for language in ["rust", "js", "python"] {
            assert!(languages.iter().any(|l| l == language), "{}: no component in {language}", version.display());
        }
        let plugins = Plugins::load(configs, compiled_plugins(), Arc::new(Nothing), Arc::new(Nobody));
        plugins.ready().await.unwrap();

        let checks = plugins.check(&view(), &newcomer()).await;
        assert!(!checks.is_empty());
        for answer in checks {
            assert_eq!(answer.result, Ok(Vec::new()), "{}: {}", version.display(), answer.plugin);
        }
        let close = plugins.evaluate(&view(), CANDIDATE, &window(&[9; 8])).await;
        let far = plugins.evaluate(&view(), CANDIDATE, &window(&[5000; 8])).await;
        assert!(!close.is_empty());
        for (close, far) in close.iter().zip(&far) {
            assert_eq!(close.result, Ok(Verdict::Approve), "{}: {}", version.display(), close.plugin);
            assert!(matches!(far.result, Ok(Verdict::Wait { .. })), "{}: {far:?}", version.display());
        }
        let told = plugins.notify(&[Event::now(EventKind::StepStarted { step: Step::Sync })]).await;
        assert!(!told.is_empty());
        for answer in told {
            assert_eq!(answer.result, Ok(()), "{}: {}", version.display(), answer.plugin);
        }
    }
}
