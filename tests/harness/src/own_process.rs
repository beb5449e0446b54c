//! Tests that want a process of their own: for signal handlers, or for an environment.

use std::process::{Command, Stdio};

/// Set in the process that is the test's own.
const ALONE: &str = "RUNNER_TEST_IN_ITS_OWN_PROCESS";

/// Whether the calling test has a process to itself, with these variables. Where it has not, the same test is run to its end in one of
/// its own; then the answer is no, and there is nothing more to do.
///
/// Call it first in a test: `if !in_a_process_of_its_own(&[]) { return }`. It is for the test's own thread, by whose name the test is
/// run again. Panics where the test fails there.
pub fn in_a_process_of_its_own(variables: &[(&str, &str)]) -> bool {
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let mut command = Command::new(std::env::current_exe().expect("a test program"));
    command.args(["--exact", &this_test()]).envs(variables.iter().copied()).env(ALONE, "1");
    let ended = command.stdin(Stdio::null()).output().expect("it can be started");
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success() && said.contains("1 passed"), "{said}");
    false
}

/// The calling test's name, as `--exact` takes it. It is for the test's own thread, which bears that name.
pub(crate) fn this_test() -> String {
    let thread = std::thread::current();
    thread.name().filter(|name| *name != "main").expect("the test's own thread, named after the test").to_owned()
}
