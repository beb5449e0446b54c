//! `kubernetes`: reads from the API.

use super::expect_reply;
use crate::plugins::bindings::runner::plugin::failures::Failure;
use crate::plugins::bindings::runner::plugin::kubernetes::Host;
use crate::plugins::state::Ctx;
use crate::surroundings::Ask;

impl Host for Ctx {
    async fn get(
        &mut self,
        api_version: String,
        kind: String,
        namespace: Option<String>,
        name: String,
    ) -> wasmtime::Result<Result<Option<String>, Failure>> {
        let size = api_version.len() + kind.len() + namespace.as_ref().map_or(0, String::len) + name.len();
        let ask = Ask::KubernetesGet { api_version, kind, namespace, name };
        match expect_reply!(self.ask(ask, size).await?, Object) {
            Ok(object) => Ok(Ok(self.optional_text(object)?)),
            Err(refused) => Ok(Err(refused.into())),
        }
    }

    async fn list_objects(
        &mut self,
        api_version: String,
        kind: String,
        namespace: Option<String>,
        selector: Option<String>,
    ) -> wasmtime::Result<Result<Vec<String>, Failure>> {
        let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let size = api_version.len() + kind.len() + optional(&namespace) + optional(&selector);
        let ask = Ask::KubernetesList { api_version, kind, namespace, selector };
        match expect_reply!(self.ask(ask, size).await?, Objects) {
            Ok(objects) => Ok(Ok(self.texts(objects)?)),
            Err(refused) => Ok(Err(refused.into())),
        }
    }
}
