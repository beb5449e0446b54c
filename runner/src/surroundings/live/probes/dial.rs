//! Connections to a target: TCP for `http://`, and TLS with this node's etcd certificates for `https://`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::pki_types::ServerName;

use super::latency;
use crate::grants::Target;
use crate::surroundings::{Latency, Refused};
use crate::tls::{ClientTls, Explainer};

/// How long one connection, its handshake included, may take; and how long looking a name up may. A peer that needs longer is none:
/// etcd holds an election after one second.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// How to get to a target.
pub(super) struct Way {
    pub(super) target: Target,
    addresses: Vec<SocketAddr>,
    tls: Option<Tls>,
}

struct Tls {
    config: ClientConfig,
    name: ServerName<'static>,
    explainer: Explainer,
}

/// A connection over which anything can be said.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Way {
    /// Looks up the target's addresses and reads the TLS files, where it takes any. Connects to nothing.
    pub(super) async fn to(target: Target, files: Option<&ClientTls>) -> Result<Self, Refused> {
        let tls = if target.tls { Some(Tls::of(&target, files)?) } else { None };
        Ok(Self { addresses: addresses(&target).await?, target, tls })
    }

    /// Connects so often, one after another, and says how long each took. Names are looked up before, once; a handshake is a whole
    /// one each time. Sends nothing, so a server that refuses our certificate after the handshake (TLS 1.3) is not found out.
    pub(super) async fn time(mut self, times: u32) -> Result<Latency, Refused> {
        let mut took = Vec::with_capacity(times as usize);
        for n in 1..=times {
            let (address, time) = self.dial(&[]).await.map(|(_, address, time)| (address, time)).map_err(|refused| {
                let which = if times == 1 { String::new() } else { format!(" (connection {n} of {times})") };
                Refused { message: refused.message + &which, ..refused }
            })?;
            // The first address that works is the one that is measured.
            self.addresses = vec![address];
            took.push(time);
        }
        Ok(latency::of(took))
    }

    /// A connection that offers these protocols within TLS.
    pub(super) async fn open(&self, protocols: &[&[u8]]) -> Result<Box<dyn Stream>, Refused> {
        self.dial(protocols).await.map(|(stream, ..)| stream)
    }

    /// Tries the addresses one after another.
    async fn dial(&self, protocols: &[&[u8]]) -> Result<(Box<dyn Stream>, SocketAddr, Duration), Refused> {
        let mut last = None;
        for address in &self.addresses {
            let start = Instant::now();
            match timeout(PATIENCE, self.dial_at(*address, protocols)).await {
                Ok(Ok(stream)) => return Ok((stream, *address, start.elapsed())),
                Ok(Err(refused)) => last = Some(refused),
                Err(_) => last = Some(silent(&self.target)),
            }
        }
        Err(last.unwrap_or_else(|| Refused::new("unavailable", format!("{} has no address", self.target))))
    }

    async fn dial_at(&self, address: SocketAddr, protocols: &[&[u8]]) -> Result<Box<dyn Stream>, Refused> {
        let tcp = connect(&self.target, address).await?;
        let Some(tls) = &self.tls else { return Ok(Box::new(tcp)) };
        let mut config = tls.config.clone();
        config.alpn_protocols = protocols.iter().map(|p| p.to_vec()).collect();
        match TlsConnector::from(Arc::new(config)).connect(tls.name.clone(), tcp).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(match tls.explainer.explain_io(&error) {
                Some(why) => Refused::new("failed", format!("{}: {why}", self.target)),
                None => Refused::new("unavailable", format!("{} hung up during the TLS handshake: {error}", self.target)),
            }),
        }
    }
}

impl Tls {
    fn of(target: &Target, files: Option<&ClientTls>) -> Result<Self, Refused> {
        let unavailable = |why: String| Refused::new("unavailable", why);
        let files = files.ok_or_else(|| unavailable("this node has no TLS files for etcd to connect with".to_owned()))?;
        let loaded = files.load().map_err(|e| unavailable(e.to_string()))?;
        let name = loaded.server_name.map_or_else(|| server_name(target), Ok)?;
        let mut config = ClientConfig::clone(&loaded.config);
        // Each handshake is to be a whole one.
        config.resumption = Resumption::disabled();
        Ok(Self { config, name, explainer: loaded.explainer })
    }
}

/// The host's name in a handshake.
pub(super) fn server_name(target: &Target) -> Result<ServerName<'static>, Refused> {
    let bad = |_| Refused::invalid(format!("the host of {target} is neither a name nor an address"));
    ServerName::try_from(target.host.clone()).map_err(bad)
}

/// The addresses of the target's host, at least one.
pub(super) async fn addresses(target: &Target) -> Result<Vec<SocketAddr>, Refused> {
    let unknown = |why: String| Refused::new("unavailable", format!("the address of {target} cannot be found: {why}"));
    let found = timeout(PATIENCE, lookup_host((target.host.as_str(), target.port))).await;
    let found: Vec<_> = found.map_err(|_| silent(target))?.map_err(|e| unknown(e.to_string()))?.collect();
    if found.is_empty() { Err(unknown("it has none".to_owned())) } else { Ok(found) }
}

/// A TCP connection. The caller bounds the time.
pub(super) async fn connect(target: &Target, address: SocketAddr) -> Result<TcpStream, Refused> {
    let unavailable = |e: std::io::Error| Refused::new("unavailable", format!("cannot connect to {target}: {e}"));
    let tcp = TcpStream::connect(address).await.map_err(unavailable)?;
    tcp.set_nodelay(true).map_err(unavailable)?;
    Ok(tcp)
}

pub(super) fn silent(target: &Target) -> Refused {
    Refused::new("timeout", format!("{target} gave no answer within {}", humantime::format_duration(PATIENCE)))
}
