//! `runner plugin test`: real components against scenario files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use runner_harness::{Finished, Scratch, Spawned, compiled_cache, eventually, guest, runner_bin};
use rustix::process::Signal;
use serde_json::Value;

/// Compiling a large guest may take this long on a machine that is busy with other tests.
const SOON: Duration = Duration::from_secs(300);

fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn command(plugin: &Path, scenarios: &Path) -> Command {
    let mut command = Command::new(runner_bin());
    command.env("RUNNER_CACHE_DIR", compiled_cache());
    command.args(["plugin", "test"]).arg(plugin).arg(scenarios);
    command
}

async fn test(plugin: &Path, scenarios: &Path, args: &[&str]) -> Finished {
    let mut command = command(plugin, scenarios);
    command.args(args);
    Spawned::start(command).finish(SOON).await
}

async fn one(plugin: &str, scenario: &str) -> Finished {
    let scratch = Scratch::new();
    let file = scratch.join("one.yaml");
    fs::write(&file, scenario).expect("the scratch folder takes files");
    test(&guest(plugin), &file, &[]).await
}

/// Every plugin and test guest of this repository that has scenarios does what they say.
#[tokio::test]
async fn the_scenarios_of_every_plugin_pass() {
    let mut tested = Vec::new();
    for folder in ["plugins", "tests/guests/rust"] {
        for entry in fs::read_dir(source(folder)).expect("the sources").flatten() {
            let scenarios = entry.path().join("scenarios");
            if !scenarios.is_dir() {
                continue;
            }
            let name = entry.file_name().to_string_lossy().into_owned();
            let finished = test(&guest(&name), &scenarios, &["--output", "json"]).await.expect_code(0);
            let report: Value = serde_json::from_str(&finished.stdout).expect("a JSON document");
            assert_eq!(report["failed"], 0, "{name}\n{report:#}");
            assert!(report["passed"].as_u64() > Some(0), "{name}");
            tested.push(name);
        }
    }
    for name in ["steady-sync", "version-window", "run-summary", "asker"] {
        assert!(tested.iter().any(|t| t == name), "{name} has no scenarios");
    }
}

/// The same scenarios mean the same in every language.
#[tokio::test]
async fn guests_in_other_languages_are_tested_alike() {
    let told = "name: told\nevents: [{kind: run-finished, outcome: joined}]\nexpect: {told: true}\n";
    one("js-notifier-plugin", told).await.expect_code(0);
    let near = "name: near\nsamples: {lag: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0], every: 500ms}\nexpect: {verdict: approve}\n";
    for guest in ["js-caught-up", "python-caught-up"] {
        one(guest, near).await.expect_code(0);
    }
}

#[tokio::test]
async fn a_failure_shows_what_was_expected_and_what_came() {
    let scenario = "name: too near\nsamples: {lag: [5000], every: 1s}\nexpect: {verdict: approve}\n";
    let failed = one("steady-sync", scenario).await.expect_code(3);
    for line in ["FAIL  too near", "- expected  verdict: approve", "+ got       verdict: wait: lag 5000 > 100", "1 failed"] {
        assert!(failed.stdout.contains(line), "no {line:?} in\n{}", failed.stdout);
    }
    assert_eq!(failed.stderr, "");
}

#[tokio::test]
async fn an_unexpected_host_call_fails_the_scenario_and_so_does_a_missing_one() {
    let unexpected = "name: asker\nsettings: {ask: [memory]}\nexpect: {error: '*'}\n";
    let failed = one("asker", unexpected).await.expect_code(3);
    assert!(failed.stdout.contains("unexpected host call: memory"), "{}", failed.stdout);

    let missing = "name: idle\nhostCalls: [{ask: memory, reply: {space: {total: 1, available: 1}}}]\nexpect: {told: true}\n";
    let failed = one("asker", missing).await.expect_code(3);
    assert!(failed.stdout.contains("it did not ask what it was expected to: memory"), "{}", failed.stdout);

    let order = "name: order\nsettings: {ask: [secret, memory]}\nhostCallsInOrder: true\nhostCalls:\n\
                 \x20 - {ask: memory, reply: {space: {total: 1, available: 1}}}\n\
                 \x20 - {ask: {secret: {name: hook}}, reply: {secret: hidden-text}}\nexpect: {error: '*'}\n";
    let failed = one("asker", order).await.expect_code(3);
    assert!(failed.stdout.contains("unexpected host call: secret"), "{}", failed.stdout);
}

#[tokio::test]
async fn files_that_cannot_be_used_are_refused_with_their_place() {
    let wrong = one("steady-sync", "name: a\nexpect:\n  verdct: approve\n").await.expect_code(2);
    assert!(wrong.stderr.contains("one.yaml:3:3: ") && wrong.stderr.contains("did you mean `verdict`?"), "{}", wrong.stderr);

    let scratch = Scratch::new();
    let none = test(&guest("steady-sync"), scratch.path(), &[]).await.expect_code(2);
    assert!(none.stderr.contains("has no scenario"), "{}", none.stderr);
    let gone = test(&scratch.join("gone.wasm"), &source("plugins/steady-sync/scenarios"), &[]).await.expect_code(2);
    assert!(gone.stderr.contains("cannot be read"), "{}", gone.stderr);
    let filter = test(&guest("steady-sync"), &source("plugins/steady-sync/scenarios"), &["-k", "nothing like it"]).await;
    assert!(filter.expect_code(2).stderr.contains("no scenario has"));
}

#[tokio::test]
async fn watching_tests_again_when_a_scenario_changes() {
    let scratch = Scratch::new();
    let file = scratch.join("watched.yaml");
    let write = |lag: u64| {
        let text = format!(
            "name: watched\nsamples: {{lag: [{lag}], every: 1s}}\nsettings: {{samples: 1, forMs: 0}}\nexpect: {{verdict: approve}}\n"
        );
        fs::write(&file, text).expect("the scratch folder takes files");
    };
    write(5000);
    let mut watching = command(&guest("steady-sync"), &file);
    watching.arg("--watch");
    let watching = Spawned::start(watching);
    let waits = async |times: usize| {
        let waited = async || {
            let seen = watching.stderr().matches("waiting for changes").count();
            if seen >= times { Ok(()) } else { Err(format!("{seen} of {times}")) }
        };
        eventually("it to wait for changes", SOON, waited).await;
    };
    waits(1).await;
    write(0);
    waits(2).await;
    watching.signal(Signal::INT);
    let ended = watching.finish(SOON).await.expect_code(0);
    let (first, second) = ended.stdout.split_once("1 failed").expect("the first test fails");
    assert!(first.contains("FAIL  watched") && second.contains("pass  watched"), "{}", ended.stdout);
}
