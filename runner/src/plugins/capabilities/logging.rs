//! `logging`: messages for the person who reads the run.

use crate::plugins::bindings::runner::plugin::logging::{Host, Level};
use crate::plugins::state::Ctx;
use crate::terms::LogLevel;

impl Host for Ctx {
    fn log(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        self.host_call()?;
        self.meter.take(message.len())?;
        let level = match level {
            Level::Debug => LogLevel::Debug,
            Level::Info => LogLevel::Info,
            Level::Warn => LogLevel::Warn,
            Level::Error => LogLevel::Error,
        };
        self.log.say(level, &message);
        Ok(())
    }
}
