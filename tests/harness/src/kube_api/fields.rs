//! Who owns which fields: sets of paths, in the form of `metadata.managedFields`.
//!
//! A path has parts like `f:spec`, `k:{"type":"Ready"}` (an item of a list that has keys) and `v:"a"` (a value of a set). Only the
//! fields at the ends are noted, where the real API also notes that a field's container is there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::lists::{Merge, merge};

/// A field.
pub(super) type Path = Vec<String>;

/// Several fields.
pub(super) type Fields = BTreeSet<Path>;

/// What the server itself keeps; nobody owns it.
const SERVERS: &[&str] = &[
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generateName",
    "managedFields",
];

/// The fields of an object that somebody can own, with their values.
pub(super) fn leaves(object: &Value) -> BTreeMap<Path, Value> {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("apiVersion");
        fields.remove("kind");
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.retain(|field, _| !SERVERS.contains(&field.as_str()));
    }
    let mut leaves = BTreeMap::new();
    walk(&object, "", &mut Vec::new(), &mut leaves);
    leaves
}

fn walk(value: &Value, field: &str, path: &mut Path, leaves: &mut BTreeMap<Path, Value>) {
    let of_the_server = path.is_empty() || path.as_slice() == ["f:metadata"];
    let mut inside = |part: String, field: &str, value: &Value| {
        path.push(part);
        walk(value, field, path, leaves);
        path.pop();
    };
    match (value, merge(field)) {
        (Value::Null, _) => {}
        (Value::Object(fields), _) if !fields.is_empty() => {
            fields.iter().for_each(|(name, value)| inside(format!("f:{name}"), name, value));
        }
        // A container that is empty because what was in it belongs to the server is nobody's.
        (Value::Object(_), _) if of_the_server => {}
        (Value::Array(items), Merge::ByKey(keys)) if !items.is_empty() => {
            items.iter().for_each(|item| inside(item_part(keys, item), "", item));
        }
        (Value::Array(items), Merge::Set) if !items.is_empty() => {
            items.iter().for_each(|item| inside(format!("v:{item}"), "", item));
        }
        _ => drop(leaves.insert(path.clone(), value.clone())),
    }
}

fn item_part(keys: &[&str], item: &Value) -> String {
    let keys: Map<_, _> = keys.iter().map(|key| ((*key).to_owned(), item[*key].clone())).collect();
    format!("k:{}", Value::Object(keys))
}

/// As in `fieldsV1`.
pub(super) fn to_json(fields: &Fields) -> Value {
    let mut root = json!({});
    for path in fields {
        let mut at = &mut root;
        for part in path {
            at = &mut at[part.as_str()];
            if at.is_null() {
                *at = json!({});
            }
        }
    }
    root
}

/// From `fieldsV1`.
pub(super) fn from_json(value: &Value) -> Fields {
    fn collect(value: &Value, path: &mut Path, fields: &mut Fields) {
        let inner: Vec<_> = value.as_object().into_iter().flatten().filter(|(part, _)| *part != ".").collect();
        if inner.is_empty() && !path.is_empty() {
            fields.insert(path.clone());
        }
        for (part, value) in inner {
            path.push(part.clone());
            collect(value, path, fields);
            path.pop();
        }
    }
    let mut fields = Fields::new();
    collect(value, &mut Vec::new(), &mut fields);
    fields
}

/// As messages name a field: `.spec.holderIdentity`.
pub(super) fn shown(path: &Path) -> String {
    let part = |part: &String| match part.split_once(':') {
        Some(("f", name)) => format!(".{name}"),
        Some(("k", keys)) => {
            let keys: Map<String, Value> = serde_json::from_str(keys).unwrap_or_default();
            let pairs: Vec<_> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
            format!("[{}]", pairs.join(","))
        }
        _ => format!("[={}]", part.trim_start_matches("v:")),
    };
    path.iter().map(part).collect()
}

/// Takes a field away, with the containers that are empty without it.
pub(super) fn remove(object: &mut Value, path: &[String]) {
    let Some((first, rest)) = path.split_first() else { return };
    let (sort, name) = first.split_once(':').unwrap_or_default();
    match (sort, object) {
        ("f", Value::Object(fields)) => {
            if let Some(inner) = fields.get_mut(name).filter(|_| !rest.is_empty()) {
                remove(inner, rest);
                if !is_empty(inner) {
                    return;
                }
            }
            fields.remove(name);
        }
        ("v", Value::Array(items)) => items.retain(|item| {
            let text = item.to_string();
            text != name
        }),
        ("k", Value::Array(items)) => {
            let keys: Map<String, Value> = serde_json::from_str(name).unwrap_or_default();
            let found = items.iter().position(|item| keys.iter().all(|(key, value)| &item[key] == value));
            if let Some(at) = found {
                // An item goes with the first of its keys: nobody owns the item any more.
                let is_key = rest.first().and_then(|part| part.strip_prefix("f:")).is_some_and(|f| keys.contains_key(f));
                if is_key { drop(items.remove(at)) } else { remove(&mut items[at], rest) }
            }
        }
        _ => {}
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_go_to_json_and_back_and_away() {
        let mut node = json!({
            "kind": "Node",
            "metadata": { "name": "x", "labels": { "a": "1" }, "finalizers": ["f"] },
            "status": { "conditions": [{ "type": "Ready", "status": "True" }] },
        });
        let fields: Fields = leaves(&node).into_keys().collect();
        let expected = json!({
            "f:metadata": { "f:labels": { "f:a": {} }, "f:finalizers": { "v:\"f\"": {} } },
            "f:status": { "f:conditions": { "k:{\"type\":\"Ready\"}": { "f:status": {}, "f:type": {} } } },
        });
        assert_eq!(to_json(&fields), expected);
        assert_eq!(from_json(&expected), fields);
        let names: Vec<_> = fields.iter().map(shown).collect();
        assert!(names.contains(&".status.conditions[type=\"Ready\"].status".to_owned()), "{names:?}");
        for path in &fields {
            remove(&mut node, path);
        }
        assert_eq!(node, json!({ "kind": "Node", "metadata": { "name": "x" } }));
    }
}
