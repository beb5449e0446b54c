//! HTTP/1.1 as far as an API server needs it: requests with a body, answers whole or in chunks.

use std::io;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// What a request may have before its body.
const LARGEST_HEAD: usize = 64 << 10;

/// How large a body may be: etcd's limit for one object, and some.
const LARGEST_BODY: usize = 3 << 20;

/// A connection.
pub(super) type Wire = BufReader<TlsStream<TcpStream>>;

/// One request.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: String,
    /// The path with its query.
    pub(super) target: String,
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    /// The next request; none at the end of the connection.
    pub(super) async fn read(wire: &mut Wire) -> io::Result<Option<Self>> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if wire.read_until(b'\n', &mut head).await? == 0 || head.len() > LARGEST_HEAD {
                return Ok(None);
            }
        }
        let text = String::from_utf8_lossy(&head).into_owned();
        let mut lines = text.lines();
        let mut first = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
        let (method, target) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
        let pairs = lines.filter_map(|line| line.split_once(':'));
        let headers = pairs.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
        let mut request = Self { method, target, headers, body: Vec::new() };
        let length = request.header("content-length").parse().unwrap_or(0);
        if length > LARGEST_BODY {
            return Err(io::Error::other("a body that is too large"));
        }
        request.body = vec![0; length];
        wire.read_exact(&mut request.body).await?;
        Ok(Some(request))
    }

    /// A header's value; empty without it.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    /// The path without the query.
    pub(super) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// A parameter of the query.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        let query = self.target.split_once('?')?.1;
        query.split('&').filter_map(|pair| pair.split_once('=')).find(|(n, _)| *n == name).map(|(_, v)| decoded(v))
    }

    /// Whether a parameter is `true` or `1`.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.parameter(name).is_some_and(|value| value == "true" || value == "1")
    }
}

/// `%3D` and `+` as what they stand for.
pub(super) fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok());
        rest = after;
        match (first, hex) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (b'+', _) => bytes.push(b' '),
            (other, _) => bytes.push(*other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Sends a whole answer.
pub(super) async fn respond(wire: &mut Wire, code: u16, body: &str) -> io::Result<()> {
    wire.write_all(&whole(code, body)).await?;
    wire.flush().await
}

/// Sends the first half of an answer.
pub(super) async fn respond_half(wire: &mut Wire, code: u16, body: &str) -> io::Result<()> {
    let bytes = whole(code, body);
    wire.write_all(&bytes[..bytes.len() - body.len().div_ceil(2)]).await?;
    wire.flush().await
}

/// Starts an answer that comes in chunks.
pub(super) async fn start_chunks(wire: &mut Wire) -> io::Result<()> {
    wire.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n").await?;
    wire.flush().await
}

/// One document and the end of its line, as a chunk.
pub(super) async fn send_chunk(wire: &mut Wire, document: &Value) -> io::Result<()> {
    let line = format!("{document}\n");
    wire.write_all(format!("{:x}\r\n{line}\r\n", line.len()).as_bytes()).await?;
    wire.flush().await
}

/// Ends an answer that came in chunks.
pub(super) async fn end_chunks(wire: &mut Wire) -> io::Result<()> {
    wire.write_all(b"0\r\n\r\n").await?;
    wire.flush().await
}

fn whole(code: u16, body: &str) -> Vec<u8> {
    let kind = if body.starts_with(['{', '[']) { "application/json" } else { "text/plain" };
    let head = format!("HTTP/1.1 {code} x\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body.as_bytes()].concat()
}
