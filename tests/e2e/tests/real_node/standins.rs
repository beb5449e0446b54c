//! The stand-ins of the other tests, held against the real thing.

use std::process::Stdio;

use runner_harness::cargo;

use crate::{NEWEST, begun};

/// The stand-in API server and the real one are asked the same.
#[tokio::test]
#[ignore = "cargo xtask node"]
async fn the_api_server_answers_as_the_stand_in_does() {
    let plane = begun(NEWEST, 1).await;
    // Its name is known on the nodes only; its address is in its certificate too.
    let kubeconfig = plane.nodes[0].read("/etc/kubernetes/admin.conf");
    let server = format!("https://{}:6443", plane.nodes[0].address());
    let named = kubeconfig.lines().find_map(|line| line.trim().strip_prefix("server: ")).expect("a server");
    let kubeconfig = plane.scratch().write("admin.conf", kubeconfig.replace(named, &server));
    let mut suite = cargo();
    suite.args(["test", "--package", "runner-e2e", "--test", "kubernetes_api"]);
    let ended = suite.env("RUNNER_TEST_KUBECONFIG", kubeconfig).stdin(Stdio::null()).status().expect("cargo runs");
    assert!(ended.success(), "the real one answers otherwise; see above");
}
