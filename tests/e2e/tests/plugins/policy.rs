//! Joins judged by a policy file: one plugin that is obeyed, one that is only watched, a waived finding; and policies that cannot
//! be used, or refuse.

use std::path::{Path, PathBuf};
use std::process::Command;

use runner_harness::{Finished, SOON, Spawned, Stage, Tls, guest, newest, runner_bin};
use serde_json::Value;

/// A policy with these two plugins and more in its spec. `waived` is what its waiver of the version window's finding says beyond
/// the code, `pin` the digest of the version window.
fn policy(stage: &Stage, waived: &str, pin: Option<&str>, more: &str) -> PathBuf {
    let (window, steady) = (guest("version-window"), guest("steady-sync"));
    let digest = pin.map(|digest| format!("    digest: {digest}\n")).unwrap_or_default();
    let text = format!(
        "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n---\n\
         apiVersion: runner.dev/v1alpha1\nkind: JoinPolicy\nmetadata:\n  name: e2e\nspec:\n{more}\
         \x20 plugins:\n\
         \x20 - source: {steady}\n    mode: Monitor\n    order: 2\n\
         \x20   settings: {{samples: 600, forMs: 100, rejectAfterMs: 200}}\n\
         \x20 - name: window\n    source: {window}\n{digest}    order: 1\n    limits: {{cpu: 2s, wall: 20s}}\n\
         \x20   settings: {{minimum: 9.9.9}}\n\
         \x20   waivers:\n    - {{code: version-too-old, {waived}}}\n",
        steady = steady.display(),
        window = window.display(),
    );
    stage.cluster.scratch.write("policy.yaml", text)
}

async fn joined_by(stage: &Stage, policy: &Path) -> Finished {
    stage.joined_with(&["--plugins", &policy.display().to_string()]).await
}

/// `runner policy check`, as JSON.
async fn checked(policy: &Path) -> Finished {
    let mut command = Command::new(runner_bin());
    command.args(["policy", "check", "--output", "json"]).arg(policy);
    Spawned::start(command).finish(SOON).await
}

fn find<'a>(events: &'a [Value], key: &str, value: &str) -> &'a Value {
    events.iter().find(|event| event[key] == value).unwrap_or_else(|| panic!("no {key} {value} in {events:#?}"))
}

#[tokio::test]
async fn a_watched_refusal_and_a_waived_finding_do_not_stop_a_join() {
    let stage = Stage::set(1, &newest(), Tls::On).await;
    let reason = "reason: the upgrade is under way";
    let unpinned = checked(&policy(&stage, reason, None, "")).await.expect_code(0);
    let told: Value = serde_json::from_str(&unpinned.stdout).expect("a JSON document");
    assert_eq!(told["passedOver"][0], "ClusterConfiguration (line 1)");
    assert_eq!(told["plugins"][0]["name"], "window", "in the order of reports: {told:#}");
    let digest = told["plugins"][0]["digest"].as_str().expect("a digest");

    let policy = policy(&stage, reason, Some(digest), "  gate: {maxLag: 40}\n");
    let joined = joined_by(&stage, &policy).await.expect_code(0);
    stage.assert_joined().await;
    let findings = joined.events_of("finding");
    assert!(find(&findings, "code", "policy")["message"].as_str().is_some_and(|m| m.contains("the policy e2e")));
    let old = find(&findings, "code", "version-too-old");
    assert_eq!((&old["severity"], &old["source"]), (&"error".into(), &"window".into()));
    assert_eq!(old["waived"], "the upgrade is under way");
    let verdicts = joined.events_of("plugin-verdict");
    assert_eq!(find(&verdicts, "plugin", "window")["verdict"], "pass");
    let watched = find(&verdicts, "plugin", "steady-sync");
    assert_eq!((&watched["verdict"], &watched["would"]), (&"monitored".into(), &"reject".into()), "{watched:#}");
    let record = &stage.node.records()[0];
    assert_eq!(record["plugins"]["steady-sync"]["verdicts"][0]["would"], "reject", "{record:#}");
}

#[tokio::test]
async fn a_policy_that_refuses() {
    let stage = Stage::set(1, &newest(), Tls::On).await;
    let expired = policy(&stage, "until: 2020-01-01, reason: it was meant to be short", None, "");
    let refused = joined_by(&stage, &expired).await.expect_code(11);
    let findings = refused.events_of("finding");
    let said = find(&findings, "code", "waiver-expired")["message"].as_str().expect("a sentence");
    assert!(said.contains("it was meant to be short") && said.contains("2020-01-02T00:00:00Z"), "{said}");
    stage.assert_baseline().await;
}

#[tokio::test]
async fn a_policy_that_cannot_be_used() {
    let stage = Stage::set(1, &newest(), Tls::On).await;
    let other = format!("sha256:{}", "0".repeat(64));
    let reason = "reason: r";
    let pinned = policy(&stage, reason, Some(&other), "");
    let refused = joined_by(&stage, &pinned).await.expect_code(2);
    let end = &refused.events_of("run-finished")[0];
    assert!(
        end["message"].as_str().is_some_and(|m| m.starts_with("plugin `window` is not the component that the policy pins")),
        "{end:#}"
    );
    let told = checked(&pinned).await.expect_code(2);
    assert!(
        told.stderr.starts_with("error: plugin `window` is not the component that the policy pins: "),
        "{}",
        told.stderr
    );

    let misspelt = policy(&stage, reason, None, "  timeout: {approval: 1m}\n");
    for refused in [joined_by(&stage, &misspelt).await, checked(&misspelt).await] {
        let stderr = refused.expect_code(2).stderr;
        assert!(stderr.contains("policy.yaml:9:3: spec.timeout: there is no key `timeout` here"), "{stderr}");
        assert!(stderr.contains("hint: did you mean `timeouts`?"), "{stderr}");
    }
    stage.assert_baseline().await;
}

#[tokio::test]
async fn a_learner_that_nobody_approves_is_left_and_rolled_back() {
    let stage = Stage::set(1, &newest(), Tls::On).await;
    let text = format!(
        "apiVersion: runner.dev/v1alpha1\nkind: JoinPolicy\nmetadata: {{name: leave}}\nspec:\n  timeouts: {{approval: 0s}}\n  \
         onApprovalTimeout: Leave\n  plugins:\n  - source: {}\n    settings: {{samples: 600, forMs: 600000}}\n",
        guest("steady-sync").display()
    );
    let policy = stage.cluster.scratch.write("leave.yaml", text);
    let stuck = joined_by(&stage, &policy).await.expect_code(16);
    let end = &stuck.events_of("run-finished")[0];
    assert!(end["message"].as_str().is_some_and(|m| m.ends_with("; the learner stays, without a vote")), "{end:#}");
    assert!(stage.list().await.contains(&(stage.node.peer_url(), true)), "the learner is still there");
    stage.node.rollback().finish(SOON).await.expect_code(0);
    stage.assert_baseline().await;
}
