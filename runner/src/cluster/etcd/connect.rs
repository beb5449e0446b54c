//! Making a connection: our own connector, so that what went wrong is known and not guessed.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tonic::codegen::Service;
use tonic::codegen::http::Uri;
use tonic::transport::Endpoint;

use super::CONNECT_TIMEOUT;
use crate::cluster::{ClusterError, Reason, Result};
use crate::tls::{Explainer, LoadedTls};

/// Where an endpoint is and how it is reached.
#[derive(Clone)]
pub(super) struct Target {
    host: String,
    port: u16,
    tls: Option<Tls>,
    /// What a connection that was up has shown of its end, until somebody reports it.
    fault: Arc<Mutex<Option<Fault>>>,
}

#[derive(Clone)]
struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
    explainer: Explainer,
}

/// Why there is no connection: found in the chain of a failed call's sources.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) reason: Reason,
    pub(super) message: String,
}

/// A connection that remembers why it ended.
pub(super) struct Stream {
    io: Io,
    target: Target,
    fresh: bool,
}

enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Target {
    /// Reads an endpoint: `https://host:port`, `http://host:port` or `host:port`; the port defaults to etcd's 2379.
    pub(super) fn parse(endpoint: &str, tls: Option<&LoadedTls>) -> Result<Self> {
        let bad = |why: &str| ClusterError::new(Reason::Other, format!("`{endpoint}` is not an endpoint: {why}"), endpoint);
        let full = match endpoint.contains("://") {
            true => endpoint.to_owned(),
            false => format!("{}://{endpoint}", if tls.is_some() { "https" } else { "http" }),
        };
        let uri: Uri = full.parse().map_err(|e| bad(&format!("{e}")))?;
        let host = uri.host().ok_or_else(|| bad("it names no host"))?.trim_matches(['[', ']']).to_owned();
        let port = uri.port_u16().unwrap_or(2379);
        let tls = match uri.scheme_str() {
            Some("http") => None,
            Some("https") => {
                let tls = tls.ok_or_else(|| {
                    ClusterError::new(
                        Reason::Tls,
                        "no CA certificate was given to check an https:// endpoint with",
                        endpoint,
                    )
                })?;
                let name = match &tls.server_name {
                    Some(name) => name.clone(),
                    None => ServerName::try_from(host.clone()).map_err(|_| bad("its host is no name and no address"))?,
                };
                let connector = TlsConnector::from(tls.config.clone());
                Some(Tls { connector, name, explainer: tls.explainer.clone() })
            }
            _ => return Err(bad("only http:// and https:// are understood")),
        };
        Ok(Self { host, port, tls, fault: Arc::default() })
    }

    /// A channel that connects when it is first used.
    pub(super) fn channel(&self, endpoint: &str) -> Result<tonic::transport::Channel> {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        // tonic wants `http` here because TLS is done in our connector; the origin carries what the server gets to see.
        let bad = |e: &dyn fmt::Display| ClusterError::new(Reason::Other, format!("not an endpoint: {e}"), endpoint);
        let uri: Uri = format!("http://{host}:{}", self.port).parse().map_err(|e| bad(&e))?;
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let origin: Uri = format!("{scheme}://{host}:{}", self.port).parse().map_err(|e| bad(&e))?;
        Ok(Endpoint::from(uri).origin(origin).connect_with_connector_lazy(self.clone()))
    }

    /// Takes what the last connection has shown of its end.
    pub(super) fn take_fault(&self) -> Option<Fault> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set_fault(&self, fault: Fault) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
    }

    async fn connect(self) -> std::result::Result<TokioIo<Stream>, Fault> {
        // In TLS 1.3 a client learns only after the handshake that its certificate was refused. tonic would connect again and
        // again; so the refusal of the last connection ends the attempt.
        if let Some(fault) = self.take_fault() {
            return Err(fault);
        }
        let unreachable = |message: String| Fault { reason: Reason::Unreachable, message };
        let attempt = async {
            let tcp = TcpStream::connect((self.host.as_str(), self.port))
                .await
                .map_err(|e| unreachable(format!("cannot connect: {}", plain(&e))))?;
            // Small messages, each waited for.
            tcp.set_nodelay(true).map_err(|e| unreachable(format!("cannot connect: {}", plain(&e))))?;
            match &self.tls {
                None => Ok(Io::Plain(tcp)),
                Some(tls) => match tls.connector.connect(tls.name.clone(), tcp).await {
                    Ok(stream) => Ok(Io::Tls(Box::new(stream))),
                    Err(error) => Err(match tls.explainer.explain_io(&error) {
                        Some(message) => Fault { reason: Reason::Tls, message },
                        None => unreachable(format!("the connection broke during the TLS handshake: {}", plain(&error))),
                    }),
                },
            }
        };
        let io = timeout(CONNECT_TIMEOUT, attempt).await.map_err(|_| {
            unreachable(format!("cannot connect: no answer within {}", humantime::format_duration(CONNECT_TIMEOUT)))
        })??;
        Ok(TokioIo::new(Stream { io, target: self, fresh: true }))
    }
}

impl Service<Uri> for Target {
    type Response = TokioIo<Stream>;
    type Error = Fault;
    type Future = BoxFuture<'static, std::result::Result<Self::Response, Fault>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::result::Result<(), Fault>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        Box::pin(self.clone().connect())
    }
}

impl Stream {
    /// Looks at the first thing that comes from a plain endpoint: an HTTP/2 server starts with a SETTINGS frame, whose first byte
    /// is the high byte of a small length. A TLS server that was sent plain HTTP/2 answers with an alert (0x15), in plain HTTP/1
    /// (`H`), or hangs up; the last alone is no proof, a dying server does it too.
    fn look(&mut self, first: Option<u8>) {
        if !std::mem::replace(&mut self.fresh, false) || matches!(self.io, Io::Tls(_)) {
            return;
        }
        let (reason, what) = match first {
            Some(0x15 | b'H') => (Reason::Tls, "the endpoint does not speak plain gRPC"),
            None => (Reason::ConnectionLost, "the endpoint hung up without a word"),
            Some(_) => return,
        };
        self.target.set_fault(Fault { reason, message: format!("{what}; is it https:// rather than http://?") });
    }

    /// Keeps the TLS error, if it is one, where the failed call will look for it.
    fn note(&self, error: &io::Error) {
        if let Some(tls) = &self.target.tls
            && let Some(message) = tls.explainer.explain_io(error)
        {
            self.target.set_fault(Fault { reason: Reason::Tls, message });
        }
    }

    /// Passes a write's result on. Where it failed, what the endpoint said before it hung up is read first: a refused client
    /// certificate shows as a broken pipe when we are quicker to write than to read the refusal.
    fn written<T>(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if !matches!(result, Poll::Ready(Err(_))) {
            return result;
        }
        // What comes here is of no other use: the connection is dead for writing.
        let mut scrap = [0; 256];
        match Pin::new(self).poll_read(cx, &mut ReadBuf::new(&mut scrap)) {
            Poll::Ready(_) => result,
            // A hung-up connection is always about to become readable, and the call has its deadline.
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let result = match &mut this.io {
            Io::Plain(io) => Pin::new(io).poll_read(cx, buf),
            Io::Tls(io) => Pin::new(io).poll_read(cx, buf),
        };
        match &result {
            Poll::Ready(Ok(())) if this.fresh => this.look(buf.filled().get(before).copied()),
            Poll::Ready(Err(error)) => {
                this.note(error);
                this.look(None);
            }
            _ => {}
        }
        result
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = match &mut this.io {
            Io::Plain(io) => Pin::new(io).poll_write(cx, buf),
            Io::Tls(io) => Pin::new(io).poll_write(cx, buf),
        };
        this.written(cx, result)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let result = match &mut this.io {
            Io::Plain(io) => Pin::new(io).poll_flush(cx),
            Io::Tls(io) => Pin::new(io).poll_flush(cx),
        };
        this.written(cx, result)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().io {
            Io::Plain(io) => Pin::new(io).poll_shutdown(cx),
            Io::Tls(io) => Pin::new(io).poll_shutdown(cx),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

/// The system's words without Rust's ` (os error 111)`.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error ") {
        Some((words, _)) => words.to_lowercase(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn endpoints_are_read_as_etcdctl_reads_them() {
        let plain = Target::parse("10.0.0.1:23790", None).unwrap();
        assert_eq!((plain.host.as_str(), plain.port, plain.tls.is_some()), ("10.0.0.1", 23790, false));
        let v6 = Target::parse("http://[::1]", None).unwrap();
        assert_eq!((v6.host.as_str(), v6.port), ("::1", 2379));
        assert!(v6.channel("http://[::1]").is_ok());
    }

    #[test]
    fn bad_endpoints_are_refused_with_a_reason() {
        for (endpoint, reason) in [
            ("ftp://host:1", Reason::Other),
            ("", Reason::Other),
            ("http://", Reason::Other),
            ("https://host:2379", Reason::Tls),
        ] {
            let error = Target::parse(endpoint, None).err().unwrap_or_else(|| panic!("`{endpoint}` was taken"));
            assert_eq!(error.reason, reason, "{endpoint}: {error}");
        }
    }
}
