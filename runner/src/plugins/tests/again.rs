//! A component outside of any run: what is given to a call is all that its answer follows from.

use jiff::Timestamp;

use super::*;
use crate::grants::Grants;
use crate::plugins::{CallRecord, Circumstances, Question, Specimen, ToldEvent};
use crate::scenario;

const NUMBERS: &str = r#"(import "wasi:random/random@0.2.0" (instance $random (export "get-random-u64" (func (result u64)))))
  (alias export $random "get-random-u64" (func $number)) (core func $number-core (canon lower (func $number)))"#;
const CLOCK: &str = r#"(import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock (export "now" (func (result u64)))))
  (alias export $clock "now" (func $number)) (core func $number-core (canon lower (func $number)))"#;

/// A notifier that fails with a number from WASI in its text: its low half-bytes as letters.
fn teller(of: &str) -> String {
    let body = "(i64.store (i32.const 16) (i64.or (i64.const 0x4040404040404040)
        (i64.and (i64.const 0x0f0f0f0f0f0f0f0f) (i64.mul (i64.const 0x9e3779b97f4a7c15) (call $number)))))
      (call $err)";
    let lowered = r#"(export "number" (func $number-core))"#;
    notifier(of, lowered, r#"(import "host" "number" (func $number (result i64)))"#, body)
}

fn specimen(files: &Files, name: &str, text: &str) -> Specimen {
    Specimen::load(&files.component(name, text).path, None, None).unwrap()
}

async fn tell(specimen: &Specimen, wasi_clock: &[u64], wasi_seed: Option<[u8; 32]>) -> CallRecord {
    let event = ToldEvent { kind: "run-finished".into(), at_ms: 1, json: "{}".into() };
    let circumstances = Circumstances {
        settings: serde_json::Value::Null,
        grants: Some(Grants::default()),
        answered_already: false,
        limits: Limits::default(),
        now: Timestamp::UNIX_EPOCH,
        wasi_clock: wasi_clock.to_vec(),
        wasi_seed,
        surroundings: Arc::new(Nothing),
        sink: Arc::new(Seen::default()),
    };
    specimen.ask(circumstances, Question::Notifier { events: Arc::new([event]) }).await.unwrap()
}

#[tokio::test]
async fn wasis_randomness_follows_from_the_component_unless_another_seed_is_given() {
    let files = Files::new();
    let specimen = specimen(&files, "random", &teller(NUMBERS));
    let said = async |seed| tell(&specimen, &[], seed).await.result.unwrap_err().message;
    assert_eq!(said(None).await, said(None).await);
    assert_ne!(said(None).await, said(Some([1; 32])).await);
}

#[tokio::test]
async fn wasis_clocks_show_what_they_showed() {
    let files = Files::new();
    let specimen = specimen(&files, "clock", &teller(CLOCK));
    let five = tell(&specimen, &[5], None).await;
    let again = tell(&specimen, &five.wasi_clock, None).await;
    assert_eq!((five.wasi_clock.as_slice(), five.result), ([5].as_slice(), again.result));
    assert_ne!(tell(&specimen, &[6], None).await.result, tell(&specimen, &[5], None).await.result);
    assert_eq!(tell(&specimen, &[], None).await.wasi_clock.len(), 1, "a clock that goes by itself is written down");
}

#[tokio::test]
async fn a_guest_that_follows_its_own_randomness_fails_its_scenario() {
    let files = Files::new();
    let text = "name: told\nevents: [{kind: run-finished}]\nexpect: {error: '*'}\n";
    let scenario = scenario::parse(text, "s.yaml").unwrap().remove(0);
    let steady = notifier(
        NUMBERS,
        r#"(export "number" (func $number-core))"#,
        r#"(import "host" "number" (func $n (result i64)))"#,
        "(drop (call $n)) (call $err)",
    );
    let report = scenario::play(&scenario, "s.yaml", &specimen(&files, "steady", &steady)).await;
    assert!(report.passed, "{report}");
    let report = scenario::play(&scenario, "s.yaml", &specimen(&files, "random", &teller(NUMBERS))).await;
    assert!(!report.passed && report.to_string().contains("with other randomness from WASI"), "{report}");
}

#[tokio::test]
async fn a_role_that_it_has_not_is_refused_by_name() {
    let files = Files::new();
    let specimen = specimen(&files, "only-tells", &plain("(call $ok)"));
    let text = "name: near\nsamples: {lag: [0]}\nexpect: {verdict: approve}\n";
    let scenario = scenario::parse(text, "s.yaml").unwrap().remove(0);
    let report = scenario::play(&scenario, "s.yaml", &specimen).await;
    assert!(report.to_string().contains("`only-tells` does not have the role promotion"), "{report}");
}
