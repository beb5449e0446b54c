//! What went wrong in a call: wasmtime's errors and our own limits, sorted into the kinds that the pipeline knows.

use wasmtime::Trap;
use wasmtime::component::ResourceTableError;
use wasmtime_wasi::I32Exit;

use super::limits::{Hit, Limits};
use super::state::Ctx;
use super::text;
use crate::pipeline::FaultKind;

/// wasmtime has no types for these two; a test of each would fail if its text changed.
const HANDLES_EXCEEDED: &str = "store handle limit exceeded";
const FUEL_EXHAUSTED: &str = "fuel allocated for hostcalls has been exhausted";

/// The kind and the sentence of an error that ended a call. The sentence goes on after the plugin's name.
pub(super) fn classify(error: &wasmtime::Error, ctx: &Ctx, limits: &Limits) -> (FaultKind, String) {
    if let Some(hit) = error.chain().find_map(|e| e.downcast_ref::<Hit>()) {
        let kind = match hit {
            Hit::Cpu => FaultKind::Cpu,
            Hit::Bytes | Hit::Findings | Hit::Questions => FaultKind::Bytes,
        };
        return (kind, limits.sentence(*hit));
    }
    let root = error.root_cause().to_string();
    if root.contains(FUEL_EXHAUSTED) {
        return (FaultKind::Bytes, limits.sentence(Hit::Bytes));
    }
    let table_full = error.chain().any(|e| matches!(e.downcast_ref(), Some(ResourceTableError::Full)));
    if table_full || root.contains(HANDLES_EXCEEDED) {
        return (FaultKind::Handles, format!("kept more than its {} handles", limits.handles));
    }
    if let Some(wanted) = ctx.memory.refused {
        let (wanted, limit) = (text::bytes(wanted), text::bytes(limits.memory));
        return (
            FaultKind::Memory,
            format!("wanted {wanted} of memory and may have {limit}; then it ended: {}", cause(error)),
        );
    }
    if ctx.entered {
        (FaultKind::Trap, format!("trapped: {}", cause(error)))
    } else {
        (FaultKind::Instantiate, format!("could not be instantiated: {}", cause(error)))
    }
}

/// What an error comes down to, in a few words.
fn cause(error: &wasmtime::Error) -> String {
    if let Some(exit) = error.chain().find_map(|e| e.downcast_ref::<I32Exit>()) {
        return format!("it ended itself with exit status {}", exit.0);
    }
    match error.chain().find_map(|e| e.downcast_ref::<Trap>()) {
        // What compilers make of a panic, an abort and a failed assertion.
        Some(Trap::UnreachableCodeReached) => "it reached `unreachable`, as a guest does that panics or aborts".to_owned(),
        Some(Trap::StackOverflow) => "its call stack is exhausted".to_owned(),
        Some(trap) => trap.to_string().trim_start_matches("wasm trap: ").to_owned(),
        None => error.root_cause().to_string(),
    }
}
