//! Policies that are right.

use std::time::Duration;

use super::*;
use crate::config::policy::{Quantity, Span, Spec, Spelled};
use crate::grants::SecretSource;
use crate::terms::{Mode, OnApprovalTimeout};

pub(super) const FULL: &str = include_str!("full.yaml");

#[test]
fn everything_that_a_policy_can_say() {
    let file = read(FULL).unwrap();
    let other = &file.passed_over[0];
    assert_eq!((other.kind.as_str(), other.line), ("ClusterConfiguration", 2));
    let Spec { plugins, gate, timeouts, on_approval_timeout, .. } = &file.policy.spec;
    assert_eq!((gate.max_lag, gate.stability), (Some(20), Some(Span(Duration::from_secs(2)))));
    assert_eq!(timeouts.start, Some(Span(Duration::from_secs(5400))));
    assert_eq!(*on_approval_timeout, Some(Spelled(OnApprovalTimeout::Leave)));
    let [window, notify] = plugins.as_slice() else { panic!("two plugins") };
    assert_eq!(window.limits.memory, Some(Quantity(64 << 20)));
    assert_eq!(window.settings["nested"], serde_json::json!({"list": [1, 2.5, true, null]}));
    assert_eq!(window.waivers[0].until.unwrap().0.to_string(), "2027-01-01T00:00:00Z", "the last day counts");
    assert_eq!(window.waivers[1].until.unwrap().0.to_string(), "2026-06-30T16:00:00Z");
    assert_eq!(window.waivers[1].reason.0, "upgrade under way");
    assert_eq!((notify.mode.0, notify.source.oci()), (Mode::Monitor, Some("registry.example/team/notify:v2")));
    assert_eq!(notify.grants.secrets["token"], SecretSource::Env("HOOK_TOKEN".to_owned()));
    assert_eq!(notify.name, None);
}

#[test]
fn the_least_that_a_policy_can_say() {
    let file = read("apiVersion: runner.dev/v1alpha1\nkind: JoinPolicy\nmetadata: {name: p}\nspec: {}\n").unwrap();
    assert_eq!(file.policy.spec, Spec::default());
}

#[test]
fn a_byte_order_mark_windows_line_ends_and_empty_documents_are_nothing() {
    let plain = read(FULL).unwrap().policy;
    assert_eq!(read(format!("\u{feff}{FULL}")).unwrap().policy, plain);
    assert_eq!(read(FULL.replace('\n', "\r\n")).unwrap().policy, plain);
    assert_eq!(read(format!("---\n---\n{FULL}\n---\n# nothing\n")).unwrap().policy, plain);
}

#[test]
fn anchors_are_allowed_in_moderation() {
    let text = spec("  plugins:\n  - {source: a.wasm, limits: &l {cpu: 2s}}\n  - {source: b.wasm, limits: *l}\n");
    let plugins = read(text).unwrap().policy.spec.plugins;
    assert_eq!(plugins[0].limits, plugins[1].limits);
}

#[test]
fn what_is_written_reads_back() {
    let policy = read(FULL).unwrap().policy;
    let text = serde_json::to_string(&policy).unwrap();
    assert_eq!(read(text).unwrap().policy, policy, "JSON is YAML");
}
