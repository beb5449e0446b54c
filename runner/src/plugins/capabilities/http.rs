//! `http`: outgoing requests.

use super::expect_reply;
use crate::plugins::bindings::runner::plugin::failures::Failure;
use crate::plugins::bindings::runner::plugin::http::{Header, Host, Request, Response};
use crate::plugins::state::Ctx;
use crate::surroundings::{self, Ask, HttpRequest};

impl Host for Ctx {
    async fn send(&mut self, request: Request) -> wasmtime::Result<Result<Response, Failure>> {
        let Request { method, url, headers, body, timeout_ms } = request;
        let size =
            method.len() + url.len() + body.len() + headers.iter().map(|h| h.name.len() + h.value.len()).sum::<usize>();
        let headers = headers.into_iter().map(|Header { name, value }| surroundings::Header { name, value }).collect();
        let ask = Ask::Http(HttpRequest { method, url, headers, body, timeout_ms });
        let response = match expect_reply!(self.ask(ask, size).await?, Http) {
            Ok(response) => response,
            Err(refused) => return Ok(Err(refused.into())),
        };
        let size = response.body.len() + response.headers.iter().map(|h| h.name.len() + h.value.len()).sum::<usize>();
        self.meter.give(size)?;
        let headers = response.headers.into_iter().map(|h| Header { name: h.name, value: h.value }).collect();
        Ok(Ok(Response { status: response.status, headers, body: response.body }))
    }
}
