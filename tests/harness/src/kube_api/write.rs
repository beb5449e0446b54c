//! Writing: create, replace, delete.

use k8s_openapi::api::{apps, coordination, core, events as events_api, rbac};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::apply::{self, Manager};
use super::failure::{self, Answer, Cause, Outcome, bad_request, conflict, deleted, invalid, not_found, stale};
use super::http::Request;
use super::kinds::Kind;
use super::list::shown;
use super::route::Place;
use super::select::Selection;
use super::store::{Key, born, now, suffix};
use super::validate;
use super::{State, events};

/// How an object that is not there yet comes to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// By POST or by a PUT that creates.
    Sent,
    /// By an apply: its managed fields are its own already.
    Applied,
}

/// POST: a new object.
pub(super) fn create(state: &mut State, request: &Request, place: &Place) -> Outcome {
    let object = document(&request.body)?;
    fits(&object, place)?;
    make(state, request, place, object, Some(&Manager::of_write(request, place)), Fate::Sent)
}

/// Puts a new object there.
pub(super) fn make(
    state: &mut State,
    request: &Request,
    place: &Place,
    object: Value,
    manager: Option<&Manager>,
    fate: Fate,
) -> Outcome {
    let kind = place.kind;
    let mut object = typed(kind, object)?;
    if fate == Fate::Sent && !text(&object["metadata"]["resourceVersion"]).is_empty() {
        return Err(failure::failure(500, "", "resourceVersion should not be set on objects to be created"));
    }
    let metadata = object["metadata"].as_object_mut().expect("its type has it");
    for field in ["uid", "creationTimestamp", "deletionTimestamp", "resourceVersion", "generation"] {
        metadata.remove(field);
    }
    if kind.namespaced {
        metadata.insert("namespace".into(), json!(place.namespace));
    }
    let prefix = metadata.get("generateName").and_then(Value::as_str).unwrap_or_default().to_owned();
    let named = metadata.get("name").and_then(Value::as_str).is_some_and(|name| !name.is_empty());
    if !named && !place.name.is_empty() {
        metadata.insert("name".into(), json!(place.name));
    } else if !named && prefix.is_empty() {
        let cause = Cause {
            reason: "FieldValueRequired",
            field: "metadata.name".into(),
            words: "Required value: name or generateName is required".into(),
        };
        return Err(invalid(kind, "", &[cause]));
    } else if !named {
        metadata.insert("name".into(), json!(format!("{prefix}{}", suffix())));
    }
    let name = text(&object["metadata"]["name"]).to_owned();
    if kind.namespaced && !state.has_namespace(&place.namespace) {
        return Err(not_found(super::kinds::by_plural("", "namespaces").expect("it is known"), &place.namespace));
    }
    begin(kind, &mut object);
    let mut object = events::kept_if(kind, object);
    refuse(kind, &name, &object, None)?;
    let key = Key::of(kind, &place.namespace, &name);
    if state.store.get(&key).is_some() {
        return Err(failure::already_exists(kind, &name));
    }
    born(&mut object);
    if let Some(manager) = manager {
        apply::note_write(None, &mut object, manager);
    }
    let object = if dry(request) { object } else { state.store.put(key, object) };
    Ok((201, shown(kind, &object)))
}

/// PUT: the whole object in the place of the one that is there.
pub(super) fn replace(state: &mut State, request: &Request, place: &Place) -> Outcome {
    let kind = place.kind;
    let object = document(&request.body)?;
    fits(&object, place)?;
    let manager = Manager::of_write(request, place);
    let key = Key::of(kind, &place.namespace, &place.name);
    let Some(before) = state.store.get(&key).cloned() else {
        if !kind.put_creates || place.status {
            return Err(not_found(kind, &place.name));
        }
        let mut object = object;
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("resourceVersion");
        }
        return make(state, request, place, object, Some(&manager), Fate::Sent);
    };
    match text(&object["metadata"]["resourceVersion"]) {
        "" if kind.unconditional => {}
        "" => {
            let cause = Cause::invalid("metadata.resourceVersion", "0", "must be specified for an update");
            // The real one names the resource here, not the kind.
            let (code, mut answer) = invalid(kind, &place.name, &[cause]);
            let said = text(&answer["message"]).replacen(kind.kind, kind.plural, 1);
            answer["message"] = json!(said);
            return Err((code, answer));
        }
        version if before["metadata"]["resourceVersion"] == version => {}
        _ => return Err(stale(kind, &place.name)),
    }
    change(state, request, place, &before, object, Some(&manager))
}

/// Stores the new shape of an object that is there. `object` is as its kind shows it; for an apply, the managed fields are in it.
pub(super) fn change(
    state: &mut State,
    request: &Request,
    place: &Place,
    before: &Value,
    object: Value,
    manager: Option<&Manager>,
) -> Outcome {
    let kind = place.kind;
    let name = place.name.as_str();
    let uid = text(&object["metadata"]["uid"]);
    if !uid.is_empty() && before["metadata"]["uid"] != uid {
        let there = text(&before["metadata"]["uid"]);
        let why = format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {there}");
        return Err(conflict(kind, name, &why));
    }
    let mut object = events::kept_if(kind, typed(kind, object)?);
    for field in ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "generation", "resourceVersion"] {
        object["metadata"][field] = before["metadata"][field].clone();
    }
    // What is written at one of the two paths leaves the other's part alone.
    if kind.status {
        let others = if place.status { "spec" } else { "status" };
        object[others] = before[others].clone();
    }
    bare(&mut object);
    if kind.generation && object["spec"] != before["spec"] {
        object["metadata"]["generation"] = json!(before["metadata"]["generation"].as_u64().unwrap_or(0) + 1);
    }
    refuse(kind, name, &object, Some(before))?;
    if let Some(manager) = manager {
        apply::note_write(Some(before), &mut object, manager);
    }
    if apply::same_but_for_times(&object, before) {
        // Nothing changes, so nobody is told, and the version stays.
        return Ok((200, shown(kind, before)));
    }
    let key = Key::of(kind, &place.namespace, name);
    if dry(request) {
        return Ok((200, shown(kind, &object)));
    }
    let ended = !object["metadata"]["deletionTimestamp"].is_null() && !has_finalizers(&object);
    let object = state.store.put(key.clone(), object);
    if ended {
        state.store.remove(&key);
    }
    Ok((200, shown(kind, &object)))
}

/// DELETE of one object.
pub(super) fn delete(state: &mut State, request: &Request, place: &Place) -> Outcome {
    let kind = place.kind;
    let key = Key::of(kind, &place.namespace, &place.name);
    let Some(object) = state.store.get(&key).cloned() else { return Err(not_found(kind, &place.name)) };
    let options = if request.body.is_empty() { Value::Null } else { document(&request.body)? };
    for (field, words) in [("uid", "UID"), ("resourceVersion", "ResourceVersion")] {
        let (wanted, there) = (text(&options["preconditions"][field]), text(&object["metadata"][field]));
        if !wanted.is_empty() && wanted != there {
            return Err(failure::precondition(kind, &place.name, words, wanted, there));
        }
    }
    if dry(request) || options["dryRun"].as_array().is_some_and(|list| !list.is_empty()) {
        return Ok(deleted(kind, &place.name, &object["metadata"]["uid"]));
    }
    Ok(remove(state, kind, &key, object))
}

/// DELETE of all objects of a list that are selected.
pub(super) fn delete_all(state: &mut State, request: &Request, place: &Place) -> Outcome {
    let selection = Selection::of(request, place.kind)?;
    let answer = super::list::list(state, request, place)?;
    let all = state.store.all(place.kind, place.within()).map(|(key, object)| (key.clone(), object.clone()));
    let all: Vec<_> = all.filter(|(_, object)| selection.has(&shown(place.kind, object))).collect();
    for (key, object) in all {
        remove(state, place.kind, &key, object);
    }
    Ok(answer)
}

/// Takes an object away, or only says that it is to go while it has finalizers. A namespace goes with all that is in it, at once:
/// there is no controller here that would do it.
fn remove(state: &mut State, kind: &'static Kind, key: &Key, mut object: Value) -> Answer {
    if has_finalizers(&object) {
        if object["metadata"]["deletionTimestamp"].is_null() {
            object["metadata"]["deletionTimestamp"] = json!(now());
            object["metadata"]["deletionGracePeriodSeconds"] = json!(0);
            object = state.store.put(key.clone(), object);
        }
        return (200, shown(kind, &object));
    }
    if kind.kind == "Namespace" {
        for inside in state.store.in_namespace(&key.name) {
            state.store.remove(&inside);
        }
    }
    state.store.remove(key);
    deleted(kind, &key.name, &object["metadata"]["uid"])
}

/// A body as JSON.
pub(super) fn document(body: &[u8]) -> Outcome<Value> {
    let read: Result<Value, _> = serde_json::from_slice(body);
    read.ok().filter(Value::is_object).ok_or_else(|| bad_request("the body of the request is no JSON object"))
}

/// Refuses an object that is not for this place: another kind, name or namespace.
pub(super) fn fits(object: &Value, place: &Place) -> Outcome<()> {
    let (kind, version) = (text(&object["kind"]), text(&object["apiVersion"]));
    let expected = place.kind.api_version();
    if (!kind.is_empty() && kind != place.kind.kind) || (!version.is_empty() && version != expected) {
        let words = format!(
            "{kind} in version {version:?} cannot be handled as a {}: converting ({version}.{kind}) to {expected}.{} is not possible",
            place.kind.kind, place.kind.kind
        );
        return Err(bad_request(&words));
    }
    let (name, namespace) = (text(&object["metadata"]["name"]), text(&object["metadata"]["namespace"]));
    if !place.name.is_empty() && !name.is_empty() && name != place.name {
        let words = format!("the name of the object ({name}) does not match the name on the URL ({})", place.name);
        return Err(bad_request(&words));
    }
    if place.kind.namespaced && !namespace.is_empty() && namespace != place.namespace {
        return Err(bad_request("the namespace of the provided object does not match the namespace sent on the request"));
    }
    Ok(())
}

/// The object as its type has it: unknown fields go, wrong types are refused, as the real one does when it decodes.
fn typed(kind: &Kind, object: Value) -> Outcome<Value> {
    fn through<T: DeserializeOwned + Serialize>(object: Value) -> Result<Value, String> {
        let typed: T = serde_json::from_value(object).map_err(|e| e.to_string())?;
        serde_json::to_value(typed).map_err(|e| e.to_string())
    }
    let mut object = object;
    object["apiVersion"] = json!(kind.api_version());
    object["kind"] = json!(kind.kind);
    let read = match validate::bad_micro_time(&object) {
        Some(words) => Err(words),
        None => match (kind.group, kind.kind) {
            ("", "Node") => through::<core::v1::Node>(object),
            ("", "Namespace") => through::<core::v1::Namespace>(object),
            ("", "ConfigMap") => through::<core::v1::ConfigMap>(object),
            ("", "Event") => through::<core::v1::Event>(object),
            ("", "Pod") => through::<core::v1::Pod>(object),
            ("", "Secret") => through::<core::v1::Secret>(object),
            ("", "ServiceAccount") => through::<core::v1::ServiceAccount>(object),
            (_, "Deployment") => through::<apps::v1::Deployment>(object),
            (_, "Lease") => through::<coordination::v1::Lease>(object),
            (_, "Event") => through::<events_api::v1::Event>(object),
            (_, "ClusterRole") => through::<rbac::v1::ClusterRole>(object),
            (_, "ClusterRoleBinding") => through::<rbac::v1::ClusterRoleBinding>(object),
            (_, "Role") => through::<rbac::v1::Role>(object),
            (_, "RoleBinding") => through::<rbac::v1::RoleBinding>(object),
            _ => Ok(object),
        },
    };
    let (what, version) = (kind.kind, kind.api_version());
    let version = version.rsplit('/').next().unwrap_or_default();
    let mut object =
        read.map_err(|e| bad_request(&format!("{what} in version {version:?} cannot be handled as a {what}: {e}")))?;
    if !object["metadata"].is_object() {
        object["metadata"] = json!({});
    }
    Ok(object)
}

/// What the server itself puts into a new object.
fn begin(kind: &Kind, object: &mut Value) {
    match kind.kind {
        // Nobody says of a new one how it is, but a kubelet of its node.
        "Pod" => object["status"] = json!({ "phase": "Pending", "qosClass": "BestEffort" }),
        "Deployment" => object["status"] = json!({}),
        "Namespace" => {
            object["metadata"]["labels"]["kubernetes.io/metadata.name"] = object["metadata"]["name"].clone();
            object["status"] = json!({ "phase": "Active" });
        }
        _ => {}
    }
    if kind.generation {
        object["metadata"]["generation"] = json!(1);
    }
}

fn refuse(kind: &Kind, name: &str, object: &Value, before: Option<&Value>) -> Outcome<()> {
    let causes = validate::causes(kind, object, before);
    if causes.is_empty() { Ok(()) } else { Err(invalid(kind, name, &causes)) }
}

/// Without the fields that are there and null.
fn bare(object: &mut Value) {
    let without = |value: &mut Value| {
        if let Some(fields) = value.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
        }
    };
    without(&mut object["metadata"]);
    without(object);
}

fn has_finalizers(object: &Value) -> bool {
    object["metadata"]["finalizers"].as_array().is_some_and(|list| !list.is_empty())
}

fn dry(request: &Request) -> bool {
    request.parameter("dryRun").as_deref() == Some("All")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
