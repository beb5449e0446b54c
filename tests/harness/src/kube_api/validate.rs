//! What an object may not be: the API server's rules for what the runner writes (names, labels, leases, events, taints).
//!
//! From `pkg/apis/coordination/validation`, `pkg/apis/core/validation/events.go` and `validation.go` of Kubernetes 1.35.

use serde_json::Value;

use super::failure::Cause;
use super::kinds::Kind;

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and \
     must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
     '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and \
     must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for \
     validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

const QUALIFIED_NAME: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with \
     an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
     '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

/// What is wrong with an object as it is kept; `before` is the one that it replaces.
pub(super) fn causes(kind: &Kind, object: &Value, before: Option<&Value>) -> Vec<Cause> {
    let mut causes = metadata(&object["metadata"], before.is_none());
    match kind.kind {
        "Lease" => lease(&object["spec"], &mut causes),
        "Node" => taints(&object["spec"]["taints"], &mut causes),
        "Event" => event(kind, object, before, &mut causes),
        "ConfigMap" => keys(&object["data"], &mut causes),
        _ => {}
    }
    causes
}

fn metadata(metadata: &Value, new: bool) -> Vec<Cause> {
    let mut causes = Vec::new();
    let name = text(&metadata["name"]);
    if new && !is_subdomain(name) {
        causes.push(Cause::invalid("metadata.name", &format!("{name:?}"), SUBDOMAIN));
    }
    for (key, value) in metadata["labels"].as_object().into_iter().flatten() {
        if !is_qualified(key) {
            causes.push(Cause::invalid("metadata.labels", &format!("{key:?}"), QUALIFIED_NAME));
        }
        if !is_label_value(text(value)) {
            causes.push(Cause::invalid("metadata.labels", &format!("{:?}", text(value)), LABEL_VALUE));
        }
    }
    causes
}

fn lease(spec: &Value, causes: &mut Vec<Cause>) {
    let mut at_least = |field: &str, least: i64, why: &str| {
        if let Some(number) = spec[field].as_i64().filter(|n| *n < least) {
            causes.push(Cause::invalid(&format!("spec.{field}"), &number.to_string(), why));
        }
    };
    at_least("leaseDurationSeconds", 1, "must be greater than 0");
    at_least("leaseTransitions", 0, "must be greater than or equal to 0");
}

fn taints(taints: &Value, causes: &mut Vec<Cause>) {
    let mut seen = Vec::new();
    for (number, taint) in taints.as_array().into_iter().flatten().enumerate() {
        let field = |name: &str| format!("metadata.taints[{number}].{name}");
        let (key, effect) = (text(&taint["key"]), text(&taint["effect"]));
        if !is_qualified(key) {
            causes.push(Cause::invalid(&field("key"), &format!("{key:?}"), QUALIFIED_NAME));
        }
        match effect {
            "" => causes.push(Cause::required(&field("effect"))),
            "NoSchedule" | "PreferNoSchedule" | "NoExecute" => {}
            other => {
                let supported = r#""NoExecute", "NoSchedule", "PreferNoSchedule""#;
                causes.push(Cause::unsupported(&field("effect"), other, supported));
            }
        }
        if seen.contains(&(key, effect)) {
            causes.push(Cause::duplicate(&format!("metadata.taints[{number}]"), &taint.to_string()));
        }
        seen.push((key, effect));
    }
}

fn event(kind: &Kind, event: &Value, before: Option<&Value>, causes: &mut Vec<Cause>) {
    let regarding = text(&event["involvedObject"]["namespace"]);
    let namespace = text(&event["metadata"]["namespace"]);
    let misplaced =
        || Cause::invalid("involvedObject.namespace", &format!("{regarding:?}"), "does not match event.namespace");
    if event["eventTime"].is_null() {
        let fits = if regarding.is_empty() { namespace == "default" } else { namespace == regarding };
        if !fits {
            causes.push(misplaced());
        }
    } else {
        if regarding.is_empty() && !matches!(namespace, "default" | "kube-system") {
            causes.push(misplaced());
        }
        let controller = if kind.group.is_empty() { "reportingComponent" } else { "reportingController" };
        let reporter = text(&event["reportingComponent"]);
        if reporter.is_empty() {
            causes.push(Cause::required(controller));
        }
        if !is_qualified(reporter) {
            causes.push(Cause::invalid(controller, &format!("{reporter:?}"), QUALIFIED_NAME));
        }
        for field in ["reportingInstance", "action", "reason"] {
            let value = text(&event[field]);
            if value.is_empty() {
                causes.push(Cause::required(field));
            }
            if value.len() > 128 {
                causes.push(Cause::invalid(field, "\"\"", "can have at most 128 characters"));
            }
        }
        if text(&event["message"]).len() > 1024 {
            causes.push(Cause::invalid("message", "\"\"", "can have at most 1024 characters"));
        }
    }
    // The core's view asks for no more, for the sake of old clients.
    if !kind.group.is_empty() {
        match before {
            None => new_event(event, causes),
            Some(before) => changed_event(event, before, causes),
        }
    }
}

fn new_event(event: &Value, causes: &mut Vec<Cause>) {
    series(event, causes);
    if event["eventTime"].is_null() {
        causes.push(Cause::required("eventTime"));
    }
    let kind = text(&event["type"]);
    if !matches!(kind, "Normal" | "Warning") {
        causes.push(Cause::invalid("type", "\"\"", &format!("has invalid value: {kind}")));
    }
    for field in ["firstTimestamp", "lastTimestamp"] {
        if !event[field].is_null() {
            causes.push(Cause::invalid(field, "\"\"", "needs to be unset"));
        }
    }
    if event["count"].as_i64().unwrap_or(0) != 0 {
        causes.push(Cause::invalid("count", "\"\"", "needs to be unset"));
    }
    if !text(&event["source"]["component"]).is_empty() || !text(&event["source"]["host"]).is_empty() {
        causes.push(Cause::invalid("source", "\"\"", "needs to be unset"));
    }
}

/// Of an event that is there, only the series may change.
fn changed_event(event: &Value, before: &Value, causes: &mut Vec<Cause>) {
    if event["series"] != before["series"] {
        series(event, causes);
    }
    for field in ["involvedObject", "reason", "message", "type", "eventTime", "action", "related", "reportingInstance"] {
        if event[field] != before[field] {
            causes.push(Cause::invalid(field, &event[field].to_string(), "field is immutable"));
        }
    }
    if event["reportingComponent"] != before["reportingComponent"] {
        let value = event["reportingComponent"].to_string();
        causes.push(Cause::invalid("reportingController", &value, "field is immutable"));
    }
}

fn series(event: &Value, causes: &mut Vec<Cause>) {
    let series = &event["series"];
    if series.is_null() {
        return;
    }
    if series["count"].as_i64().unwrap_or(0) < 2 {
        causes.push(Cause::invalid("series.count", "\"\"", "should be at least 2"));
    }
    if series["lastObservedTime"].is_null() {
        causes.push(Cause::required("series.lastObservedTime"));
    }
}

/// The keys of a ConfigMap's data: like the names of files.
fn keys(data: &Value, causes: &mut Vec<Cause>) {
    for key in data.as_object().into_iter().flatten().map(|(key, _)| key) {
        let letters = key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        if key.is_empty() || key.len() > 253 || !letters || matches!(key.as_str(), "." | "..") {
            let why = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or \
                 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
            causes.push(Cause::invalid(&format!("data[{key}]"), &format!("{key:?}"), why));
        }
    }
}

/// What Go's `MicroTime` reads: RFC 3339 with exactly six digits after the point. The fields of that type are told apart by name.
pub(super) fn bad_micro_time(object: &Value) -> Option<String> {
    let places = [
        &object["eventTime"],
        &object["series"]["lastObservedTime"],
        &object["spec"]["renewTime"],
        &object["spec"]["acquireTime"],
    ];
    let bad = |text: &&str| {
        let digits = text.split_once('.').map(|(_, rest)| rest.bytes().take_while(u8::is_ascii_digit).count());
        digits != Some(6) || text.parse::<jiff::Timestamp>().is_err()
    };
    let text = places.into_iter().filter_map(Value::as_str).find(bad)?;
    let rest = text.get(19..).unwrap_or(text);
    Some(format!(r#"parsing time "{text}" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "{rest}" as ".000000""#))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn is_subdomain(name: &str) -> bool {
    let part = |part: &str| {
        let inner = part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        !part.is_empty() && inner && !part.starts_with('-') && !part.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(part)
}

/// `example.com/name` or `name`.
fn is_qualified(name: &str) -> bool {
    let (prefix, name) = name.split_once('/').map_or((None, name), |(prefix, name)| (Some(prefix), name));
    prefix.is_none_or(is_subdomain) && !name.is_empty() && is_label_value(name)
}

fn is_label_value(value: &str) -> bool {
    let edge = |letter: Option<u8>| letter.is_none_or(|b| b.is_ascii_alphanumeric());
    let inner = value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    value.len() <= 63 && inner && edge(value.bytes().next()) && edge(value.bytes().last())
}
