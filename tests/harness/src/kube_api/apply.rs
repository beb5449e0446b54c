//! Server-side apply, and the note of who wrote what that it needs: `metadata.managedFields`.

use serde_json::{Value, json};

use super::failure::{Outcome, bad_request, failure};
use super::fields::{self, Fields};
use super::http::Request;
use super::kinds::Kind;
use super::lists::{Merge, merge, same_item};
use super::route::Place;
use super::store::now;

/// Somebody who owns fields: a name, how they were written, and at which path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Manager {
    name: String,
    /// `Apply` or `Update`.
    operation: &'static str,
    api_version: String,
    /// Whether by the path of the status.
    status: bool,
}

impl Manager {
    /// Who makes a write that is no apply: `fieldManager`, else the name of the program.
    pub(super) fn of_write(request: &Request, place: &Place) -> Self {
        let program = request.header("user-agent").split('/').next().unwrap_or_default();
        let given = request.parameter("fieldManager").filter(|name| !name.is_empty());
        let name = given.unwrap_or_else(|| if program.is_empty() { "unknown".into() } else { program.to_owned() });
        Self { name, operation: "Update", api_version: place.kind.api_version(), status: place.status }
    }

    fn is(&self, entry: &Value) -> bool {
        entry["manager"] == self.name
            && entry["operation"] == self.operation
            && (entry["subresource"] == "status") == self.status
    }

    fn entry(&self, fields: &Fields) -> Value {
        let mut entry = json!({
            "manager": self.name, "operation": self.operation, "apiVersion": self.api_version,
            "time": now(), "fieldsType": "FieldsV1", "fieldsV1": fields::to_json(fields),
        });
        if self.status {
            entry["subresource"] = json!("status");
        }
        entry
    }
}

/// Who applies. The API insists on a name.
pub(super) fn applier(request: &Request, place: &Place) -> Outcome<Manager> {
    let name = request.parameter("fieldManager").filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| bad_request("fieldManager: Required value: is required for apply patch"))?;
    Ok(Manager { name, operation: "Apply", api_version: place.kind.api_version(), status: place.status })
}

/// The object after an apply: what is applied is in it, what this manager applied before and nobody else owns is gone, and
/// fields that others own are refused unless by force.
pub(super) fn apply(kind: &Kind, live: Option<&Value>, wanted: &Value, manager: &Manager, force: bool) -> Outcome<Value> {
    let empty = json!({ "metadata": {} });
    let live = live.unwrap_or(&empty);
    let (there, mine) = (fields::leaves(live), fields::leaves(wanted));
    let mut entries = owners(live);
    let mut conflicts = Vec::new();
    for entry in entries.iter_mut().filter(|entry| !manager.is(entry)) {
        let mut owned = fields::from_json(&entry["fieldsV1"]);
        let differs = |path: &Vec<String>| mine.get(path).is_some_and(|value| there.get(path) != Some(value));
        let lost: Vec<_> = owned.iter().filter(|path| differs(path)).cloned().collect();
        for path in lost {
            conflicts.push((format!("conflict with {}", shown(entry)), fields::shown(&path)));
            owned.remove(&path);
        }
        entry["fieldsV1"] = fields::to_json(&owned);
    }
    if !conflicts.is_empty() && !force {
        return Err(refusal(kind, &conflicts));
    }
    let mut object = live.clone();
    put_in(&mut object, wanted, "");
    let before = entries.iter().find(|entry| manager.is(entry)).map(|entry| fields::from_json(&entry["fieldsV1"]));
    let others: Fields = entries.iter().filter(|e| !manager.is(e)).flat_map(|e| fields::from_json(&e["fieldsV1"])).collect();
    for path in before.unwrap_or_default() {
        if !mine.contains_key(&path) && !others.contains(&path) {
            fields::remove(&mut object, &path);
        }
    }
    entries.retain(|entry| !manager.is(entry) && entry["fieldsV1"] != json!({}));
    entries.push(manager.entry(&mine.into_keys().collect()));
    object["metadata"]["managedFields"] = json!(entries);
    // An object that was only described by its fields has its version from what is there.
    object["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
    Ok(object)
}

/// Notes that a manager wrote what is different in an object now.
pub(super) fn note_write(before: Option<&Value>, object: &mut Value, manager: &Manager) {
    let old = before.map(fields::leaves).unwrap_or_default();
    let new = fields::leaves(object);
    let changed: Fields =
        new.iter().filter(|(path, value)| old.get(*path) != Some(value)).map(|(path, _)| path.clone()).collect();
    let mut entries = before.map(owners).unwrap_or_default();
    let mut ours = changed.clone();
    for entry in &mut entries {
        let mut owned = fields::from_json(&entry["fieldsV1"]);
        owned.retain(|path| new.contains_key(path));
        if manager.is(entry) {
            ours.extend(owned.iter().cloned());
        } else {
            owned.retain(|path| !changed.contains(path));
        }
        entry["fieldsV1"] = fields::to_json(&owned);
    }
    let wrote = !changed.is_empty();
    if wrote {
        entries.retain(|entry| !manager.is(entry));
        entries.push(manager.entry(&ours));
    }
    entries.retain(|entry| entry["fieldsV1"] != json!({}));
    object["metadata"]["managedFields"] = json!(entries);
}

/// Whether two objects are the same, whenever who wrote what.
pub(super) fn same_but_for_times(one: &Value, other: &Value) -> bool {
    let without = |object: &Value| {
        let mut object = object.clone();
        for entry in object["metadata"]["managedFields"].as_array_mut().into_iter().flatten() {
            entry["time"] = Value::Null;
        }
        if object["metadata"]["managedFields"].as_array().is_none_or(Vec::is_empty) {
            object["metadata"]["managedFields"] = Value::Null;
        }
        for field in ["apiVersion", "kind"] {
            object[field] = Value::Null;
        }
        strip(&mut object);
        object
    };
    without(one) == without(other)
}

/// Takes away what is null.
fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

/// An entry's manager, as messages name it.
fn shown(entry: &Value) -> String {
    let status = if entry["subresource"] == "status" { " with subresource \"status\"" } else { "" };
    let text = |field: &str| entry[field].as_str().unwrap_or_default();
    let using = if text("operation") == "Update" { format!(" using {}", text("apiVersion")) } else { String::new() };
    format!("{:?}{status}{using}", text("manager"))
}

fn owners(object: &Value) -> Vec<Value> {
    object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default()
}

fn put_in(target: &mut Value, wanted: &Value, field: &str) {
    match (wanted, merge(field)) {
        (Value::Object(fields), _) => {
            if !target.is_object() {
                *target = json!({});
            }
            for (name, value) in fields {
                put_in(&mut target[name.as_str()], value, name);
            }
        }
        (Value::Array(items), rule @ (Merge::ByKey(_) | Merge::Set)) if target.is_array() => {
            let there = target.as_array_mut().expect("it was just seen to be one");
            for item in items {
                let same = |other: &Value| match rule {
                    Merge::ByKey(keys) => same_item(keys, item, other),
                    _ => item == other,
                };
                match there.iter().position(same) {
                    Some(at) => put_in(&mut there[at], item, ""),
                    None => there.push(item.clone()),
                }
            }
        }
        _ => *target = wanted.clone(),
    }
}

fn refusal(kind: &Kind, conflicts: &[(String, String)]) -> super::failure::Answer {
    let words = match conflicts {
        [(who, field)] => format!("Apply failed with 1 conflict: {who}: {field}"),
        many => {
            let mut whose = std::collections::BTreeMap::<_, Vec<_>>::new();
            many.iter().for_each(|(who, field)| whose.entry(who).or_default().push(format!("\n- {field}")));
            let lines: Vec<_> = whose
                .into_iter()
                .map(|(who, fields)| format!("{}:{}", who.replacen("conflict", "conflicts", 1), fields.concat()))
                .collect();
            format!("Apply failed with {} conflicts: {}", many.len(), lines.join("\n"))
        }
    };
    let (code, mut answer) = failure(409, "Conflict", &words);
    let causes =
        conflicts.iter().map(|(who, field)| json!({ "reason": "FieldManagerConflict", "message": who, "field": field }));
    answer["details"] = json!({ "group": kind.group, "kind": kind.plural, "causes": causes.collect::<Vec<_>>() });
    (code, answer)
}
