//! An event in its two views: the core's `v1` and `events.k8s.io/v1` are the same object with other names for its fields.

use serde_json::Value;

use super::kinds::Kind;

/// What `events.k8s.io/v1` calls a field, and what the core calls it. The core's names are those under which it is kept.
const NAMES: &[(&str, &str)] = &[
    ("regarding", "involvedObject"),
    ("note", "message"),
    ("reportingController", "reportingComponent"),
    ("deprecatedSource", "source"),
    ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"),
    ("deprecatedCount", "count"),
];

/// A kept event as this kind shows it.
pub(super) fn shown(kind: &Kind, kept: &Value) -> Value {
    let mut event = kept.clone();
    if !kind.group.is_empty() {
        for (new, old) in NAMES {
            rename(&mut event, old, new);
        }
    }
    event
}

/// An event of this kind as it is kept.
fn kept(kind: &Kind, event: &Value) -> Value {
    let mut kept = event.clone();
    if !kind.group.is_empty() {
        for (new, old) in NAMES {
            rename(&mut kept, new, old);
        }
    }
    kept
}

/// The object as it is kept, of whatever kind.
pub(super) fn kept_if(kind: &Kind, object: Value) -> Value {
    if kind.plural == "events" { kept(kind, &object) } else { object }
}

fn rename(event: &mut Value, from: &str, to: &str) {
    if let Some(fields) = event.as_object_mut()
        && let Some(value) = fields.remove(from)
    {
        fields.insert(to.to_owned(), value);
    }
}
