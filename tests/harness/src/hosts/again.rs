//! Tests of networks by somebody who is not root: again, as the root of a user namespace.

use std::process::{Command, Stdio};

use crate::own_process::this_test;

/// Set in the second run, so that there is no third.
const AGAIN: &str = "RUNNER_TEST_AS_ROOT_OF_A_USER_NAMESPACE";

const HOW: &str = "run the tests as root, or let everybody make user namespaces: `sysctl -w user.max_user_namespaces=10000`, on \
     Debian also `kernel.unprivileged_userns_clone=1`, on Ubuntu also `kernel.apparmor_restrict_unprivileged_userns=0`";

/// Whether the calling test may make networks. Where it may not, the same test is run to its end as the root of a new user
/// namespace, where it may; then the answer is no, and there is nothing more to do.
///
/// Call it first in a test: `if !in_a_network_of_its_own() { return }`. It is for the test's own thread, by whose name the test is
/// run again. Panics where that is not possible, with what makes it possible, and where the test fails there.
pub fn in_a_network_of_its_own() -> bool {
    let quiet = |command: &mut Command| command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    if quiet(Command::new("unshare").args(["--net", "true"])).is_ok_and(|status| status.success()) {
        return true;
    }
    assert!(std::env::var_os(AGAIN).is_none(), "not even the root of a user namespace may make a network here: {HOW}");
    let possible = quiet(Command::new("unshare").args(["--user", "--map-root-user", "--net", "true"]));
    assert!(possible.is_ok_and(|status| status.success()), "this user may not make network namespaces: {HOW}");
    let test = this_test();
    let program = std::env::current_exe().expect("a test program");
    let status = Command::new("unshare")
        .args(["--user", "--map-root-user", "--"])
        .arg(program)
        .args(["--exact", &test, "--nocapture"])
        .env(AGAIN, "1")
        .status()
        .expect("unshare ran just now");
    assert!(status.success(), "{test} failed as the root of a user namespace");
    false
}
