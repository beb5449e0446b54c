//! The example's program end to end, with real etcd: its name, its profile, the plugin inside of it.

use std::path::{Path, PathBuf};
use std::process::Command;

use runner_harness::{Finished, Node, SOON, Spawned, Stage, Tls, guest, newest, runner_bin};

/// The example's program, which cargo has built for this test.
fn acme() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_acme-join"))
}

/// The node's command as it is, of another program.
fn of(program: &Path, command: &Command) -> Command {
    let mut same = Command::new(program);
    same.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => same.env(name, value),
            None => same.env_remove(name),
        };
    }
    same
}

fn join(stage: &Stage, node: &Node) -> Command {
    of(&acme(), &node.join(&stage.cluster.endpoints()))
}

async fn done(command: Command, code: i32) -> Finished {
    Spawned::start(command).finish(SOON).await.expect_code(code)
}

fn go_on(stage: &Stage, program: &Path, subcommand: &str) -> Command {
    let mut command = of(program, &stage.node.command(subcommand));
    command.args(["--output", "json"]);
    command
}

#[tokio::test]
async fn it_has_its_own_name_and_profile() {
    let plain = |args: &[&str]| {
        let mut command = Command::new(acme());
        command.args(args).env_remove("RUNNER_PROFILE");
        command
    };
    assert_eq!(done(plain(&["--version"]), 0).await.stdout, "acme-join 1.2.0\n");
    let help = done(plain(&["--help"]), 0).await.stdout;
    assert!(help.contains("Usage: acme-join "), "{help}");
    let help = done(plain(&["join", "--help"]), 0).await.stdout;
    assert!(help.contains("Usage: acme-join join "), "{help}");
    assert!(help.contains("/var/lib/acme/etcd]") && help.contains("[default: 20]"), "the profile's defaults: {help}");
    let shown = done(plain(&["profile", "show"]), 0).await.stdout;
    assert!(shown.starts_with("acme 1.2.0 (the profile in acme-join 1.2.0)\n"), "{shown}");
    assert!(shown.lines().any(|l| l.starts_with("paths.data ") && l.contains("/var/lib/acme/etcd")), "{shown}");
    assert!(shown.lines().any(|l| l.starts_with("ports.peer ") && l.ends_with("built in")), "{shown}");
    assert!(shown.contains("version-window sha256:"), "{shown}");
    let other = done(plain(&["profile", "show", "--profile", "/etc/other.toml"]), 2).await.stderr;
    assert!(other.contains("acme-join 1.2.0 has a profile of its own, which stays"), "{other}");
    let empty = done(plain(&["resume", "--state-dir", "/nonexistent"]), 2).await.stderr;
    assert!(empty.contains("hint: `acme-join join` starts one"), "{empty}");
}

#[tokio::test]
async fn its_plugin_is_asked_and_a_policy_that_loosens_is_refused() {
    let stage = Stage::set(1, &newest(), Tls::On).await;
    let text = format!(
        "apiVersion: runner.dev/v1alpha1\nkind: JoinPolicy\nmetadata: {{name: loose}}\nspec:\n  gate: {{maxLag: 5000}}\n  plugins:\n  \
         - source: {}\n",
        guest("steady-sync").display()
    );
    let policy = stage.cluster.scratch.write("loose.yaml", text);
    let mut loose = join(&stage, &stage.node);
    loose.arg("--plugins").arg(&policy);
    let refused = done(loose, 2).await.stderr;
    assert!(refused.contains("loose.yaml:5:") && refused.contains("the profile acme 1.2.0"), "{refused}");
    stage.assert_baseline().await;

    let joined = done(join(&stage, &stage.node), 0).await;
    stage.assert_joined().await;
    let verdicts = joined.events_of("plugin-verdict");
    assert!(verdicts.iter().any(|e| e["plugin"] == "version-window" && e["verdict"] == "pass"), "{verdicts:#?}");
}

#[tokio::test]
async fn a_run_goes_on_with_the_program_that_began_it_only() {
    let stage = Stage::set(1, &newest(), Tls::On).await;
    let mut runner = Spawned::start(join(&stage, &stage.node));
    runner.event("step-finished", "add-learner", SOON).await;
    runner.kill();
    let other = done(go_on(&stage, &runner_bin(), "resume"), 2).await.stderr;
    assert!(other.contains("the plugin version-window of this run (sha256:"), "{other}");
    assert!(
        other.contains("is not built into runner ") && other.contains("go on with the program that began the run"),
        "{other}"
    );
    done(go_on(&stage, &acme(), "resume"), 0).await;
    stage.assert_joined().await;
}

#[tokio::test]
async fn any_runner_undoes_the_run() {
    let stage = Stage::set(1, &newest(), Tls::On).await;
    let mut runner = Spawned::start(join(&stage, &stage.node));
    runner.event("step-finished", "add-learner", SOON).await;
    runner.kill();
    let back = done(go_on(&stage, &runner_bin(), "rollback"), 0).await;
    assert!(back.stderr.contains("it is not told of the undo"), "{}", back.stderr);
    stage.assert_baseline().await;
}
