//! The built program itself, as far as it needs nothing outside. An integration test of this package is also what has cargo build the
//! program with the features of the tests (`tests/xtask/src/guests/examples.rs`).

use std::process::Command;

#[test]
fn it_says_its_version() {
    let said = Command::new(env!("CARGO_BIN_EXE_runner")).arg("--version").output().expect("it was built for this test");
    assert!(said.status.success());
    let text = String::from_utf8(said.stdout).expect("text");
    assert_eq!(text.trim(), format!("runner {}", env!("CARGO_PKG_VERSION")));
}
