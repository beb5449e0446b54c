//! Making a connection: the name is resolved here, every address is looked at, and exactly the one that was looked at is
//! connected to. A name that changes its mind in between (DNS rebinding) gains nothing.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use url::{Host, Url};

use super::trust::Trust;
use crate::grants::HttpGrant;
use crate::grants::http::{origin, permit_address};
use crate::surroundings::Refused;

/// How long one address gets, TCP and TLS each. Three lost SYNs on Linux are 1 + 2 + 4 s; two are waited for.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);

/// How many addresses of a name are tried. All of them are looked at.
const TRIED: usize = 4;

/// Who knows the addresses of a name.
#[async_trait]
pub trait Resolve: Send + Sync {
    /// All addresses of a host, in the order in which they should be tried.
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The system's own resolver: the hosts file, DNS, and whatever else this node is set up with.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// A connection, plain or in TLS.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

#[derive(Clone)]
pub(super) struct Connector {
    resolver: Arc<dyn Resolve>,
    trust: Trust,
}

impl Connector {
    pub(super) fn new(resolver: Arc<dyn Resolve>) -> Self {
        Self { resolver, trust: Trust::default() }
    }

    /// Connects to the URL's host, at an address that these grants permit.
    pub(super) async fn connect(&self, url: &Url, grants: &[&HttpGrant]) -> Result<Box<dyn Stream>, Refused> {
        let unavailable = |why: String| Refused::new("unavailable", format!("cannot connect to {}: {why}", origin(url)));
        let addresses = self.addresses(url, grants).await?;
        let port = url.port_or_known_default().unwrap_or(443);
        let mut last = "it has no address".to_owned();
        for address in addresses.into_iter().take(TRIED) {
            match timeout(CONNECT_TIMEOUT, TcpStream::connect(SocketAddr::new(address, port))).await {
                Ok(Ok(tcp)) => return self.secure(url, grants, tcp).await,
                Ok(Err(error)) => last = plain(&error),
                Err(_) => last = format!("no answer within {}", humantime::format_duration(CONNECT_TIMEOUT)),
            }
        }
        Err(unavailable(last))
    }

    /// The host's addresses, each of them permitted: one that is not refuses them all, since nobody can tell which of them an
    /// attacker put there.
    async fn addresses(&self, url: &Url, grants: &[&HttpGrant]) -> Result<Vec<IpAddr>, Refused> {
        let host = match url.host() {
            Some(Host::Domain(name)) => name,
            Some(Host::Ipv4(address)) => return permit_address(grants, None, address.into()).map(|()| vec![address.into()]),
            Some(Host::Ipv6(address)) => return permit_address(grants, None, address.into()).map(|()| vec![address.into()]),
            None => return Err(Refused::invalid("the URL has no host")),
        };
        let found = timeout(CONNECT_TIMEOUT, self.resolver.resolve(host)).await;
        let why = match found {
            Ok(Ok(found)) if !found.is_empty() => {
                found.iter().try_for_each(|address| permit_address(grants, Some(host), *address))?;
                return Ok(found);
            }
            Ok(Ok(_)) => "it has no address".to_owned(),
            Ok(Err(error)) => plain(&error),
            Err(_) => format!("no answer within {}", humantime::format_duration(CONNECT_TIMEOUT)),
        };
        Err(Refused::new("unavailable", format!("the name {host} cannot be resolved: {why}")))
    }

    async fn secure(&self, url: &Url, grants: &[&HttpGrant], tcp: TcpStream) -> Result<Box<dyn Stream>, Refused> {
        // A whole request is written at once; only its end would wait for an acknowledgement.
        let _ = tcp.set_nodelay(true);
        if url.scheme() == "http" {
            return Ok(Box::new(tcp));
        }
        let failed = |why: String| Refused::new("failed", format!("no TLS with {}: {why}", origin(url)));
        let name = match url.host() {
            Some(Host::Domain(name)) => {
                let name = name.strip_suffix('.').unwrap_or(name).to_owned();
                ServerName::try_from(name).map_err(|e| failed(e.to_string()))?
            }
            Some(Host::Ipv4(address)) => ServerName::from(IpAddr::from(address)),
            Some(Host::Ipv6(address)) => ServerName::from(IpAddr::from(address)),
            None => return Err(Refused::invalid("the URL has no host")),
        };
        let config = self.trust.config(grants).await?;
        match timeout(CONNECT_TIMEOUT, TlsConnector::from(config).connect(name, tcp)).await {
            Ok(Ok(stream)) => Ok(Box::new(stream)),
            Ok(Err(error)) => Err(failed(plain(&error))),
            Err(_) => Err(failed(format!("no answer within {}", humantime::format_duration(CONNECT_TIMEOUT)))),
        }
    }
}

/// The system's words without Rust's ` (os error 111)`.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error ") {
        Some((words, _)) => words.to_lowercase(),
        None => text,
    }
}
