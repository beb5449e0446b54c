//! `secrets`: named secrets, opaque until they are revealed, and blotted out wherever the plugin says them again.

#![allow(unreachable_pub, reason = "the generated bindings re-export the handle, so it has to be `pub`")]

use wasmtime::component::Resource;

use super::expect_reply;
use crate::plugins::bindings::runner::plugin::failures::Failure;
use crate::plugins::bindings::runner::plugin::secrets::{Host, HostSecret};
use crate::plugins::state::Ctx;
use crate::surroundings::Ask;

/// A secret that the guest holds a handle of.
pub struct SecretHandle {
    name: String,
    text: String,
}

impl Host for Ctx {
    async fn get(&mut self, name: String) -> wasmtime::Result<Result<Resource<SecretHandle>, Failure>> {
        let size = name.len();
        match expect_reply!(self.ask(Ask::Secret { name: name.clone() }, size).await?, Secret) {
            Ok(text) => Ok(Ok(self.table.push(SecretHandle { name, text })?)),
            Err(refused) => Ok(Err(refused.into())),
        }
    }
}

impl HostSecret for Ctx {
    async fn reveal(&mut self, secret: Resource<SecretHandle>) -> wasmtime::Result<String> {
        self.host_call()?;
        let SecretHandle { name, text } = self.table.get(&secret)?;
        let (name, text) = (name.clone(), text.clone());
        self.blot.learn(&name, &text);
        self.text(text)
    }

    async fn drop(&mut self, secret: Resource<SecretHandle>) -> wasmtime::Result<()> {
        self.table.delete(secret)?;
        Ok(())
    }
}
