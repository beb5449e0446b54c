//! Joins that end well, beside kubeadm's own.

use runner_harness::{Finished, guest};
use serde_json::Value;

use crate::{NEWEST, begun};

/// What a run found about other nodes that are not Ready: severity and member's answer.
fn not_ready(run: &Finished) -> Vec<(String, String)> {
    let found = run.events_of("finding").into_iter().filter(|event| event["code"] == "node-not-ready");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    found.map(|event| (text(&event["severity"]), text(&event["message"]))).collect()
}

/// The first by kubeadm, the second by runner, the third by kubeadm: neither is in the other's way. No network plugin, as is usual while a
/// control plane is made; then there is one.
#[tokio::test]
#[ignore = "cargo xtask node"]
async fn runner_and_kubeadm_join_nodes_of_one_cluster() {
    let plane = begun(NEWEST, 3).await;
    let run = plane.runner_join(1, &["--output", "json"]).await;
    let said = not_ready(&run);
    assert!(!said.is_empty(), "{}", run.stdout);
    assert!(
        said.iter().all(|(severity, message)| severity == "info" && message.contains("its etcd voter answers")),
        "{said:?}"
    );
    plane.assert_voters(&[0, 1]).await;
    plane.kubeadm_join(2).await;
    plane.assert_voters(&[0, 1, 2]).await;
    (0..3).for_each(|number| plane.give_cni(number));
    for name in ["n1", "n2", "n3"] {
        plane.nodes[0].kubectl(&["wait", "--for=condition=Ready", "--timeout=60s", &format!("node/{name}")]).await;
    }
    let status = plane.nodes[1].runner(&["status"]).await.expect_code(0);
    assert!(!status.stderr.contains("unfinished"), "{}", status.stderr);
}

/// The same node is joined by the one and by the other, three times each, and reset in between. With a network plugin: the others are Ready, and
/// nothing is said of them.
#[tokio::test]
#[ignore = "cargo xtask node"]
async fn three_times_by_each() {
    let plane = begun(NEWEST, 3).await;
    plane.runner_join(1, &[]).await;
    (0..3).for_each(|number| plane.give_cni(number));
    plane.nodes[0].kubectl(&["wait", "--for=condition=Ready", "--timeout=60s", "node/n1", "node/n2"]).await;
    // As kubeadm asks for: it takes no node that is still registered and Ready.
    let left = async || {
        plane.reset(2).await;
        plane.nodes[0].kubectl(&["delete", "node", "n3"]).await;
        plane.assert_voters(&[0, 1]).await;
    };
    for _ in 0..3 {
        plane.kubeadm_join(2).await;
        plane.assert_voters(&[0, 1, 2]).await;
        left().await;
        let run = plane.runner_join(2, &[]).await;
        assert!(!run.stderr.contains("node-not-ready"), "{}", run.stderr);
        plane.assert_voters(&[0, 1, 2]).await;
        left().await;
    }
}

/// The commands that `--print` gives, typed by a person.
#[tokio::test]
#[ignore = "cargo xtask node"]
async fn by_the_three_commands_that_are_printed() {
    let plane = begun(NEWEST, 2).await;
    plane.write_join_config(1);
    let node = &plane.nodes[1];
    let printed = node.runner(&["kubeadm-join", "--config=/etc/join.yaml", "--print", "--output=json"]).await.expect_code(0);
    let printed: Value = serde_json::from_str(&printed.stdout).expect("JSON");
    let commands = printed["commands"].as_array().expect("a list");
    assert_eq!(commands.len(), 3);
    for words in commands {
        let words: Vec<&str> = words.as_array().expect("words").iter().filter_map(Value::as_str).collect();
        let ended = match words[0] {
            "runner" => node.runner(&words[1..]).await,
            program => node.run(program, &words[1..]).await,
        };
        ended.expect_code(0);
    }
    plane.assert_voters(&[0, 1]).await;
}

/// One plugin for each question, in three languages, by a policy file.
#[tokio::test]
#[ignore = "cargo xtask node"]
async fn judged_by_plugins_of_three_languages() {
    let plane = begun(NEWEST, 2).await;
    let plugins = ["python-health-check-plugin", "js-caught-up", "run-summary"];
    let list: String = plugins.iter().map(|name| format!("  - source: {}\n", guest(name).display())).collect();
    let policy = format!(
        "apiVersion: runner.dev/v1alpha1\nkind: JoinPolicy\nmetadata:\n  name: three-languages\nspec:\n  plugins:\n{list}"
    );
    plane.nodes[1].write("/etc/runner/policy.yaml", &policy);
    let run = plane.runner_join(1, &["--plugins=/etc/runner/policy.yaml", "--output=json"]).await;
    let verdicts = run.events_of("plugin-verdict");
    for (name, verdict) in [(plugins[0], "pass"), (plugins[1], "approve"), (plugins[2], "told")] {
        let gave = |event: &Value| event["plugin"] == name && event["verdict"] == verdict;
        assert!(verdicts.iter().any(gave), "{name}: {verdicts:#?}");
    }
    plane.assert_voters(&[0, 1]).await;
}

async fn of_an_older_kubernetes(minor: &str) {
    let plane = begun(minor, 2).await;
    let run = plane.runner_join(1, &["--output", "json"]).await;
    let said = not_ready(&run);
    assert!(!said.is_empty() && said.iter().all(|(severity, _)| severity == "info"), "{}", run.stdout);
    plane.assert_voters(&[0, 1]).await;
    plane.reset(1).await;
    plane.assert_voters(&[0]).await;
}

#[tokio::test]
#[ignore = "cargo xtask node"]
async fn of_kubernetes_1_35() {
    of_an_older_kubernetes("1.35").await;
}

/// With etcd 3.5.
#[tokio::test]
#[ignore = "cargo xtask node"]
async fn of_kubernetes_1_33() {
    of_an_older_kubernetes("1.33").await;
}
