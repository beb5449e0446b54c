//! One request and its answer on a connection of their own, in HTTP/1.1.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio_util::task::AbortOnDropHandle;

use super::Hop;
use super::connect::Stream;
use crate::grants::http::origin;
use crate::surroundings::{Header, HttpResponse, Refused};

/// The most bytes of an answer's head: four times what servers send at most by default.
const MAX_HEAD: usize = 64 << 10;

/// What we say we are, where the plugin does not.
const AGENT: &str = concat!("runner/", env!("CARGO_PKG_VERSION"));

/// Sends it, and takes an answer of at most `room` bytes.
pub(super) async fn exchange(stream: Box<dyn Stream>, hop: &Hop, room: usize) -> Result<HttpResponse, Refused> {
    let broken = |error: hyper::Error| {
        let why = if error.is_parse_too_large() { "too many or too large headers".to_owned() } else { chain(&error) };
        Refused::new("failed", format!("{} gave no proper answer: {why}", origin(&hop.url)))
    };
    let request = request(hop)?;
    let mut builder = http1::Builder::new();
    builder.max_buf_size(MAX_HEAD);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // It ends with this exchange, however that ends.
    let _driver = AbortOnDropHandle::new(tokio::spawn(connection));
    let response = sender.send_request(request).await.map_err(broken)?;

    let status = response.status().as_u16();
    let headers: Vec<Header> = response.headers().iter().filter_map(header).collect();
    let mut left = room.checked_sub(headers.iter().map(|h| h.name.len() + h.value.len()).sum());
    let too_large = || {
        let text =
            format!("the answer of {} has more than the {room} bytes that this call may still take", origin(&hop.url));
        Refused::new("too-large", text)
    };
    let mut body = response.into_body();
    let announced = hyper::body::Body::size_hint(&body).lower();
    if left.is_none_or(|left| hop.method != "HEAD" && announced > left as u64) {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        left = left.and_then(|left| left.checked_sub(data.len()));
        if left.is_none() {
            return Err(too_large());
        }
        bytes.extend_from_slice(&data);
    }
    Ok(HttpResponse { status, headers, body: bytes })
}

fn request(hop: &Hop) -> Result<hyper::Request<Full<Bytes>>, Refused> {
    let url = &hop.url;
    let target = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let host = match (url.host_str().unwrap_or_default(), url.port()) {
        (host, Some(port)) => format!("{host}:{port}"),
        (host, None) => host.to_owned(),
    };
    let mut builder = hyper::Request::builder().method(hop.method.as_str()).uri(target);
    builder = builder.header("host", host).header("connection", "close");
    if !hop.headers.iter().any(|header| header.name.eq_ignore_ascii_case("user-agent")) {
        builder = builder.header("user-agent", AGENT);
    }
    for Header { name, value } in &hop.headers {
        builder = builder.header(name, value);
    }
    // What cannot be sent was refused before; the error would hold the header's value.
    builder
        .body(Full::new(Bytes::from(hop.body.clone())))
        .map_err(|_| Refused::invalid("the request cannot be sent as it is"))
}

/// A header whose value is text.
fn header((name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)) -> Option<Header> {
    let value = std::str::from_utf8(value.as_bytes()).ok()?;
    Some(Header { name: name.as_str().to_owned(), value: value.to_owned() })
}

fn chain(error: &hyper::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
