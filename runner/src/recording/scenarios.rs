//! Scenario files made of a recording: what a real cluster looked like becomes a test.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::read::Recorded;
use crate::cluster::{AlarmKind, MemberView, View};
use crate::pipeline::{FaultKind, Newcomer, Sample, Verdict};
use crate::plugins::{Answered, Exchange, Question};

/// More scenarios of one plugin are nobody's reading.
const MOST: usize = 20;

/// A scenario file with the calls of one plugin: the first and the last wait, and of the others up to 20. None where there is
/// nothing to write.
pub fn scenarios<'a>(calls: impl IntoIterator<Item = &'a Recorded>) -> Option<String> {
    let calls: Vec<(usize, &Recorded)> = calls.into_iter().enumerate().collect();
    let waits = |call: &Recorded| matches!(call.result, Ok(Answered::Verdict(Verdict::Wait { .. })));
    let all_waits: Vec<usize> = calls.iter().filter(|(_, call)| waits(call)).map(|(n, _)| *n).collect();
    let (first, last) = (all_waits.first().copied(), all_waits.last().copied());
    let kept = calls.iter().filter(|(n, call)| !waits(call) || Some(*n) == first || Some(*n) == last);
    let written: Vec<String> = kept.take(MOST).filter_map(|(n, call)| scenario(n + 1, call)).collect();
    (!written.is_empty()).then(|| written.join("---\n"))
}

/// None where it cannot be written: what took too long depends on the machine.
fn scenario(number: usize, call: &Recorded) -> Option<String> {
    let mut parts: Vec<(&str, Value)> = Vec::new();
    parts.push(("name", format!("call {number}: {}", call.question.name()).into()));
    parts.push(("now", call.now.to_string().into()));
    if call.plugin.settings.as_object().is_some_and(|settings| !settings.is_empty()) {
        parts.push(("settings", call.plugin.settings.clone()));
    }
    match &call.question {
        Question::Settings => {}
        Question::HealthCheck { view, newcomer } => {
            parts.extend([("role", json!("health-check")), ("cluster", cluster(view)), ("newcomer", planned(newcomer))]);
        }
        Question::Promotion { view, candidate, window } => {
            parts.extend([("role", json!("promotion")), ("cluster", cluster(view))]);
            parts.push(("candidate", candidate.to_string().into()));
            parts.push(("samples", window.iter().map(sample).collect()));
        }
        Question::Notifier { events } => {
            let events = events.iter().map(|event| serde_json::from_str::<Value>(&event.json).unwrap_or_default());
            parts.extend([("role", json!("notifier")), ("events", events.collect())]);
        }
    }
    if !call.asked.is_empty() {
        parts.push(("hostCalls", call.asked.iter().map(host_call).collect()));
        parts.push(("hostCallsInOrder", true.into()));
    }
    parts.push(("expect", expect(call)?));
    let mut text = String::new();
    for (key, value) in parts {
        let part: Map<String, Value> = [(key.to_owned(), value)].into_iter().collect();
        text += serde_saphyr::to_string(&part).ok()?.trim_end();
        let _ = writeln!(text);
    }
    Some(text)
}

fn cluster(view: &View) -> Value {
    json!({
        "id": format!("{:x}", view.cluster_id),
        "leader": view.leader.map_or("none".to_owned(), |id| id.to_string()),
        "observedAt": view.observed_at.to_string(),
        "members": view.members.iter().map(|member| self::member(view, member)).collect::<Value>(),
    })
}

fn member(view: &View, seen: &MemberView) -> Value {
    let member = &seen.member;
    let mut problems = seen.status.as_ref().map(|s| s.errors.clone()).unwrap_or_default();
    for alarm in view.alarms.iter().filter(|alarm| alarm.member == member.id) {
        let name = match alarm.kind {
            AlarmKind::Nospace => "NOSPACE",
            AlarmKind::Corrupt => "CORRUPT",
            AlarmKind::Unknown => continue,
        };
        if !problems.iter().any(|problem| problem.contains(name)) {
            problems.push(name.to_owned());
        }
    }
    let mut facts = json!({
        "name": member.name,
        "id": member.id.to_string(),
        "role": if member.learner { "learner" } else { "voter" },
        "peerUrls": member.peer_urls,
        "clientUrls": member.client_urls,
        "problems": problems,
    });
    match &seen.status {
        Err(_) => facts["reachable"] = false.into(),
        Ok(status) => {
            facts["seesLeader"] = status.leader.is_some().into();
            facts["version"] = status.version.clone().into();
            facts["dbSize"] = status.db_size.into();
            facts["dbSizeInUse"] = status.db_size_in_use.into();
            facts["raftIndex"] = status.raft_index.into();
            facts["raftAppliedIndex"] = status.raft_applied_index.into();
            facts["raftTerm"] = status.raft_term.into();
            facts["roundTrip"] = format!("{}us", status.round_trip.as_micros()).into();
        }
    }
    facts
}

fn planned(newcomer: &Newcomer) -> Value {
    json!({
        "name": newcomer.name,
        "peerUrls": newcomer.peer_urls,
        "clientUrls": newcomer.client_urls,
        "version": newcomer.version.as_deref().unwrap_or("unknown"),
    })
}

fn sample(sample: &Sample) -> Value {
    json!({
        "at": sample.at.to_string(),
        "leaderIndex": sample.leader_index,
        "appliedIndex": sample.applied_index,
        "leader": sample.leader.map_or("none".to_owned(), |id| id.to_string()),
        "term": sample.term,
        "reachable": sample.reachable,
    })
}

fn host_call(exchange: &Exchange) -> Value {
    let mut ask = serde_json::to_value(&exchange.ask).unwrap_or_default();
    any_secret(&mut ask);
    match &exchange.answer {
        Ok(reply) => json!({ "ask": ask, "reply": reply }),
        Err(refused) => json!({ "ask": ask, "refused": refused }),
    }
}

/// A secret may be in a question in another form than as it is: anything may stand there.
fn any_secret(value: &mut Value) {
    match value {
        Value::String(text) => {
            while let Some(at) = text.find("[secret ") {
                let Some(end) = text[at..].find(']') else { break };
                text.replace_range(at..=at + end, "*");
            }
        }
        Value::Array(items) => items.iter_mut().for_each(any_secret),
        // Its name is how a secret is asked for.
        Value::Object(fields) => fields.values_mut().for_each(any_secret),
        _ => {}
    }
}

fn expect(call: &Recorded) -> Option<Value> {
    Some(match &call.result {
        Ok(Answered::Told) => json!({ "told": true }),
        Ok(Answered::Verdict(Verdict::Approve)) => json!({ "verdict": "approve" }),
        Ok(Answered::Verdict(Verdict::Wait { reason, retry_after: None })) => {
            json!({ "verdict": { "wait": { "reason": reason } } })
        }
        Ok(Answered::Verdict(Verdict::Wait { reason, retry_after: Some(after) })) => {
            json!({ "verdict": { "wait": { "reason": reason, "retryAfterMs": after.as_millis() as u64 } } })
        }
        Ok(Answered::Verdict(Verdict::Reject { reason })) => json!({ "verdict": { "reject": reason } }),
        Ok(Answered::Problems(problems)) => json!({ "problems": problems }),
        Ok(Answered::Findings(found)) => {
            let finding = |f: &crate::pipeline::Finding| {
                let mut value = serde_json::to_value(f).unwrap_or_default();
                if let Value::Object(fields) = &mut value {
                    fields.retain(|_, field| !field.is_null());
                }
                value
            };
            json!({ "findings": found.iter().map(finding).collect::<Value>() })
        }
        Err(fault) => match fault.kind {
            FaultKind::Error => json!({ "error": fault.message }),
            FaultKind::Timeout | FaultKind::Cpu => return None,
            kind => json!({ "fault": kind }),
        },
    })
}
