//! A stand-in for kubeadm: a script that writes down what it was asked, and does what the test wants.

use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::*;
use crate::pipeline::Outcome;

/// A script in this folder.
fn script(folder: &Path, text: &str) -> String {
    let path = folder.join("kubeadm");
    let (text_file, copy) = (folder.join("text"), "cat \"$0\" > \"$1.new\" && chmod 755 \"$1.new\" && mv \"$1.new\" \"$1\"");
    std::fs::write(&text_file, format!("#!/bin/sh\ncd \"$(dirname \"$0\")\" || exit 9\n{text}")).unwrap();
    // Written by another process: a child of a test beside this one would hold it open for writing, and it could not be run.
    let copied = std::process::Command::new("sh").args(["-c", copy]).arg(&text_file).arg(&path).status().unwrap();
    assert!(copied.success());
    path.display().to_string()
}

/// Runs a line, and gives what was told.
async fn run(line: &Line, interrupt: CancellationToken) -> (Result<(), Quit>, String) {
    let told = Mutex::new(Vec::new());
    let tell = |words: &str| told.lock().unwrap().push(words.to_owned());
    let ended = Driver { tell: &tell, interrupt }.run(line).await;
    (ended, told.into_inner().unwrap().join("\n"))
}

fn lines(program: &str) -> Vec<Line> {
    let plan = Plan::driven(&makings(34, program, &[]), &Done::default(), false);
    plan.lines.into_iter().filter(|line| matches!(line.part, Part::Prepare | Part::Kubelet | Part::Finish)).collect()
}

#[tokio::test]
async fn every_phase_runs_once_and_etcd_s_never() {
    for minor in OLDEST..=NEWEST {
        let folder = tempfile::tempdir().unwrap();
        let program = script(folder.path(), "echo \"$@\" >> asked\n");
        let plan = Plan::driven(&makings(minor, &program, &[]), &Done::default(), false);
        for line in plan.lines.iter().filter(|line| line.words[0] == program) {
            run(line, CancellationToken::new()).await.0.unwrap();
        }
        let asked = std::fs::read_to_string(folder.path().join("asked")).unwrap();
        let known = Known::minor(minor).unwrap();
        let mut ran = Vec::new();
        for asked in asked.lines() {
            let flag = asked.split(' ').find_map(|word| word.strip_prefix("--skip-phases=")).unwrap();
            let skipped: Vec<&str> = flag.split(',').collect();
            ran.extend(known.phases().into_iter().filter(|phase| !skipped.contains(phase)));
            // Skipped itself, or with all that it is in.
            let off = |phase: &str| skipped.iter().any(|s| phase == *s || phase.starts_with(&format!("{s}/")));
            assert!(known.etcd_phases().into_iter().all(off), "1.{minor}: {asked}");
        }
        let wanted: Vec<&str> =
            known.phases().into_iter().filter(|phase| *phase != "etcd-join" && *phase != "check-etcd").collect();
        assert_eq!(ran, wanted, "1.{minor}");
    }
}

#[tokio::test]
async fn its_words_are_passed_on_but_no_farewell_that_is_too_early() {
    let folder = tempfile::tempdir().unwrap();
    let text = "echo '[preflight] Running'\necho\necho 'This node has joined the cluster and more'\necho '* etcd'\n";
    let program = script(folder.path(), text);
    let lines = lines(&program);
    let (ended, told) = run(&lines[0], CancellationToken::new()).await;
    assert_eq!((ended, told.as_str()), (Ok(()), "[preflight] Running\n"));
    let (_, told) = run(lines.last().unwrap(), CancellationToken::new()).await;
    assert!(told.ends_with("* etcd"), "{told}");
}

#[tokio::test]
async fn a_failure_names_the_phase_the_state_and_the_way_on() {
    let folder = tempfile::tempdir().unwrap();
    let fails = |phase: &str| {
        script(
            folder.path(),
            &format!("echo 'error execution phase {phase}: no luck' >&2\necho 'To see the stack trace …' >&2\nexit 1\n"),
        )
    };
    let told = async |line: &Line| {
        let failure = run(line, CancellationToken::new()).await.0.unwrap_err().failure(line, "runner kubeadm-join …", false);
        let hints: String = failure.hints.iter().take(2).map(|hint| format!("\nhint: {hint}")).collect();
        format!("{} {}{hints}", failure.outcome.exit_status(), failure.message)
    };
    let program = fails("preflight");
    insta::assert_snapshot!(told(&lines(&program)[0]).await, @r"
    10 kubeadm's preflight refused the node (exit status: 1)
    hint: nothing has joined, neither the node nor its etcd member; `kubeadm reset` takes away what kubeadm has written
    hint: once the cause is mended, `runner kubeadm-join …` goes on from here
    ");
    fails("control-plane-prepare/certs");
    insta::assert_snapshot!(told(&lines(&program)[0]).await, @r"
    16 kubeadm failed in its phase control-plane-prepare/certs (exit status: 1): no luck
    hint: nothing has joined, neither the node nor its etcd member; `kubeadm reset` takes away what kubeadm has written
    hint: once the cause is mended, `runner kubeadm-join …` goes on from here
    ");
    fails("kubelet-start");
    insta::assert_snapshot!(told(&lines(&program)[1]).await, @r"
    16 kubeadm failed in its phase kubelet-start (exit status: 1): no luck
    hint: etcd's member has not joined; the kubelet may run and the node may be registered, and `kubeadm reset` takes that back
    hint: once the cause is mended, `runner kubeadm-join …` goes on from here
    ");
    fails("wait-control-plane");
    insta::assert_snapshot!(told(&lines(&program)[2]).await, @r"
    16 kubeadm failed in its phase wait-control-plane (exit status: 1): no luck
    hint: etcd's member has joined and votes: do not remove it or its data; only kubeadm's last phases are missing
    hint: once the cause is mended, `runner kubeadm-join …` goes on from here
    ");
    script(folder.path(), "exit 3\n");
    insta::assert_snapshot!(told(&lines(&program)[2]).await, @r"
    16 kubeadm failed (exit status: 3): it said nothing
    hint: etcd's member has joined and votes: do not remove it or its data; only kubeadm's last phases are missing
    hint: once the cause is mended, `runner kubeadm-join …` goes on from here
    ");
    let nobody = lines("/no/such/kubeadm");
    insta::assert_snapshot!(told(&nobody[0]).await, @r"
    2 /no/such/kubeadm cannot be run: No such file or directory (os error 2)
    hint: nothing has joined, neither the node nor its etcd member; `kubeadm reset` takes away what kubeadm has written
    hint: once the cause is mended, `runner kubeadm-join …` goes on from here
    ");
}

#[tokio::test]
async fn an_interrupt_ends_it_and_what_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let program = script(folder.path(), "sleep 600 &\necho $! > child\nwait\n");
    let interrupt = CancellationToken::new();
    let (child, later) = (folder.path().join("child"), interrupt.clone());
    let seen = child.clone();
    tokio::spawn(async move {
        while std::fs::read_to_string(&seen).map_or(true, |text| !text.ends_with('\n')) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        later.cancel();
    });
    let began = Instant::now();
    let (ended, _) = run(&lines(&program)[1], interrupt).await;
    assert_eq!(ended, Err(Quit::Interrupted));
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    let quit = ended.unwrap_err();
    let failure = quit.failure(&lines(&program)[1], "again", false);
    assert_eq!(failure.outcome, Outcome::Interrupted);
    // Nobody is to reset a node whose etcd may have a vote.
    let advised = |etcd_is_here| quit.failure(&lines(&program)[0], "again", etcd_is_here).problem.hints[0].clone();
    assert!(advised(false).contains("`kubeadm reset` takes away"), "{}", advised(false));
    assert_eq!(advised(true), DO_NOT_RESET);
    let pid = std::fs::read_to_string(child).unwrap();
    let gone = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    };
    while !gone() {
        assert!(began.elapsed() < Duration::from_secs(60), "{pid} still runs");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn the_program_is_asked_for_its_version_and_its_image() {
    let folder = tempfile::tempdir().unwrap();
    let says = |version: &str| {
        let json = format!(r#"{{"clientVersion":{{"major":"1","gitVersion":"{version}"}}}}"#);
        script(
            folder.path(),
            &format!(
                "case $1 in version) echo '{json}';; *) echo r.example/kube-apiserver:v1; echo r.example/etcd:3.6.5-0;; esac\n"
            ),
        )
    };
    let program = says("v1.34.2");
    let known = Program::ask(Path::new(&program)).await.unwrap();
    assert_eq!((known.version.text.as_str(), known.version.minor), ("v1.34.2", 34));
    assert_eq!(known.etcd_image("v1.34.2", "r.example").await.unwrap(), "r.example/etcd:3.6.5-0");
    let refused = async || {
        let failure = Program::ask(Path::new(&program)).await.unwrap_err();
        assert_eq!(failure.outcome, Outcome::BadInput);
        failure.message.replace(&folder.path().display().to_string(), "FOLDER")
    };
    says("v1.28.9");
    insta::assert_snapshot!(refused().await, @"FOLDER/kubeadm is kubeadm v1.28.9, and runner knows the phases of 1.29 to 1.36");
    says("v1.99.0");
    insta::assert_snapshot!(refused().await, @"FOLDER/kubeadm is kubeadm v1.99.0, and runner knows the phases of 1.29 to 1.36");
    script(folder.path(), "echo hello\n");
    insta::assert_snapshot!(refused().await, @"FOLDER/kubeadm does not tell its version as kubeadm does");
    script(folder.path(), "echo 'no way' >&2\nexit 1\n");
    insta::assert_snapshot!(refused().await, @"`FOLDER/kubeadm version -o json` failed (exit status: 1): no way");
    std::fs::remove_file(&program).unwrap();
    insta::assert_snapshot!(refused().await, @"`FOLDER/kubeadm version -o json` cannot be run: No such file or directory (os error 2)");
}
