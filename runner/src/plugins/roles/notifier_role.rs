//! `notifier`: who is told what happened?

use std::sync::Arc;

use crate::event::Event;
use crate::plugins::bindings::exports::runner::plugin::notifier as wit;
use crate::plugins::call::Guest;
use crate::plugins::record::ToldEvent;
use crate::plugins::state::millis;

/// The events as guests see them: the whole event is in `json`, kind and time beside it.
pub(in crate::plugins) fn events(events: &[Event]) -> Arc<[ToldEvent]> {
    let json = |event: &Event| serde_json::to_string(event).unwrap_or_else(|_| "{}".to_owned());
    events.iter().map(|e| ToldEvent { kind: e.name(), at_ms: millis(e.at), json: json(e) }).collect()
}

/// Tells the plugin about these events.
pub(in crate::plugins) async fn notify(
    guest: Guest<'_>,
    indices: wit::GuestIndices,
    events: Arc<[ToldEvent]>,
) -> wasmtime::Result<Result<(), String>> {
    let Guest { store, instance, .. } = guest;
    store.data_mut().meter.give(events.iter().map(|e| e.kind.len() + e.json.len()).sum())?;
    let role = indices.load(&mut *store, instance)?;
    let event = |e: &ToldEvent| wit::Event { kind: e.kind.clone(), at_ms: e.at_ms, json: e.json.clone() };
    let events: Vec<_> = events.iter().map(event).collect();
    let result = role.call_notify(&mut *store, &events).await?;
    store.data_mut().meter.take(result.as_ref().map_or_else(String::len, |()| 0))?;
    Ok(result)
}
