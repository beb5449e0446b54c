//! Tests that change what a process has once: signal handlers, for example.

use std::process::{Command, Stdio};

/// Set in the process that is the test's own.
const ALONE: &str = "RUNNER_TEST_IN_ITS_OWN_PROCESS";

/// Whether the calling test has a process to itself. Where it has not, the same test is run to its end in one of its own; then the
/// answer is no, and there is nothing more to do.
///
/// Call it first in a test: `if !in_a_process_of_its_own() { return }`. It is for the test's own thread, by whose name the test is
/// run again. Panics where the test fails there.
pub fn in_a_process_of_its_own() -> bool {
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let thread = std::thread::current();
    let test = thread.name().filter(|name| *name != "main").expect("the test's own thread, named after the test");
    let mut command = Command::new(std::env::current_exe().expect("a test program"));
    let ended = command.args(["--exact", test]).env(ALONE, "1").stdin(Stdio::null()).output().expect("it can be started");
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success() && said.contains("1 passed"), "{said}");
    false
}
