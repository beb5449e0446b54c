//! Every mistake in its own words, with its place.

use super::*;
use crate::config::policy::MAX_SIZE;

/// The error as a person sees it: the sentence, and a line for each hint.
fn said(text: impl AsRef<[u8]>) -> String {
    let mistake = read(text).expect_err("it is wrong");
    let hints: String = mistake.hints.iter().map(|hint| format!("\nhint: {hint}")).collect();
    format!("{mistake}{hints}")
}

fn plugin(keys: &str) -> String {
    spec(&format!("  plugins:\n  - source: a.wasm\n  - source: b.wasm\n    {keys}\n"))
}

macro_rules! says {
    ($text:expr, @$snapshot:literal) => { insta::assert_snapshot!(said($text), @$snapshot) };
}

#[test]
fn unknown_keys_and_the_nearest() {
    says!(plugin("setings: {}"), @"");
    says!(plugin("failure_policy: Fail"), @"");
    says!(plugin("banana: 1"), @"");
    says!(plugin("grants: {htpp: []}"), @"");
    says!(plugin("grants: {http: [{hosts: [a], method: [GET]}]}"), @"");
    says!(plugin("limits: {memry: 1Mi}"), @"");
    says!(plugin("grants: {secrets: {hook: {fille: a}}}"), @"");
    says!(spec("  plugin: []\n"), @"");
    says!(spec("  timeouts: {learner: 5m}\n"), @"");
    says!(HEAD.replace("spec:", "labels: {}\nspec: {}"), @"");
}

#[test]
fn wrong_values() {
    says!(plugin("mode: monitor"), @"");
    says!(plugin("failurePolicy: Retry"), @"");
    says!(plugin("order: first"), @"");
    says!(plugin("settings: [1]"), @"");
    says!(plugin("grants:"), @"");
    says!(plugin("grants: {random: yes}"), @"");
    says!(plugin("grants: {http: {}}"), @"");
    says!(plugin("grants: {http: [{hosts: [a], ports: [99999]}]}"), @"");
    says!(plugin("grants: {http: [{hosts: [a], privateNetworks: [10.0.0.0/99]}]}"), @"");
    says!(plugin("limits: {cpu: 5}"), @"");
    says!(plugin("limits: {cpu: fast}"), @"");
    says!(plugin("limits: {memory: 128MB}"), @"");
    says!(plugin("limits: {memory: -1}"), @"");
    says!(plugin("limits: {memory: 0}"), @"");
    says!(plugin("digest: sha256:123"), @"");
    says!(plugin("name: a b"), @"");
    says!(plugin("name: 7"), @"");
    says!(plugin("waivers: [{code: x, reason: ' '}]"), @"");
    says!(plugin("waivers: [{code: x}]"), @"");
    says!(plugin("waivers: [{code: x, reason: r, until: tomorrow}]"), @"");
    says!(spec("  gate: {maxLag: -1}\n"), @"");
    says!(spec("  gate: {interval: 1ms}\n"), @"");
    says!(spec("  timeouts: {add: 0s}\n"), @"");
    says!(spec("  onApprovalTimeout: Promote\n"), @"");
    says!(spec("  plugins: {source: a.wasm}\n"), @"");
    says!(spec("  plugins: [{name: a}]\n"), @"");
    says!(spec("  plugins: [{source: 'https://example.com/a.wasm'}]\n"), @"");
    says!(spec("  plugins: [a.wasm]\n"), @"");
    says!(spec("  plugins: [{source: a.wasm, name: p}, {source: b.wasm, name: p}]\n"), @"");
    says!(HEAD, @"");
    says!(HEAD.replace("  name: prod\n", "  nmae: prod\n"), @"");
}

#[test]
fn documents() {
    says!("", @"");
    says!("# only a comment\n", @"");
    says!("hello\n", @"");
    says!("- a\n- b\n", @"");
    says!("kind: JoinPolicy\n", @"");
    says!("apiVersion: v1\nmetadata: {}\n", @"");
    says!("apiVersion: v1\nkind: ConfigMap\n---\napiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n", @"");
    says!(format!("{HEAD}  plugins: []\n---\n{HEAD}  plugins: []\n"), @"");
    says!(HEAD.replace("v1alpha1", "v1"), @"");
    says!(HEAD.replace("JoinPolicy", "JoinPolcy"), @"");
    says!(HEAD.replace("runner.dev", "runner.io"), @"");
}

#[test]
fn texts_that_are_no_yaml() {
    says!(spec("\tplugins: []\n"), @"");
    says!(spec("  plugins:\n\t- source: a\n"), @"");
    says!(spec("  plugins: [\n"), @"");
    says!(spec("  gate: {maxLag: 1}\n  gate: {maxLag: 2}\n"), @"");
    says!(plugin("source: c.wasm"), @"");
    says!(spec("  plugins: *nobody\n"), @"");
    says!(spec("  name: 'open\n"), @"");
    says!([HEAD.as_bytes(), b"  plugins: \xff\xfe\n"].concat(), @"");
    says!(b"\xff\xfea\0p\0i\0", @"");
}

#[test]
fn too_much() {
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (name, before) in ('b'..='j').zip('a'..) {
        let uses = vec![format!("*{before}"); 9].join(", ");
        bomb.push_str(&format!("{name}: &{name} [{uses}]\n"));
    }
    says!(bomb, @"");
    says!(spec(&format!("  plugins: {}{}\n", "[".repeat(100), "]".repeat(100))), @"");
    says!(spec(&format!("  plugins: [{}]\n", "1,".repeat(60_000))), @"");
    says!(vec![b'#'; MAX_SIZE as usize + 1], @"");
    says!("--- {}\n".repeat(200), @"");
}

#[test]
fn files_that_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let said = |path: &Path| {
        let text = PolicyFile::read(path).unwrap_err().to_string();
        text.replace(&folder.path().display().to_string(), "FOLDER")
    };
    insta::assert_snapshot!(said(folder.path()), @"");
    insta::assert_snapshot!(said(&folder.path().join("gone.yaml")), @"");
    insta::assert_snapshot!(said(Path::new("/dev/zero")), @"");
}
