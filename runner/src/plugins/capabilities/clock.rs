//! `clock`: the time as a fact. It is taken once per call, so that one call sees one time and a recorded call can be replayed.

use crate::plugins::bindings::runner::plugin::clock::Host;
use crate::plugins::state::{Ctx, millis};

impl Host for Ctx {
    fn now_ms(&mut self) -> wasmtime::Result<u64> {
        self.host_call()?;
        Ok(millis(self.now))
    }
}
