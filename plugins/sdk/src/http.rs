//! Capability: outgoing HTTP requests, to the hosts, ports and methods that the operator granted.
//!
//! ```
//! use runner_plugin::{fake, http};
//!
//! fn frozen() -> runner_plugin::Result<bool> {
//!     let response = http::get("https://change.example.com/freeze").header("accept", "application/json").timeout_ms(2_000).send()?;
//!     Ok(response.expect_success()?.json::<serde_json::Value>()?["frozen"] == true)
//! }
//!
//! fake::http::respond("GET https://change.example.com/freeze", Ok(http::Response::new(200).body(r#"{"frozen": true}"#)));
//! assert!(frozen().unwrap());
//! ```
//!
//! Runner resolves the name, refuses loopback, link-local, private and metadata addresses unless the grant names them, and
//! follows at most 10 redirects, each judged anew. There are no proxies, no cookies and no cache, and nothing is tried twice.

use serde::Serialize;
use serde::de::DeserializeOwned;

#[cfg(not(target_family = "wasm"))]
use crate::fake::http as host;
#[cfg(target_family = "wasm")]
use crate::guest::capabilities::http as host;
use crate::{Error, Failure, Result};

/// A request, to be [sent](Self::send).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`, …, in capitals.
    pub method: String,
    /// `https://host[:port]/path?query`, or `http://…` where that is granted.
    pub url: String,
    /// Names and values, in this order.
    pub headers: Vec<(String, String)>,
    /// Empty for most methods.
    pub body: Vec<u8>,
    /// For the whole exchange, redirects included, in milliseconds; none for what is left of the call's time.
    pub timeout_ms: Option<u32>,
}

/// A whole response. Any status is a response: see [`expect_success`](Self::expect_success).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Its status code.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// All of it.
    pub body: Vec<u8>,
}

/// A `GET` request.
pub fn get(url: impl Into<String>) -> Request {
    Request::new("GET", url)
}

/// A `POST` request.
pub fn post(url: impl Into<String>) -> Request {
    Request::new("POST", url)
}

impl Request {
    /// A request without headers and body.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self { method: method.into(), url: url.into(), headers: Vec::new(), body: Vec::new(), timeout_ms: None }
    }

    /// The same, with one header more.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The same, with this body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The same, with this as its body in JSON, and the header `content-type` that says so. A value that JSON cannot express (a
    /// map whose keys are no text) becomes `null`.
    #[must_use]
    pub fn json(self, body: &impl Serialize) -> Self {
        let text = serde_json::to_vec(body).unwrap_or_else(|_| b"null".to_vec());
        self.header("content-type", "application/json").body(text)
    }

    /// The same, to be given up after so many milliseconds, redirects included.
    #[must_use]
    pub fn timeout_ms(mut self, timeout_ms: u32) -> Self {
        self.timeout_ms = Some(timeout_ms);
        self
    }

    /// Sends it and reads its whole answer.
    ///
    /// # Errors
    /// A refusal (`denied`, `invalid`), trouble on the way (`unavailable`, `timeout`, `failed`), an answer of more bytes than this
    /// call may move (`too-large`). No error: a status of 404 or 500.
    pub fn send(&self) -> Result<Response, Failure> {
        host::send(self)
    }

    /// Its body as text; what is no UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Response {
    /// A response without headers and body, for tests.
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    /// The same, with one header more, for tests.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.into()));
        self
    }

    /// The same, with this body, for tests.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The first value of a header, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The response itself, if its status is 2xx.
    ///
    /// # Errors
    /// The status, and how the body begins.
    pub fn expect_success(self) -> Result<Self> {
        if self.is_success() {
            return Ok(self);
        }
        let text: String = self.text().trim().chars().take(200).collect();
        Err(Error::new(match text.is_empty() {
            true => format!("the server answered {}", self.status),
            false => format!("the server answered {}: {text}", self.status),
        }))
    }

    /// Its body as text; what is no UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Its body, read as JSON.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|e| Error::new(format!("the server's answer cannot be read: {e}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FailureKind, fake};

    #[test]
    fn a_request_is_what_was_said() {
        fake::http::respond("POST https://h.example/x", Ok(Response::new(201).with_header("Location", "/y")));
        let response = post("https://h.example/x").json(&[1, 2]).timeout_ms(50).send().unwrap();
        assert_eq!(response.header("LOCATION"), Some("/y"));
        let sent = fake::http::take_requests().remove(0);
        assert_eq!((sent.text().as_str(), sent.timeout_ms), ("[1,2]", Some(50)));
        assert_eq!(sent.headers, [("content-type".to_owned(), "application/json".to_owned())]);
    }

    #[test]
    fn what_no_test_foresaw_is_denied() {
        let failure = get("https://other.example/").send().unwrap_err();
        assert_eq!(failure.kind, FailureKind::Denied);
        assert!(failure.message.contains("GET https://other.example/"), "{failure}");
    }

    #[test]
    fn a_bad_status_is_an_error_where_success_is_expected() {
        let error = Response::new(503).body(" try later\n").expect_success().unwrap_err();
        assert_eq!(error.to_string(), "the server answered 503: try later");
        assert_eq!(Response::new(404).expect_success().unwrap_err().to_string(), "the server answered 404");
    }
}
