//! The same promotion criterion in every language: the same samples and settings give the same verdict, word for word.

use std::sync::Arc;

use jiff::Timestamp;
use runner::Problem;
use runner::cluster::{ClusterError, Member, MemberId, MemberView, Reason, View};
use runner::event::{Event, EventSink};
use runner::pipeline::{Policy, Sample, Verdict};
use runner::plugins::{PluginConfig, PluginSource, Plugins};
use runner::surroundings::Nothing;
use runner_harness::{compiled_plugins, guest, target_dir};
use serde_json::{Value, json};

struct Nobody;

impl EventSink for Nobody {
    fn emit(&self, _: Event) {}
}

/// The examples: those that the set-up builds, and Go's where there is Go.
fn examples() -> Vec<&'static str> {
    let mut all = vec!["rust-caught-up", "js-caught-up", "ts-caught-up", "python-caught-up", "c-caught-up"];
    if target_dir().join("guests/go-caught-up.wasm").is_file() {
        all.push("go-caught-up");
    }
    all
}

async fn load(name: &str, settings: Value) -> Result<Plugins, Problem> {
    let config = PluginConfig { settings, ..PluginConfig::new(PluginSource { path: guest(name), name: None }) };
    let plugins = Plugins::load(vec![config], compiled_plugins(), Arc::new(Nothing), Arc::new(Nobody));
    plugins.ready().await.map(|()| plugins)
}

/// One healthy sample after another, 100 ms apart.
fn samples(lags: &[u64]) -> Vec<Sample> {
    let one = |(i, lag): (usize, &u64)| Sample {
        at: Timestamp::from_millisecond(1_800_000_000_000 + 100 * i as i64).unwrap(),
        leader_index: 1_000_000,
        applied_index: 1_000_000 - lag,
        leader: Some(MemberId(1)),
        term: 2,
        reachable: true,
    };
    lags.iter().enumerate().map(one).collect()
}

fn changed(lags: &[u64], i: usize, change: impl FnOnce(&mut Sample)) -> Vec<Sample> {
    let mut window = samples(lags);
    change(&mut window[i]);
    window
}

fn wait(reason: &str) -> Verdict {
    Verdict::Wait { reason: reason.to_owned(), retry_after: Some(std::time::Duration::from_millis(500)) }
}

/// Settings, samples, and the verdict that every language gives.
fn cases() -> Vec<(Value, Vec<Sample>, Verdict)> {
    let none = || json!({});
    let reject = |text: &str| Verdict::Reject { reason: text.to_owned() };
    vec![
        (none(), samples(&[5000, 100, 7, 0, 3, 100]), Verdict::Approve),
        (json!({ "samples": 3, "maxLag": 0 }), samples(&[9, 0, 0, 0]), Verdict::Approve),
        (none(), samples(&[]), wait("0 of 5 samples")),
        (none(), samples(&[0, 0, 0]), wait("3 of 5 samples")),
        (json!({ "samples": 100 }), samples(&[0; 99]), wait("99 of 100 samples")),
        (none(), changed(&[0, 0, 900, 0, 0], 2, |s| s.reachable = false), wait("does not answer")),
        (none(), changed(&[0; 6], 0, |s| s.reachable = false), Verdict::Approve),
        (none(), samples(&[0, 900, 0, 101, 0]), wait("101 entries behind, at most 100 allowed")),
        (json!({ "maxLag": 101 }), samples(&[0, 900, 0, 101, 0]), wait("900 entries behind, at most 101 allowed")),
        (
            none(),
            changed(&[0, 0, 500, 0, 0], 3, |s| s.leader = Some(MemberId(2))),
            wait("500 entries behind, at most 100 allowed"),
        ),
        (none(), changed(&[0; 5], 0, |s| s.leader = Some(MemberId(2))), wait("the leader changed")),
        (none(), changed(&[0; 5], 4, |s| s.leader = None), wait("the leader changed")),
        (none(), changed(&[0; 6], 0, |s| s.leader = None), Verdict::Approve),
        (none(), changed(&[0; 5], 4, |s| s.term = 7), Verdict::Approve),
        (none(), changed(&[900, 900], 1, |s| (s.term, s.reachable) = (8, false)), reject("elections all the time: 6 terms")),
        // More than 32 bits, and more than a double's 53 hold exactly.
        (
            json!({ "maxLag": 5_000_000_000_u64 }),
            big(5_000_000_001),
            wait("5000000001 entries behind, at most 5000000000 allowed"),
        ),
        (json!({ "maxLag": 5_000_000_000_u64 }), big(5_000_000_000), Verdict::Approve),
    ]
}

fn big(lag: u64) -> Vec<Sample> {
    let mut window = samples(&[0; 5]);
    window.iter_mut().for_each(|s| (s.leader_index, s.applied_index) = (1 << 50, (1 << 50) - lag));
    window
}

#[tokio::test]
async fn every_language_gives_the_same_verdicts() {
    let member = Member { id: MemberId(3), name: "cp-3".to_owned(), peer_urls: vec![], client_urls: vec![], learner: true };
    let silent = ClusterError { reason: Reason::NoLeader, message: "not asked".to_owned(), endpoint: String::new() };
    let view = Arc::new(View {
        cluster_id: 7,
        members: vec![MemberView { member, endpoint: None, status: Err(silent) }],
        leader: None,
        alarms: Vec::new(),
        observed_at: Timestamp::UNIX_EPOCH,
        silent: Vec::new(),
    });
    for name in examples() {
        for (i, (settings, window, expected)) in cases().into_iter().enumerate() {
            let plugins = load(name, settings).await.unwrap_or_else(|e| panic!("{name}, case {i}: {e} {:?}", e.hints));
            let answers = plugins.evaluate(&view, MemberId(3), &window.into()).await;
            assert_eq!(answers[0].result, Ok(expected), "{name}, case {i}");
        }
    }
}

#[tokio::test]
async fn every_language_refuses_the_same_settings() {
    let bad = [
        (json!({ "maxlag": 5 }), vec!["maxlag"]),
        (json!({ "maxLag": -1 }), vec!["maxLag"]),
        (json!({ "maxLag": "5" }), vec!["maxLag"]),
        (json!({ "maxLag": 1.5 }), vec!["maxLag"]),
        (json!({ "maxLag": null }), vec!["maxLag"]),
        (json!({ "maxLag": [1, { "a": "}" }] }), vec!["maxLag"]),
        (json!({ "samples": 1 }), vec!["samples"]),
        (json!({ "samples": 101 }), vec!["samples"]),
        (json!({ "samples": true }), vec!["samples"]),
    ];
    for name in examples() {
        for (settings, paths) in &bad {
            let Err(error) = load(name, settings.clone()).await else { panic!("{name} accepts {settings}") };
            for path in paths {
                let said = format!("{} {}", error.message, error.hints.join(" "));
                assert!(said.contains(path), "{name}, {settings}: {said}");
            }
        }
    }
}
