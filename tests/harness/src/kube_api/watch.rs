//! WATCH: what changes, as it changes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncBufReadExt;
use tokio::time::Instant;

use super::failure::{Outcome, expired};
use super::http::{Request, Wire, end_chunks, send_chunk, start_chunks};
use super::list::shown;
use super::route::Place;
use super::select::Selection;
use super::store::Change;
use super::{State, lock};

/// How long a watch lasts that does not say it: the real one takes half an hour to an hour.
const LASTS: Duration = Duration::from_secs(1_800);

/// How often somebody who wants bookmarks gets one. The real one sends one a minute; tests do not have that long.
const BOOKMARK_EVERY: Duration = Duration::from_secs(1);

/// A watch that is about to be told everything.
pub(super) struct Watch {
    place: Place,
    selection: Selection,
    /// The revision up to which it was told everything.
    told: u64,
    /// What is there, for a watch that did not say since when.
    first: Vec<Value>,
    bookmarks: bool,
    until: Instant,
}

impl Watch {
    /// The watch that a request asks for.
    pub(super) fn of(state: &State, request: &Request, place: &Place) -> Outcome<Self> {
        let mut selection = Selection::of(request, place.kind)?;
        if !place.name.is_empty() {
            selection = selection.only(&place.name);
        }
        let since = request.parameter("resourceVersion").and_then(|v| v.parse().ok()).filter(|v| *v > 0);
        let seconds = request.parameter("timeoutSeconds").and_then(|n| n.parse().ok()).map(Duration::from_secs);
        let first = match since {
            Some(_) => Vec::new(),
            None => {
                let all = state.store.all(place.kind, place.within()).map(|(_, object)| shown(place.kind, object));
                all.filter(|object| selection.has(object)).map(|object| event("ADDED", object)).collect()
            }
        };
        Ok(Self {
            place: place.clone(),
            selection,
            told: since.unwrap_or_else(|| state.store.revision()),
            first,
            bookmarks: request.flag("allowWatchBookmarks"),
            until: Instant::now() + seconds.unwrap_or(LASTS),
        })
    }

    /// Tells, until its time is up or the other side goes.
    pub(super) async fn tell(mut self, wire: &mut Wire, state: &Arc<Mutex<State>>) -> std::io::Result<()> {
        let mut changed = lock(state).changed.subscribe();
        start_chunks(wire).await?;
        let mut bookmarked = Instant::now();
        let mut ready = std::mem::take(&mut self.first);
        loop {
            let current = self.since(&lock(state), &mut ready);
            for event in ready.drain(..) {
                send_chunk(wire, &event).await?;
            }
            if !current {
                return end_chunks(wire).await;
            }
            let pause = if self.bookmarks { self.until.min(bookmarked + BOOKMARK_EVERY) } else { self.until };
            tokio::select! {
                _ = changed.changed() => {}
                // Nothing is sent by whoever watches: this is the end of the connection.
                _ = wire.fill_buf() => return Ok(()),
                () = tokio::time::sleep_until(pause) => {
                    if self.bookmarks {
                        send_chunk(wire, &self.bookmark()).await?;
                        bookmarked = Instant::now();
                    }
                    if Instant::now() >= self.until {
                        return end_chunks(wire).await;
                    }
                }
            }
        }
    }

    /// Adds what happened since it was last told; whether it can go on. It cannot where changes are forgotten.
    fn since(&mut self, state: &State, ready: &mut Vec<Value>) -> bool {
        let Some(changes) = state.store.since(self.told) else {
            let (told, oldest) = (self.told, state.store.oldest());
            ready.push(event("ERROR", expired(&format!("too old resource version: {told} ({oldest})")).1));
            return false;
        };
        ready.extend(changes.filter_map(|change| self.seen(change)));
        self.told = state.store.revision().max(self.told);
        true
    }

    /// A change as this watch sees it: what comes into its selection is new to it, what leaves it is gone.
    fn seen(&self, change: &Change) -> Option<Value> {
        let kind = self.place.kind;
        if !change.key.is_in(kind, self.place.within()) {
            return None;
        }
        let selected = |object: &Option<Value>| {
            object.as_ref().map(|object| shown(kind, object)).filter(|object| self.selection.has(object))
        };
        match (selected(&change.before), selected(&change.after)) {
            (None, Some(after)) => Some(event("ADDED", after)),
            (Some(_), Some(after)) => Some(event("MODIFIED", after)),
            (Some(mut before), None) => {
                before["metadata"]["resourceVersion"] = json!(change.revision.to_string());
                Some(event("DELETED", before))
            }
            (None, None) => None,
        }
    }

    fn bookmark(&self) -> Value {
        let (kind, version) = (self.place.kind.kind, self.place.kind.api_version());
        let metadata = json!({ "resourceVersion": self.told.to_string(), "creationTimestamp": null });
        event("BOOKMARK", json!({ "kind": kind, "apiVersion": version, "metadata": metadata }))
    }
}

fn event(kind: &str, object: Value) -> Value {
    json!({ "type": kind, "object": object })
}
