use runner_plugin::fake;
use runner_plugin::settings::{plugin, problems};
use serde_json::{Value, json};

use super::*;

const URL: &str = "https://hooks.example.com/services/T0AA/B0BB/s3cr3t";
const POST: &str = "POST https://hooks.example.com/services/T0AA/B0BB/s3cr3t";

fn event(json: Value) -> Event {
    Event { kind: json["kind"].as_str().unwrap().to_owned(), at_ms: fake::START_MS, json: json.to_string() }
}

fn start() -> Event {
    event(json!({"at": "2027-01-15T08:00:00Z", "kind": "run-started", "run": "0199", "operation": "join", "member": "cp-4"}))
}

fn end(outcome: &str, exit_status: u8) -> Event {
    event(json!({"at": "2027-01-15T08:00:04Z", "kind": "run-finished", "outcome": outcome, "exitStatus": exit_status,
        "message": "cp-4 <is> a_voter & well", "hints": ["look at it"], "durationMs": 4250}))
}

fn finding(severity: &str) -> Event {
    event(json!({"kind": "finding", "source": "time-offset", "severity": severity, "code": "clock-differs",
        "message": "the clock is off", "remedy": "set it", "member": null}))
}

fn notify(settings: &str, events: &[Event]) -> Result<()> {
    fake::secrets::set("url", &format!("{URL}\n"));
    plugin::<Webhook>(settings).unwrap().notify(events)
}

/// What was posted, after an answer of 200.
fn posted(settings: &str, events: &[Event]) -> Vec<Value> {
    fake::http::respond(POST, Ok(http::Response::new(200)));
    notify(settings, events).unwrap();
    fake::http::take_requests().iter().map(|request| serde_json::from_slice(&request.body).unwrap()).collect()
}

#[test]
fn json_tells_the_run_and_the_chosen_events() {
    let progress = event(json!({"kind": "sync-progress", "lag": 3}));
    let sent = posted(r#"{"cluster": "prod-1"}"#, &[start(), progress.clone(), end("joined", 0)]);
    assert_eq!(sent.len(), 1);
    let expected = json!({"source": "runner", "cluster": "prod-1", "run": "0199", "operation": "join", "member": "cp-4",
        "outcome": "joined", "exitStatus": 0, "message": "cp-4 <is> a_voter & well",
        "events": [serde_json::from_str::<Value>(&start().json).unwrap(), serde_json::from_str::<Value>(&end("joined", 0).json).unwrap()]});
    assert_eq!(sent[0], expected);
    let sent = posted(r#"{"kinds": ["sync-progress"]}"#, &[start(), progress, end("joined", 0)]);
    assert_eq!(sent[0]["events"], json!([{"kind": "sync-progress", "lag": 3}]));
    assert!(posted(r#"{"kinds": ["undone"]}"#, &[start(), end("joined", 0)]).is_empty());
}

#[test]
fn slack_gets_a_text_whose_markup_is_escaped() {
    let undone = event(json!({"kind": "undone", "step": "add", "summary": "removed ff"}));
    let stuck = event(json!({"kind": "undo-failed", "step": "lock", "error": "no leader", "remedy": "delete the key"}));
    let failed = event(json!({"kind": "step-failed", "step": "sync", "error": "a\nb"}));
    let events = [start(), finding("warning"), finding("info"), failed, undone, stuck, end("rolled-back", 11)];
    let sent = posted(r#"{"format": "slack", "cluster": "prod-1"}"#, &events);
    let text = "\
join of cp-4 in prod-1: rolled-back in 4.2 s: cp-4 &lt;is&gt; a_voter &amp; well
• warning: time-offset: the clock is off (set it)
• failed: sync: a b
• undone: add: removed ff
• not undone: lock: no leader; to do: delete the key
• hint: look at it";
    assert_eq!(sent, [json!({ "text": text })]);
}

#[test]
fn what_the_policy_sets_aside_is_told_as_such() {
    let aside = |key: &str, value: Value| {
        let mut found: Value = serde_json::from_str(&finding("error").json).unwrap();
        found[key] = value;
        event(found)
    };
    let events = [aside("waived", json!("CHG-7")), aside("monitored", json!(true)), end("joined", 0)];
    let text = posted(r#"{"format": "slack"}"#, &events)[0]["text"].as_str().unwrap().to_owned();
    assert!(text.contains("\n• error, waived (CHG-7): time-offset: the clock is off"), "{text}");
    assert!(text.contains("\n• error, only monitored: time-offset: the clock is off"), "{text}");
}

#[test]
fn teams_gets_an_adaptive_card() {
    let sent = posted(r#"{"format": "teams"}"#, &[start(), end("joined", 0)]).remove(0);
    assert_eq!(sent["type"], "message");
    let attachment = &sent["attachments"][0];
    assert_eq!(attachment["contentType"], "application/vnd.microsoft.card.adaptive");
    let card = &attachment["content"];
    assert_eq!((card["type"].as_str(), card["version"].as_str()), (Some("AdaptiveCard"), Some("1.4")));
    let title = json!({"type": "TextBlock", "text": "join of cp-4: joined in 4.2 s: cp-4 <is> a\\_voter & well",
        "weight": "Bolder", "color": "Good", "wrap": true});
    assert_eq!(card["body"][0], title);
    assert_eq!(card["body"][1]["text"], "hint: look at it");
    let sent = posted(r#"{"format": "teams"}"#, &[end("stuck", 16)]).remove(0);
    assert_eq!(sent["attachments"][0]["content"]["body"][0]["color"], "Attention");
}

#[test]
fn only_trouble_is_told_where_that_is_wished() {
    let settings = r#"{"format": "slack", "when": "trouble"}"#;
    assert!(posted(settings, &[start(), end("joined", 0)]).is_empty());
    assert_eq!(posted(settings, &[start(), end("refused", 10)]).len(), 1);
    assert!(posted(r#"{"format": "slack"}"#, &[start()]).is_empty(), "the run has not ended");
}

#[test]
fn a_long_story_is_cut() {
    let events: Vec<_> = (0..60).map(|_| finding("error")).chain([end("refused", 10)]).collect();
    let text = posted(r#"{"format": "slack"}"#, &events)[0]["text"].as_str().unwrap().to_owned();
    assert_eq!(text.lines().count(), 22);
    assert_eq!(text.lines().last(), Some("• … and 41 more"));
    let long = event(json!({"kind": "step-failed", "step": "sync", "error": "ä".repeat(9000)}));
    let text = posted(r#"{"format": "slack"}"#, &[long, end("refused", 10)])[0]["text"].as_str().unwrap().to_owned();
    assert!(text.chars().count() < 700, "{text}");
}

#[test]
fn what_may_pass_is_tried_again_with_more_patience() {
    fake::http::respond(POST, Err(Failure::new(FailureKind::Timeout, "no answer within 1000 ms")));
    fake::http::respond(POST, Ok(http::Response::new(503)));
    fake::http::respond(POST, Ok(http::Response::new(202)));
    notify("{}", &[end("joined", 0)]).unwrap();
    let patience: Vec<_> = fake::http::take_requests().iter().map(|request| request.timeout_ms.unwrap()).collect();
    assert_eq!(patience, [1000, 2000, 4000]);
    let said = ["attempt 1 failed: timeout: no answer within 1000 ms", "attempt 2 failed: it answered 503"];
    assert_eq!(fake::take_log(), said.map(|text| (log::Level::Info, text.to_owned())));
}

#[test]
fn it_gives_up_after_the_last_attempt_and_at_once_where_it_is_hopeless() {
    fake::http::respond(POST, Ok(http::Response::new(429)));
    let error = notify(r#"{"attempts": 2}"#, &[end("joined", 0)]).unwrap_err();
    assert_eq!(error.to_string(), "the webhook took no message in 2 attempts: it answered 429");
    assert_eq!(fake::http::take_requests().len(), 2);
    fake::http::respond(POST, Ok(http::Response::new(404)));
    // The first 429 is taken, the 404 follows.
    let error = notify(r#"{"attempts": 5}"#, &[end("joined", 0)]).unwrap_err();
    assert_eq!(error.to_string(), "the webhook took no message in 2 attempts: it answered 404");
}

#[test]
fn the_url_is_never_told() {
    for message in
        [format!("{URL}: connection refused"), "/services/T0AA/B0BB/s3cr3t: refused".to_owned(), "for s3cr3t".to_owned()]
    {
        let failure = Failure::new(FailureKind::Failed, message);
        fake::http::respond(POST, Err(failure.clone()));
        assert_eq!(discreet(&failure, URL), "failed");
    }
    let error = notify("{}", &[end("joined", 0)]).unwrap_err();
    assert_eq!(error.to_string(), "the webhook took no message: failed");
    let harmless = Failure::new(FailureKind::Denied, "hooks.example.com was not granted");
    assert_eq!(discreet(&harmless, URL), "denied: hooks.example.com was not granted");
    fake::secrets::set("token", "hunter2");
    let error = notify(r#"{"urlSecret": "token"}"#, &[end("joined", 0)]).unwrap_err();
    assert_eq!(error.to_string(), "the secret \"token\" is not a URL");
}

#[test]
fn the_header_comes_from_a_secret() {
    fake::secrets::set("token", "Bearer T\n");
    posted(r#"{"authorizationSecret": "token"}"#, &[]);
    fake::http::respond(POST, Ok(http::Response::new(200)));
    notify(r#"{"authorizationSecret": "token"}"#, &[end("joined", 0)]).unwrap();
    let headers = fake::http::take_requests().remove(0).headers;
    assert!(headers.contains(&("authorization".to_owned(), "Bearer T".to_owned())), "{headers:?}");
}

#[test]
fn bad_settings_are_refused_by_path() {
    assert_eq!(problems::<Webhook>("{}"), []);
    let paths = |json| problems::<Webhook>(json).into_iter().map(|p| p.path).collect::<Vec<_>>();
    assert_eq!(paths(r#"{"url": "https://x"}"#), ["url"]);
    assert_eq!(paths(r#"{"format": "discord"}"#), ["format"]);
    assert_eq!(paths(r#"{"when": "never"}"#), ["when"]);
    assert_eq!(
        paths(r#"{"urlSecret": "https://x/y", "authorizationSecret": "", "attempts": 6}"#),
        ["urlSecret", "authorizationSecret", "attempts"]
    );
    assert_eq!(paths(r#"{"timeoutMs": 0}"#), ["timeoutMs"]);
    assert_eq!(paths(r#"{"timeoutMs": 8572}"#), ["timeoutMs"]);
    assert_eq!(paths(r#"{"timeoutMs": 4294967295}"#), ["timeoutMs"]);
}
