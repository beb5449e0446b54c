//! `http`: one request, its redirects followed by ourselves, so that each target is put before the grants.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use url::Url;

use crate::grants::Grants;
use crate::grants::http::{allowing, origin, read_url};
use crate::surroundings::{Header, HttpRequest, HttpResponse, Refused, Reply, room};
use connect::Connector;
pub use connect::{Resolve, SystemResolver};

mod connect;
mod exchange;
#[cfg(test)]
mod tests;
mod trust;

/// The most redirects of one request, as the contract says.
const MAX_REDIRECTS: usize = 10;

/// Headers that may go on to another origin: they say what is wanted, not who wants it. `Authorization`, `Cookie` and whatever
/// else a plugin puts its secrets into stay behind.
const TRAVELLING: [&str; 5] = ["accept", "accept-language", "content-language", "content-type", "user-agent"];

/// Headers that say something of a body.
const OF_BODY: [&str; 4] = ["content-encoding", "content-language", "content-location", "content-type"];

/// Sends requests. Keeps no connection: each request has one of its own, to an address that was looked at for it.
#[derive(Clone)]
pub(super) struct Http {
    connector: Connector,
}

/// One request on its way.
struct Hop {
    method: String,
    url: Url,
    headers: Vec<Header>,
    body: Vec<u8>,
}

impl Default for Http {
    fn default() -> Self {
        Self::new(Arc::new(SystemResolver))
    }
}

impl Http {
    pub(super) fn new(resolver: Arc<dyn Resolve>) -> Self {
        Self { connector: Connector::new(resolver) }
    }

    /// Sends a request that the grants permit, within its own time limit.
    pub(super) async fn send(&self, grants: &Grants, request: &HttpRequest) -> Result<Reply, Refused> {
        let answer = self.follow(grants, request);
        let response = match request.timeout_ms.map(|ms| Duration::from_millis(ms.into())) {
            None => answer.await?,
            Some(limit) => timeout(limit, answer).await.map_err(|_| {
                let host = read_url(&request.url).map(|url| origin(&url)).unwrap_or_default();
                Refused::new("timeout", format!("{host} did not answer within {}", humantime::format_duration(limit)))
            })??,
        };
        Ok(Reply::Http(response))
    }

    async fn follow(&self, grants: &Grants, request: &HttpRequest) -> Result<HttpResponse, Refused> {
        let HttpRequest { method, url, headers, body, .. } = request.clone();
        let mut hop = Hop { method, url: read_url(&url)?, headers, body };
        for followed in 0.. {
            let response = self.exchange(grants, &hop).await.map_err(|refused| match followed {
                0 => refused,
                // The plugin knows the target that it named, not the one that it was sent on to.
                _ => Refused::new(&refused.kind, format!("redirected to {}: {}", origin(&hop.url), refused.message)),
            })?;
            let Some(location) = redirect(&response) else { return Ok(response) };
            if followed == MAX_REDIRECTS {
                let text = format!("{} redirects and no end: given up at {}", MAX_REDIRECTS + 1, origin(&hop.url));
                return Err(Refused::new("failed", text));
            }
            hop = hop.redirected(response.status, location)?;
        }
        Err(Refused::new("failed", "no answer"))
    }

    /// One request and its answer, if the grants allow it.
    async fn exchange(&self, grants: &Grants, hop: &Hop) -> Result<HttpResponse, Refused> {
        let allowing = allowing(&grants.http, &hop.method, &hop.url)?;
        let stream = self.connector.connect(&hop.url, &allowing).await?;
        exchange::exchange(stream, hop, room()).await
    }
}

impl Hop {
    /// The request to make after this answer, as the Fetch standard has it: a `POST` becomes a `GET` after 301 and 302, everything
    /// but `GET` and `HEAD` after 303, and another origin gets no credentials.
    fn redirected(self, status: u16, location: &str) -> Result<Self, Refused> {
        let joined =
            self.url.join(location).map_err(|e| Refused::new("failed", format!("the server redirects to no URL: {e}")))?;
        let url = read_url(joined.as_str())
            .map_err(|refused| Refused::denied(format!("{} redirects: {}", origin(&self.url), refused.message)))?;
        if self.url.scheme() == "https" && url.scheme() == "http" {
            let text = format!("{} redirects to {}, from https:// to http://", origin(&self.url), origin(&url));
            return Err(Refused::denied(text));
        }
        let Self { mut method, url: from, mut headers, mut body } = self;
        let becomes_get = match status {
            301 | 302 => method == "POST",
            303 => method != "GET" && method != "HEAD",
            _ => false,
        };
        let is_one_of = |header: &Header, names: &[&str]| names.iter().any(|name| header.name.eq_ignore_ascii_case(name));
        if becomes_get {
            method = "GET".to_owned();
            body.clear();
            headers.retain(|header| !is_one_of(header, &OF_BODY));
        }
        if from.origin() != url.origin() {
            headers.retain(|header| is_one_of(header, &TRAVELLING));
        }
        Ok(Self { method, url, headers, body })
    }
}

/// Where this answer leads, if it does.
fn redirect(response: &HttpResponse) -> Option<&str> {
    let location = || response.headers.iter().find(|header| header.name == "location").map(|header| header.value.as_str());
    if matches!(response.status, 301 | 302 | 303 | 307 | 308) { location() } else { None }
}
