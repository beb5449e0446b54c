//! Runs test programs side by side, and shows what they say one after the other.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{
        Mutex, PoisonError,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail};

use super::program::{Built, Program};
use crate::{context::Context, say, scratch};

/// Computes, in virtual time, and needs no guests: it begins first, and takes what the others leave.
const PATIENT: &str = "-p runner-simulated --test simulated";

/// What takes longest, longest first: begun last, it would end alone.
const LONG: [&str; 5] = [
    "-p runner-e2e --test engine",
    "-p runner-e2e --test plugins",
    "-p runner-e2e --test hosts",
    "-p runner-chaos --test hosts",
    "-p runner-chaos --test oracle",
];

/// How many at once besides the patient one, whose place another takes when it has ended.
const LANES: usize = 2;

/// How often the output of a running program is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// What all runs share.
struct Lanes<'a> {
    context: &'a Context,
    /// What the tests start.
    runner: PathBuf,
    threads: &'a str,
    /// Where their output is kept.
    outputs: PathBuf,
}

/// A program that was started, or could not be.
struct Running {
    choice: String,
    output: PathBuf,
    end: Receiver<Result<End>>,
}

struct End {
    status: ExitStatus,
    took: Duration,
}

/// Runs all of them, with `threads` tests of each at once; all but the patient one begin when `ready` is done. Errors name
/// those that failed, and how each is run again.
///
/// What they say is written to `out`, each whole, and kept in files.
pub(super) fn run(
    context: &Context,
    built: Built,
    threads: &str,
    out: &mut dyn Write,
    ready: impl FnOnce(&Path) -> Result<()> + Send,
) -> Result<()> {
    let outputs = context.logs().join("tests");
    scratch::remove(&outputs)?;
    fs::create_dir_all(&outputs).with_context(|| format!("failed to create {}", outputs.display()))?;
    let lanes = &Lanes { context, runner: built.runner, threads, outputs };
    let (patient, others): (Vec<_>, Vec<_>) = built.programs.into_iter().partition(|program| program.choice == PATIENT);
    let start = Instant::now();
    let ((started, running), (begun, patiently_running)) = (mpsc::channel(), mpsc::channel());
    let (ready_ones, queue) = mpsc::channel();
    let queue = &Mutex::new(queue);
    // Waits until they are ready, or never will be.
    let next = &|| queue.lock().unwrap_or_else(PoisonError::into_inner).recv().ok();
    let failed = thread::scope(|scope| {
        scope.spawn(move || {
            lanes.run_each(patient, true, &begun);
            lanes.run_each(std::iter::from_fn(next), false, &begun);
        });
        let others = scope.spawn(move || {
            ready(&lanes.runner).inspect_err(say::failure)?;
            in_order(others).into_iter().try_for_each(|program| ready_ones.send(program))?;
            drop(ready_ones);
            thread::scope(|scope| {
                for _ in 0..LANES {
                    scope.spawn(|| lanes.run_each(std::iter::from_fn(next), false, &started));
                }
            });
            anyhow::Ok(())
        });
        let mut failed = Vec::new();
        // The patient one's lane is shown last, as it ends late.
        for program in running.into_iter().chain(patiently_running) {
            match show(&program, out) {
                Ok(again) => failed.extend(again),
                Err(error) => failed.push(format!("cargo xtask test {}   # {error:#}", program.choice)),
            }
        }
        // What made the others impossible does not hide what failed before.
        if let Err(error) = others.join().map_err(|_| anyhow!("running the tests panicked")).flatten() {
            failed.push(format!("cargo xtask test   # {error:#}"));
        }
        failed
    });
    let took = say::duration(start.elapsed());
    if failed.is_empty() {
        say::line(&format!("tests: all passed in {took}; what they said is in {}", lanes.outputs.display()));
        return Ok(());
    }
    bail!("some tests failed in {took}; to run them again:\n  {}", failed.join("\n  "))
}

/// The long ones first.
fn in_order(mut programs: Vec<Program>) -> Vec<Program> {
    programs.sort_by_key(|program| LONG.iter().position(|long| *long == program.choice).unwrap_or(LONG.len()));
    programs
}

impl Lanes<'_> {
    fn run_each(&self, programs: impl IntoIterator<Item = Program>, patient: bool, started: &Sender<Running>) {
        for program in programs {
            let output = self.outputs.join(format!("{}.log", program.name()));
            let file = File::create(&output).with_context(|| format!("failed to write {}", output.display()));
            let (ended, end) = mpsc::channel();
            // They are shown until nobody tells of any: only a panic there could end that before.
            let _ = started.send(Running { choice: program.choice.clone(), output, end });
            let _ = ended.send(file.and_then(|file| self.run_one(&program, patient, file)));
        }
    }

    fn run_one(&self, program: &Program, patient: bool, output: File) -> Result<End> {
        let start = Instant::now();
        let mut command = program.command(self.context, patient);
        command.stdin(Stdio::null()).stderr(output.try_clone()?).stdout(output);
        command.env("RUST_TEST_THREADS", self.threads);
        // Whoever names another runner wants that one tested.
        if std::env::var_os("RUNNER_BIN").is_none() {
            command.env("RUNNER_BIN", &self.runner);
        }
        let status = command.status().with_context(|| format!("failed to start {}", program.choice))?;
        Ok(End { status, took: start.elapsed() })
    }
}

/// Shows what it says, as it says it, until its end. Where it failed: how it is run again.
fn show(program: &Running, out: &mut dyn Write) -> Result<Option<String>> {
    let choice = &program.choice;
    say::line(&format!("{choice} ..."));
    let mut said = File::open(&program.output).with_context(|| format!("failed to read {}", program.output.display()))?;
    let end = loop {
        match program.end.recv_timeout(LOOK) {
            Ok(end) => break end?,
            Err(RecvTimeoutError::Timeout) => drop(io::copy(&mut said, out)?),
            Err(RecvTimeoutError::Disconnected) => bail!("running {choice} panicked"),
        }
    };
    io::copy(&mut said, out)?;
    let took = say::duration(end.took);
    if end.status.success() {
        say::line(&format!("{choice}: passed in {took}"));
        return Ok(None);
    }
    say::line(&format!("{choice}: FAILED in {took} ({})", end.status));
    let names = failed_tests(&String::from_utf8_lossy(&fs::read(&program.output).unwrap_or_default()));
    Ok(Some(format!("cargo xtask test {choice}   # {}", names.join(", "))))
}

/// The names of libtest's failed tests.
fn failed_tests(output: &str) -> Vec<String> {
    let names = output.lines().filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"));
    names.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use serde_json::json;

    use super::*;
    use crate::scratch::Scratch;

    /// Runs programs that are shell scripts, by their choices, in a target folder of their own.
    fn run_scripts(
        name: &str,
        scripts: &[(&str, &str, &str)],
        ready: impl FnOnce() -> Result<()> + Send,
    ) -> (Result<()>, String) {
        let folder = Scratch::new(&std::env::temp_dir(), &format!("xtask-lanes-{name}-{}", std::process::id())).unwrap();
        let mut messages = vec![json!({ "reason": "build-finished", "success": true }).to_string()];
        let mut built = |package: &str, program: &str, test: bool, script: &str| {
            let file = folder.path().join(format!("{package}-{program}"));
            fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
            let message = json!({
                "package_id": format!("path+file:///x#{package}@0.1.0"), "manifest_path": folder.path().join("Cargo.toml"),
                "target": { "kind": ["test"], "name": program }, "profile": { "test": test }, "executable": file,
            });
            messages.push(message.to_string());
        };
        built("runner", "runner", false, "");
        scripts.iter().for_each(|(package, program, script)| built(package, program, true, script));
        let mut context = Context::load().unwrap();
        context.tools = folder.path().join("tools");
        let (built, mut out) = (Built::read(&messages.join("\n")).unwrap(), Vec::new());
        let ended = run(&context, built, "3", &mut out, |_| ready());
        (ended, String::from_utf8(out).unwrap())
    }

    #[test]
    fn whatever_fails_is_named_and_hides_nothing() {
        let scripts = [
            ("runner-simulated", "simulated", "sleep 0.3; echo 'test slow::one ... FAILED'; exit 101"),
            ("good", "tests", "echo $CARGO_PKG_NAME with $RUST_TEST_THREADS"),
            ("bad", "tests", "echo 'test deep::two ... FAILED'; echo 'test deep::three ... ok'; exit 101"),
            ("killed", "tests", "kill -9 $$"),
        ];
        let (ended, said) = run_scripts("fails", &scripts, || Ok(()));
        let error = ended.unwrap_err().to_string();
        assert!(said.contains("good with 3\n") && said.contains("deep::three ... ok"), "{said}");
        for named in ["simulated   # slow::one", "-p bad --test tests   # deep::two\n", "-p killed --test tests"] {
            assert!(error.contains(named), "{named}: {error}");
        }
        assert!(!error.contains("good"), "{error}");
    }

    #[test]
    fn guests_that_cannot_be_built_hide_no_failure_and_are_no_success() {
        let scripts = [("runner-simulated", "simulated", "exit 1"), ("good", "tests", "echo never")];
        let (ended, said) = run_scripts("guests", &scripts, || bail!("no zig"));
        let error = ended.unwrap_err().to_string();
        assert!(error.contains("no zig") && error.contains("simulated") && !said.contains("never"), "{error} {said}");
    }

    /// Both that are begun first wait for the third, which only the lane of the patient one can run.
    #[test]
    fn the_place_of_the_patient_one_is_taken() {
        let waits =
            r#"cd "$(dirname "$0")"; n=0; until [ -e third ]; do n=$((n + 1)); [ $n -lt 200 ] || exit 1; sleep 0.05; done"#;
        let scripts = [
            ("runner-simulated", "simulated", "sleep 0.3"),
            ("one", "tests", waits),
            ("two", "tests", waits),
            ("three", "tests", r#"cd "$(dirname "$0")"; : > third"#),
        ];
        run_scripts("place", &scripts, || Ok(())).0.unwrap();
    }

    #[test]
    fn all_that_pass_are_a_success() {
        let (ended, _) = run_scripts("passes", &[("good", "tests", ":"), ("runner-simulated", "simulated", ":")], || Ok(()));
        ended.unwrap();
    }
}
