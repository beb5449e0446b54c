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
    says!(plugin("setings: {}"), @r"
    policy.yaml:9:5: spec.plugins[1].setings: there is no key `setings` here
    hint: did you mean `settings`? there are name, source, digest, settings, grants, limits, failurePolicy, mode, order, waivers
    ");
    says!(plugin("failure_policy: Fail"), @r"
    policy.yaml:9:5: spec.plugins[1].failure_policy: there is no key `failure_policy` here
    hint: did you mean `failurePolicy`? there are name, source, digest, settings, grants, limits, failurePolicy, mode, order, waivers
    ");
    says!(plugin("banana: 1"), @r"
    policy.yaml:9:5: spec.plugins[1].banana: there is no key `banana` here
    hint: there are name, source, digest, settings, grants, limits, failurePolicy, mode, order, waivers
    ");
    says!(plugin("grants: {htpp: []}"), @r"
    policy.yaml:9:14: spec.plugins[1].grants.htpp: there is no key `htpp` here
    hint: did you mean `http`? there are random, http, kubernetes, probes, etcd, secrets
    ");
    says!(plugin("grants: {http: [{hosts: [a], method: [GET]}]}"), @r"
    policy.yaml:9:34: spec.plugins[1].grants.http[0].method: there is no key `method` here
    hint: did you mean `methods`? there are hosts, methods, ports, plain, privateNetworks, caFile
    ");
    says!(plugin("limits: {memry: 1Mi}"), @r"
    policy.yaml:9:14: spec.plugins[1].limits.memry: there is no key `memry` here
    hint: did you mean `memory`? there are cpu, wall, memory, bytes
    ");
    says!(plugin("grants: {secrets: {hook: {fille: a}}}"), @r"
    policy.yaml:9:30: spec.plugins[1].grants.secrets.hook: `fille` is not one of the values that can stand here
    hint: did you mean `file`? there are file, env, kubernetes
    ");
    says!(spec("  plugin: []\n"), @r"
    policy.yaml:6:3: spec.plugin: there is no key `plugin` here
    hint: did you mean `plugins`? there are plugins, gate, timeouts, onApprovalTimeout, staleLearner, silentLearner
    ");
    says!(spec("  timeouts: {learner: 5m}\n"), @r"
    policy.yaml:6:14: spec.timeouts.learner: there is no key `learner` here
    hint: did you mean `learnerSlot`? there are discover, lock, learnerSlot, add, start, stall, approval, promote, verify, announce, undo
    ");
    says!(HEAD.replace("spec:", "labels: {}\nspec: {}"), @r"
    policy.yaml:5:1: labels: there is no key `labels` here
    hint: there are apiVersion, kind, metadata, spec
    ");
}

#[test]
fn wrong_values() {
    says!(plugin("mode: monitor"), @r"
    policy.yaml:9:11: spec.plugins[1].mode: `monitor` is not one of the values that can stand here
    hint: did you mean `Monitor`? there are Enforce, Monitor
    ");
    says!(plugin("failurePolicy: Retry"), @r"
    policy.yaml:9:20: spec.plugins[1].failurePolicy: `Retry` is not one of the values that can stand here
    hint: there are Fail, Ignore
    ");
    says!(plugin("order: first"), @r#"policy.yaml:9:12: spec.plugins[1].order: a whole number is expected here, not the text "first""#);
    says!(plugin("settings: [1]"), @"policy.yaml:9:15: spec.plugins[1].settings: a mapping is expected here, not a list");
    says!(plugin("grants:"), @"policy.yaml:9:11: spec.plugins[1].grants: a mapping is expected here, not nothing");
    says!(plugin("grants: {random: yes}"), @r#"policy.yaml:9:22: spec.plugins[1].grants.random: true or false is expected here, not the text "yes""#);
    says!(plugin("grants: {http: {}}"), @"policy.yaml:9:20: spec.plugins[1].grants.http: a list is expected here, not a mapping");
    says!(plugin("grants: {http: [{hosts: [a], ports: [99999]}]}"), @"policy.yaml:9:42: spec.plugins[1].grants.http[0].ports[0]: a whole number from 0 to 65535 is expected here, not `99999`");
    says!(plugin("grants: {http: [{hosts: [a], privateNetworks: [10.0.0.0/99]}]}"), @"policy.yaml:9:52: spec.plugins[1].grants.http[0].privateNetworks[0]: invalid IP address syntax");
    says!(plugin("limits: {cpu: 5}"), @r"
    policy.yaml:9:19: spec.plugins[1].limits.cpu: a string is expected here, not `5`
    hint: put it in quotes
    ");
    says!(plugin("limits: [1s]"), @"policy.yaml:9:13: spec.plugins[1].limits: a mapping is expected here, not a list");
    says!(plugin("limits: {cpu: fast}"), @r#"policy.yaml:9:19: spec.plugins[1].limits.cpu: "fast" is not a time; write a time as `500ms`, `90s` or `1h30m`"#);
    says!(plugin("limits: {memory: 128MB}"), @r#"policy.yaml:9:22: spec.plugins[1].limits.memory: "128MB" is not an amount of bytes; write it as `128Mi`, `64Ki` or a number"#);
    says!(plugin("limits: {memory: -1}"), @"policy.yaml:9:22: spec.plugins[1].limits.memory: an amount of bytes, as `128Mi` or a number, is expected here, not `-1`");
    says!(plugin("limits: {memory: 0}"), @"policy.yaml:9:13: spec.plugins[1].limits: with a limit of nothing it cannot be asked");
    says!(plugin("digest: sha256:123"), @r#"policy.yaml:9:13: spec.plugins[1].digest: "sha256:123" is not a digest: it is `sha256:` and 64 hexadecimal digits"#);
    says!(plugin("name: a b"), @r#"policy.yaml:9:11: spec.plugins[1].name: "a b" is not a name: use letters, digits, `-`, `_` and `.`, at most 80 of them"#);
    says!(plugin("name: 7"), @r"
    policy.yaml:9:11: spec.plugins[1].name: a string is expected here, not `7`
    hint: put it in quotes
    ");
    says!(plugin("waivers: [{code: x, reason: ' '}]"), @"policy.yaml:9:33: spec.plugins[1].waivers[0].reason: a reason is missing: it is what the report shows beside the finding");
    says!(plugin("waivers: [{code: x}]"), @"policy.yaml:9:15: spec.plugins[1].waivers[0]: `reason` is missing");
    says!(plugin("waivers: [{code: x, reason: r, until: tomorrow}]"), @r#"policy.yaml:9:43: spec.plugins[1].waivers[0].until: "tomorrow" is neither a day nor a moment: write `2026-12-31` or `2026-12-31T18:00:00Z`"#);
    says!(spec("  gate: {maxLag: -1}\n"), @"policy.yaml:6:18: spec.gate.maxLag: a whole number, not negative is expected here, not `-1`");
    says!(spec("  gate: {interval: 1ms}\n"), @"policy.yaml:6:20: spec.gate.interval: 10ms is the least: each sample is two requests to the cluster");
    says!(spec("  timeouts: {add: 0s}\n"), @"policy.yaml:6:19: spec.timeouts.add: without any time it cannot be done");
    says!(spec("  onApprovalTimeout: Promote\n"), @r"
    policy.yaml:6:22: spec.onApprovalTimeout: `Promote` is not one of the values that can stand here
    hint: there are Undo, Leave
    ");
    says!(spec("  plugins: {source: a.wasm}\n"), @"policy.yaml:6:12: spec.plugins: a list is expected here, not a mapping");
    says!(spec("  plugins: [{name: a}]\n"), @"policy.yaml:6:13: spec.plugins[0]: `source` is missing");
    says!(spec("  plugins: [{source: 'https://example.com/a.wasm'}]\n"), @"policy.yaml:6:22: spec.plugins[0].source: `https://` is not a source: use a path, or `oci://registry/repository:tag`");
    says!(spec("  plugins: [a.wasm]\n"), @r#"policy.yaml:6:13: spec.plugins[0]: a mapping is expected here, not the text "a.wasm""#);
    says!(spec("  plugins: [{source: a.wasm, name: p}, {source: b.wasm, name: p}]\n"), @r"
    policy.yaml:6:63: spec.plugins[1].name: p is the name of spec.plugins[0] already
    hint: the name is how verdicts and flags refer to it: give each plugin its own
    ");
    says!(HEAD, @"policy.yaml:5:5: spec: a mapping is expected here, not nothing");
    says!(HEAD.replace("  name: prod\n", "  nmae: prod\n"), @r"
    policy.yaml:4:3: metadata.nmae: there is no key `nmae` here
    hint: did you mean `name`? there are name
    ");
}

#[test]
fn documents() {
    says!("", @r"
    policy.yaml: holds nothing
    hint: a policy begins with `apiVersion: runner.dev/v1alpha1` and `kind: JoinPolicy`
    ");
    says!("# only a comment\n", @r"
    policy.yaml: holds nothing
    hint: a policy begins with `apiVersion: runner.dev/v1alpha1` and `kind: JoinPolicy`
    ");
    says!("hello\n", @r"
    policy.yaml:1:1: this document is not a mapping
    hint: a policy begins with `apiVersion: runner.dev/v1alpha1` and `kind: JoinPolicy`
    ");
    says!("- a\n- b\n", @r"
    policy.yaml:1:1: this document is not a mapping
    hint: a policy begins with `apiVersion: runner.dev/v1alpha1` and `kind: JoinPolicy`
    ");
    says!("kind: JoinPolicy\n", @r"
    policy.yaml:1:1: this document has no `apiVersion`
    hint: a policy begins with `apiVersion: runner.dev/v1alpha1` and `kind: JoinPolicy`
    ");
    says!("apiVersion: v1\nmetadata: {}\n", @r"
    policy.yaml:1:1: this document has no `kind`
    hint: a policy begins with `apiVersion: runner.dev/v1alpha1` and `kind: JoinPolicy`
    ");
    says!("apiVersion: v1\nkind: ConfigMap\n---\napiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n", @r"
    policy.yaml: has no JoinPolicy in it, only ConfigMap, InitConfiguration
    hint: a policy begins with `apiVersion: runner.dev/v1alpha1` and `kind: JoinPolicy`
    ");
    says!(format!("{HEAD}  plugins: []\n---\n{HEAD}  plugins: []\n"), @r"
    policy.yaml:8:1: a second JoinPolicy; the first begins in line 1
    hint: one file holds one policy: put the plugins of both into one list
    ");
    says!(HEAD.replace("v1alpha1", "v1"), @r"
    policy.yaml:1:13: this runner does not know `runner.dev/v1`
    hint: it knows `runner.dev/v1alpha1`
    ");
    says!(HEAD.replace("JoinPolicy", "JoinPolcy"), @r"
    policy.yaml:2:7: there is no kind `JoinPolcy`
    hint: did you mean `JoinPolicy`?
    ");
    says!(HEAD.replace("runner.dev", "runner.io"), @r"
    policy.yaml:1:13: a JoinPolicy of `runner.io/v1alpha1` is not runner's
    hint: did you mean `runner.dev/v1alpha1`?
    ");
}

#[test]
fn texts_that_are_no_yaml() {
    says!(spec("\tplugins: []\n"), @r"
    policy.yaml:6:2: not valid YAML: tabs disallowed within this context (block indentation)
    hint: YAML does not take tabs for indentation: use spaces
    ");
    says!(spec("  plugins:\n\t- source: a\n"), @r"
    policy.yaml:7:2: not valid YAML: tabs disallowed within this context (block indentation)
    hint: YAML does not take tabs for indentation: use spaces
    ");
    says!(spec("  plugins: [\n"), @"policy.yaml:7:1: not valid YAML: while parsing a node, did not find expected node content");
    says!(spec("  gate: {maxLag: 1}\n  gate: {maxLag: 2}\n"), @"policy.yaml:7:3: the key `gate` stands here twice");
    says!(plugin("source: c.wasm"), @"policy.yaml:9:5: the key `source` stands here twice");
    says!(spec("  plugins: *nobody\n"), @"policy.yaml:6:12: not valid YAML: while parsing node, found unknown anchor");
    says!(spec("  name: 'open\n"), @"policy.yaml:6:9: not valid YAML: while scanning a quoted scalar, found unexpected end of stream");
    says!([HEAD.as_bytes(), b"  plugins: \xff\xfe\n"].concat(), @r"
    policy.yaml:6:12: is not text in UTF-8
    hint: save it as UTF-8
    ");
    says!(b"\xff\xfea\0p\0i\0", @r"
    policy.yaml:1:1: is not text in UTF-8
    hint: save it as UTF-8
    ");
}

#[test]
fn too_much() {
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (name, before) in ('b'..='j').zip('a'..) {
        let uses = vec![format!("*{before}"); 9].join(", ");
        bomb.push_str(&format!("{name}: &{name} [{uses}]\n"));
    }
    says!(bomb, @"policy.yaml:1:20: its aliases unfold to more than a policy can hold");
    says!(spec(&format!("  plugins: {}{}\n", "[".repeat(100), "]".repeat(100))), @"policy.yaml:6:74: it is nested more than 64 levels deep");
    says!(spec(&format!("  plugins: [{}]\n", "1,".repeat(60_000))), @"policy.yaml:6:99987: it has more values than a policy can hold");
    says!(vec![b'#'; MAX_SIZE as usize + 1], @r"
    policy.yaml: is larger than 1 MiB, which no policy needs
    hint: is it the right file?
    ");
    says!("--- {}\n".repeat(200), @"policy.yaml:101:1: it has more values than a policy can hold");
}

#[test]
fn files_that_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let said = |path: &Path| {
        let text = PolicyFile::read(path).unwrap_err().to_string();
        text.replace(&folder.path().display().to_string(), "FOLDER")
    };
    insta::assert_snapshot!(said(folder.path()), @"FOLDER: is not a file");
    insta::assert_snapshot!(said(&folder.path().join("gone.yaml")), @"FOLDER/gone.yaml: cannot be read: No such file or directory (os error 2)");
    insta::assert_snapshot!(said(Path::new("/dev/zero")), @"/dev/zero: is not a file");
}
