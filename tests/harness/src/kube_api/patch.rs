//! PATCH: a merge patch (RFC 7386), a strategic merge patch, or an apply. A JSON patch is refused: nothing here sends one.

use serde_json::{Map, Value};

use super::apply::{self, Manager};
use super::failure::{Outcome, bad_request, failure, not_found, stale};
use super::http::Request;
use super::lists::{Merge, merge, same_item};
use super::route::Place;
use super::store::Key;
use super::write::{self, Fate};
use super::{State, access};

/// Patches the object at a place; only an apply makes it if it is not there.
pub(super) fn patch(state: &mut State, request: &Request, place: &Place, who: &access::User) -> Outcome {
    let key = Key::of(place.kind, &place.namespace, &place.name);
    let before = state.store.get(&key).cloned();
    let kind = place.kind;
    match request.header("content-type").split(';').next().unwrap_or_default().trim() {
        "application/apply-patch+yaml" => {
            let manager = apply::applier(request, place)?;
            let text = std::str::from_utf8(&request.body).unwrap_or_default();
            let wanted: Value =
                serde_saphyr::from_str(text).map_err(|e| bad_request(&format!("error decoding YAML: {e}")))?;
            write::fits(&wanted, place)?;
            if before.is_none() {
                // Whoever may patch may not therefore make new ones.
                access::permit(state, who, "create", place, &place.name)?;
            }
            let applied = apply::apply(kind, before.as_ref(), &wanted, &manager, request.flag("force"))?;
            match before {
                Some(before) => write::change(state, request, place, &before, applied, None),
                None if place.status => Err(not_found(kind, &place.name)),
                None => write::make(state, request, place, applied, None, Fate::Applied),
            }
        }
        media @ ("application/merge-patch+json" | "application/strategic-merge-patch+json") => {
            let before = before.ok_or_else(|| not_found(kind, &place.name))?;
            let patch = write::document(&request.body)?;
            let mut after = super::list::shown(kind, &before);
            if media.contains("strategic") {
                strategic(&mut after, &patch, "")?;
            } else {
                merge_patch(&mut after, &patch);
            }
            let named = patch["metadata"]["resourceVersion"].as_str().filter(|version| !version.is_empty());
            if named.is_some_and(|version| before["metadata"]["resourceVersion"] != version) {
                return Err(stale(kind, &place.name));
            }
            write::fits(&after, place)?;
            let manager = Manager::of_write(request, place);
            write::change(state, request, place, &before, after, Some(&manager))
        }
        _ => Err(failure(
            415,
            "UnsupportedMediaType",
            "the body of the request was in an unknown format - accepted media types include: \
             application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml",
        )),
    }
}

/// RFC 7386.
fn merge_patch(target: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *target = patch.clone();
        return;
    };
    for (name, value) in fields {
        let target = object(target);
        if value.is_null() {
            target.remove(name);
        } else {
            merge_patch(target.entry(name).or_insert(Value::Null), value);
        }
    }
}

/// The same, but with lists merged as their field says, and with `$patch` and `$deleteFromPrimitiveList`. The orders that
/// `$setElementOrder` asks for are not made: what is new comes last.
fn strategic(target: &mut Value, patch: &Value, field: &str) -> Outcome<()> {
    match patch {
        Value::Object(fields) => {
            match fields.get("$patch").and_then(Value::as_str) {
                Some("replace") => {
                    let mut whole = fields.clone();
                    whole.remove("$patch");
                    *target = Value::Object(whole);
                    return Ok(());
                }
                Some("delete") => {
                    *target = Value::Object(Map::new());
                    return Ok(());
                }
                None | Some("merge") => {}
                Some(other) => return Err(bad_request(&format!("unknown patch type found: {other}"))),
            }
            for (name, value) in fields {
                let target = object(target);
                if let Some(list) = name.strip_prefix("$deleteFromPrimitiveList/") {
                    let gone = value.as_array().cloned().unwrap_or_default();
                    if let Some(Value::Array(items)) = target.get_mut(list) {
                        items.retain(|item| !gone.contains(item));
                    }
                } else if name.starts_with('$') {
                } else if value.is_null() {
                    target.remove(name);
                } else {
                    strategic(target.entry(name).or_insert(Value::Null), value, name)?;
                }
            }
            Ok(())
        }
        Value::Array(items) => list(target, items, field),
        plain => {
            *target = plain.clone();
            Ok(())
        }
    }
}

fn list(target: &mut Value, items: &[Value], field: &str) -> Outcome<()> {
    let replaces = |item: &Value| item["$patch"] == "replace";
    let rule = if items.iter().any(replaces) { Merge::Replace } else { merge(field) };
    if !target.is_array() || rule == Merge::Replace {
        *target = Value::Array(Vec::new());
    }
    let Value::Array(there) = target else { return Ok(()) };
    for item in items.iter().filter(|item| !replaces(item)) {
        match rule {
            Merge::Replace => there.push(item.clone()),
            Merge::Set if there.contains(item) => {}
            Merge::Set => there.push(item.clone()),
            Merge::ByKey(keys) => {
                let key = &keys[..1];
                if item[key[0]].is_null() {
                    let words = format!("map: {item} does not contain declared merge key: {}", key[0]);
                    return Err(failure(500, "InternalError", &words));
                }
                let found = there.iter().position(|other| same_item(key, item, other));
                match (item["$patch"].as_str(), found) {
                    (Some("delete"), Some(at)) => drop(there.remove(at)),
                    (Some("delete"), None) => {}
                    (_, Some(at)) => strategic(&mut there[at], item, "")?,
                    (_, None) => there.push(item.clone()),
                }
            }
        }
    }
    Ok(())
}

/// The value as an object; what is none becomes an empty one.
fn object(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().expect("it was just made one")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_strategic_patch_merges_by_key_and_replaces_taints() {
        let mut node = json!({
            "metadata": { "finalizers": ["a", "b"] },
            "spec": { "taints": [{ "key": "one", "effect": "NoSchedule" }] },
            "status": { "conditions": [{ "type": "Ready", "status": "False", "reason": "x" }, { "type": "Old" }] },
        });
        let patch = json!({
            "metadata": { "finalizers": ["c"], "$deleteFromPrimitiveList/finalizers": ["a"] },
            "spec": { "taints": [{ "key": "two", "effect": "NoSchedule" }] },
            "status": { "conditions": [{ "type": "Ready", "status": "True" }, { "type": "Old", "$patch": "delete" }] },
        });
        strategic(&mut node, &patch, "").expect("a good patch");
        let expected = json!({
            "metadata": { "finalizers": ["b", "c"] },
            "spec": { "taints": [{ "key": "two", "effect": "NoSchedule" }] },
            "status": { "conditions": [{ "type": "Ready", "status": "True", "reason": "x" }] },
        });
        assert_eq!(node, expected);
    }

    #[test]
    fn a_merge_patch_is_as_the_rfc_has_it() {
        let mut target = json!({ "a": "b", "c": { "d": "e", "f": "g" }, "l": [1] });
        merge_patch(&mut target, &json!({ "a": "z", "c": { "f": null }, "l": [2], "n": { "m": null } }));
        assert_eq!(target, json!({ "a": "z", "c": { "d": "e" }, "l": [2], "n": {} }));
    }
}
