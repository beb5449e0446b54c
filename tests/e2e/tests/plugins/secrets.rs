//! A plugin that was shown a secret says it wherever a plugin can say anything, and nothing that a run leaves behind has it: not
//! what it prints, for people or for programs, not its journal, not its record, not its state folder.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use runner_harness::{Finished, Node, SOON, Scratch, Spawned, Stage, Tls, guest, newest};
use rustix::process::Signal;
use serde_json::{Value, json};

/// Nothing else has this in it.
const MARKER: &str = "marker-5f3a9c71d2-of-a-secret/with \"quotes\"";

/// What would still give it away.
const TELLING: [&str; 3] = ["5f3a9c71d2", "NWYzYTljNzFkM", "35663361396337316432"];

/// A policy with one plugin, the curious guest, in a folder of its own.
fn policy(stage: &Stage, settings: &Value, secret: &Value) -> PathBuf {
    let folder = stage.cluster.scratch.join("policy");
    fs::create_dir_all(&folder).unwrap();
    let grants = json!({
        "random": true,
        "http": [{ "hosts": ["localhost"] }],
        "kubernetes": [{ "apiVersion": "v1", "kind": "Node" }],
        "probes": { "memory": true },
        "etcd": { "status": true },
        "secrets": { "hook": secret, "hook-in-settings": secret },
    });
    let plugin = json!({ "name": "curious", "source": guest("curious"), "settings": settings, "grants": grants });
    // JSON is YAML, too.
    let policy = json!({
        "apiVersion": "runner.dev/v1alpha1", "kind": "JoinPolicy", "metadata": { "name": "test" },
        "spec": { "plugins": [plugin] },
    });
    let file = folder.join("policy.yaml");
    fs::write(&file, policy.to_string()).unwrap();
    file
}

fn secret_file(stage: &Stage) -> PathBuf {
    let file = stage.cluster.scratch.join("hook.secret");
    fs::write(&file, format!("{MARKER}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    file
}

async fn finished(mut command: Command, policy: &Path) -> Finished {
    command
        .arg("--plugins")
        .arg(policy)
        .env("RUNNER_LOG", "info,runner=trace,hyper=trace,hyper_util=trace,rustls=trace,reqwest=trace,tonic=trace")
        .env("HOOK", MARKER);
    Spawned::start(command).finish(SOON).await
}

/// Every file below, with its bytes.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut all = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        match path.is_dir() {
            true => all.extend(files(&path)),
            false => all.push((path.clone(), fs::read(&path).unwrap_or_default())),
        }
    }
    all
}

fn assert_silent(stage: &Stage, ended: &Finished) {
    assert_untold(stage, ended, &TELLING);
}

/// Nothing that a run left behind has any of these.
fn assert_untold(stage: &Stage, ended: &Finished, secrets: &[impl AsRef<str>]) {
    let mut texts = vec![("stdout".to_owned(), ended.stdout.clone()), ("stderr".to_owned(), ended.stderr.clone())];
    let kept = files(&stage.node.state_dir);
    texts.extend(
        kept.into_iter().map(|(path, bytes)| (path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned())),
    );
    for (place, text) in texts {
        for secret in secrets {
            if let Some(at) = text.find(secret.as_ref()) {
                let around: String = text[..at].chars().rev().take(200).collect::<String>().chars().rev().collect();
                panic!("the secret is in {place}, after: {around}");
            }
        }
    }
}

#[tokio::test]
async fn a_secret_is_in_nothing_that_a_run_leaves_behind() {
    let stage = Stage::set(1, &newest(), Tls::Off).await;
    let secret = json!({ "file": secret_file(&stage) });
    let everywhere = json!({ "secret": "hook", "tells": ["log", "finding", "httpError"] });
    let file = policy(&stage, &everywhere, &secret);
    for command in [stage.node.join(&stage.cluster.endpoints()), stage.node.join_for_people(&stage.cluster.endpoints())] {
        let ended = finished(command, &file).await;
        // It waits for the secret until it has caught up, and then rejects.
        assert_ne!(ended.code(), Some(0), "{}", ended.stderr);
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(said.contains("[secret hook] is wrong"), "{said}");
        assert!(said.contains("the secret is [secret hook]"), "{said}");
        assert!(said.contains("GET https://nowhere.invalid/[secret hook]?token=[secret hook]"), "{said}");
        assert_silent(&stage, &ended);
    }
    assert!(!files(&stage.node.state_dir).is_empty());
    for (settings, said) in [
        (json!({ "secret": "hook", "ends": "error" }), "it does not work with [secret hook]"),
        (json!({ "secret": "hook", "ends": "panic" }), "[secret hook]"),
        (json!({ "secret": "hook-in-settings" }), "refuses its settings: `[secret hook"),
    ] {
        for source in [&secret, &json!({ "env": "HOOK" })] {
            let file = policy(&stage, &settings, source);
            for command in
                [stage.node.join(&stage.cluster.endpoints()), stage.node.join_for_people(&stage.cluster.endpoints())]
            {
                let ended = finished(command, &file).await;
                assert_ne!(ended.code(), Some(0), "{}", ended.stderr);
                assert!(
                    format!("{}{}", ended.stdout, ended.stderr).contains(said),
                    "{said}: {}{}",
                    ended.stdout,
                    ended.stderr
                );
                assert_silent(&stage, &ended);
            }
        }
    }
}

#[tokio::test]
async fn a_secret_that_cannot_be_had_refuses_the_join_and_shows_nothing_of_it() {
    let stage = Stage::set(1, &newest(), Tls::Off).await;
    let file = secret_file(&stage);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let none = stage.cluster.scratch.join("none");
    for (secret, said) in
        [(json!({ "file": file }), "is open to everybody (mode 644)"), (json!({ "file": none }), "there is no file")]
    {
        let policy = policy(&stage, &json!({}), &secret);
        let ended = finished(stage.node.join_for_people(&stage.cluster.endpoints()), &policy).await;
        assert_ne!(ended.code(), Some(0));
        assert!(
            ended.stderr.contains("the secret \"hook\" cannot be had") && ended.stderr.contains(said),
            "{}",
            ended.stderr
        );
        assert_silent(&stage, &ended);
        stage.assert_baseline().await;
    }
}

/// The lines of every private key below, as they stand in the files; nothing else has one of them in it.
fn lines_of_keys(folder: &Path) -> Vec<String> {
    let keys = files(folder).into_iter().filter(|(path, _)| path.extension().is_some_and(|e| e == "key"));
    let texts: Vec<String> = keys.map(|(_, bytes)| String::from_utf8(bytes).expect("PEM")).collect();
    let lines = texts.iter().flat_map(|text| text.lines());
    lines.filter(|line| !line.starts_with("-----") && line.len() >= 16).map(str::to_owned).collect()
}

#[tokio::test]
async fn no_private_key_is_in_anything_that_a_run_leaves_behind() {
    let stage = Stage::set(1, &newest(), Tls::On).await;
    let policy = policy(&stage, &json!({ "secret": "hook" }), &json!({ "file": secret_file(&stage) }));
    let undone = finished(stage.node.join(&stage.cluster.endpoints()), &policy).await;
    assert_ne!(undone.code(), Some(0), "{}", undone.stderr);
    let mut command = stage.node.join_for_people(&stage.cluster.endpoints());
    command.arg("-vv").env("RUNNER_LOG", "info,runner=trace,hyper=trace,hyper_util=trace,rustls=trace,tonic=trace");
    let joined = Spawned::start(command).finish(SOON).await.expect_code(0);
    assert!(joined.stderr.contains("TRACE"), "the trace is what would tell: {}", joined.stderr);
    // Those that runner made itself are among them.
    let keys = lines_of_keys(&stage.cluster.scratch.join(""));
    assert!(keys.len() > 10, "{} lines", keys.len());
    for ended in [&undone, &joined] {
        assert_untold(&stage, ended, &keys);
    }
}

#[tokio::test]
async fn no_core_file_has_what_runner_knows() {
    let scratch = Scratch::new();
    let node = Node::plan(&scratch, "n1", &newest(), Tls::Off);
    // It takes a connection and says nothing, so the join waits.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let join = node.join(&[format!("http://{}", silent.local_addr().unwrap())]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -c unlimited && exec \"$0\" \"$@\""]).arg(join.get_program()).args(join.get_args());
    for (name, value) in join.get_envs() {
        value.map(|value| shell.env(name, value));
    }
    let running = Spawned::start(shell);
    let _connection = tokio::time::timeout(SOON, silent.accept()).await.expect("runner connects").unwrap();
    let limits = fs::read_to_string(format!("/proc/{}/limits", running.id())).unwrap();
    let limit = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(limit.split_whitespace().nth(4), Some("0"), "{limit}");
    running.signal(Signal::ABORT);
    let ended = running.finish(SOON).await;
    assert_eq!(ended.status.signal(), Some(Signal::ABORT.as_raw()));
    // A program that the kernel pipes core files to is given them whatever the limit, see core(5).
    if !fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap().starts_with('|') {
        assert!(!ended.status.core_dumped());
    }
}
