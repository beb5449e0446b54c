//! `random`: random bytes, recorded with the run.

use super::expect_reply;
use crate::plugins::bindings::runner::plugin::random::Host;
use crate::plugins::state::Ctx;
use crate::surroundings::Ask;

/// The most bytes of one call, as the contract says.
const MAX: u32 = 4096;

impl Host for Ctx {
    async fn bytes(&mut self, len: u32) -> wasmtime::Result<Vec<u8>> {
        if len > MAX {
            return Err(wasmtime::Error::msg(format!("random.bytes gives at most {MAX} bytes, {len} were asked for")));
        }
        let bytes = expect_reply!(self.ask(Ask::Random { len }, 0).await?, Bytes);
        let bytes = bytes.map_err(|refused: crate::surroundings::Refused| wasmtime::Error::msg(refused.to_string()))?;
        self.meter.give(bytes.len())?;
        Ok(bytes)
    }
}
