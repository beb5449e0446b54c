//! Reading: one object, or a list in pages that all show the same moment.

use serde_json::{Value, json};

use super::State;
use super::events;
use super::failure::{Answer, Outcome, bad_request, expired, failure, not_found};
use super::http::Request;
use super::kinds::Kind;
use super::route::Place;
use super::select::Selection;
use super::store::Key;

const CONTINUE_TOO_OLD: &str = "The provided continue parameter is too old to display a consistent list result. You can \
     start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder \
     of the results. Continuing with the provided token results in an inconsistent list - objects that were created, \
     modified, or deleted between the time the first chunk was returned and now may show up in the list.";

/// One object.
pub(super) fn get(state: &State, place: &Place) -> Outcome {
    let key = Key::of(place.kind, &place.namespace, &place.name);
    match state.store.get(&key) {
        Some(object) => Ok((200, shown(place.kind, object))),
        None => Err(not_found(place.kind, &place.name)),
    }
}

/// An object as its kind shows it: an event looks different in each of its groups.
pub(super) fn shown(kind: &Kind, object: &Value) -> Value {
    let mut object = if kind.plural == "events" { events::shown(kind, object) } else { object.clone() };
    object["apiVersion"] = json!(kind.api_version());
    object["kind"] = json!(kind.kind);
    object
}

/// The selected objects, as many as are asked for at once.
pub(super) fn list(state: &State, request: &Request, place: &Place) -> Outcome {
    let selection = Selection::of(request, place.kind)?;
    let (revision, after) = start(state, request)?;
    let Some(moment) = at(state, place, revision) else { return Err(expired(CONTINUE_TOO_OLD)) };
    let rest = moment.into_iter().map(|(key, object)| (token(&key), shown(place.kind, &object)));
    let mut rest = rest.filter(|(key, object)| after.as_ref().is_none_or(|a| key > a) && selection.has(object));
    let asked = request.parameter("limit").and_then(|n| n.parse().ok()).filter(|n| *n > 0).unwrap_or(usize::MAX);
    let limit = asked.min(state.most_per_page.unwrap_or(usize::MAX));
    let page: Vec<_> = rest.by_ref().take(limit).collect();
    let left = rest.count();
    let mut metadata = json!({ "resourceVersion": revision.to_string() });
    if left > 0 {
        let last = page.last().map(|(key, _)| key.as_str()).unwrap_or_default();
        metadata["continue"] = json!(format!("{revision}.{last}"));
        if selection.is_all() {
            metadata["remainingItemCount"] = json!(left);
        }
    }
    // As in the real one, the objects of a list do not say what they are.
    let bare = |mut object: Value| {
        if let Some(fields) = object.as_object_mut() {
            fields.remove("apiVersion");
            fields.remove("kind");
        }
        object
    };
    let items: Vec<_> = page.into_iter().map(|(_, object)| bare(object)).collect();
    let (kind, version) = (format!("{}List", place.kind.kind), place.kind.api_version());
    Ok((200, json!({ "kind": kind, "apiVersion": version, "metadata": metadata, "items": items })))
}

/// The revision to show, and the key to go on after.
fn start(state: &State, request: &Request) -> Outcome<(u64, Option<String>)> {
    let now = state.store.revision();
    if let Some(token) = request.parameter("continue").filter(|token| !token.is_empty()) {
        let read = token.split_once('.').and_then(|(revision, after)| Some((revision.parse().ok()?, after.to_owned())));
        let (revision, after) = read.ok_or_else(|| bad_request("continue key is not valid"))?;
        return Ok((revision, Some(after)));
    }
    let asked = request.parameter("resourceVersion").unwrap_or_default();
    let exact = request.parameter("resourceVersionMatch").as_deref() == Some("Exact");
    match asked.parse().unwrap_or(0) {
        future if future > now => Err(too_large(future, now)),
        revision if exact => Ok((revision, None)),
        _ => Ok((now, None)),
    }
}

fn too_large(asked: u64, now: u64) -> Answer {
    failure(504, "Timeout", &format!("Too large resource version: {asked}, current: {now}"))
}

/// The place's objects as they were at a revision: what is there, with what came later undone. None if that is forgotten.
fn at(state: &State, place: &Place, revision: u64) -> Option<Vec<(Key, Value)>> {
    let now = state.store.all(place.kind, place.within()).map(|(key, object)| (key.clone(), object.clone()));
    let mut objects: std::collections::BTreeMap<_, _> = now.collect();
    let later: Vec<_> = state.store.since(revision)?.filter(|c| c.key.is_in(place.kind, place.within())).collect();
    for change in later.into_iter().rev() {
        match &change.before {
            Some(before) => objects.insert(change.key.clone(), before.clone()),
            None => objects.remove(&change.key),
        };
    }
    Some(objects.into_iter().collect())
}

/// A key as part of a `continue` token, in the same order.
fn token(key: &Key) -> String {
    format!("{}/{}", key.namespace, key.name)
}
