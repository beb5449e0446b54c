//! `logging`: messages for the person who reads the run.

use crate::plugins::bindings::runner::plugin::logging::{Host, Level};
use crate::plugins::state::Ctx;

impl Host for Ctx {
    fn log(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        self.host_call()?;
        self.meter.take(message.len())?;
        let level = match level {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        };
        self.log.say(level, &message);
        Ok(())
    }
}
