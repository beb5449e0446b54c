//! `settings`: what the operator configured for this plugin.

use crate::plugins::bindings::runner::plugin::settings::Host;
use crate::plugins::state::Ctx;

impl Host for Ctx {
    fn get(&mut self) -> wasmtime::Result<String> {
        self.host_call()?;
        let settings = self.settings.to_string();
        self.text(settings)
    }
}
