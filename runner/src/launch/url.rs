//! The addresses that a member listens on.

use std::net::{IpAddr, SocketAddr, TcpListener};

use super::refuse;
use crate::Problem;

/// A listen URL, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Listen {
    /// Whether it is `https`.
    pub(super) tls: bool,
    /// Where.
    pub(super) address: SocketAddr,
}

/// Reads `https://10.0.0.1:2380`. etcd listens on addresses, not on names (`localhost` excepted), and wants the port.
pub(super) fn listen(url: &str) -> Result<Listen, Problem> {
    let bad = |why: &str| refuse(format!("cannot listen on {url}: {why}"), &["write it like https://10.0.0.1:2380"]);
    let (scheme, rest) = url.split_once("://").ok_or_else(|| bad("it does not start with http:// or https://"))?;
    let tls = match scheme {
        "https" => true,
        "http" => false,
        _ => return Err(bad("it does not start with http:// or https://")),
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains('/') {
        return Err(bad("it has a path"));
    }
    let (host, port) = authority.rsplit_once(':').ok_or_else(|| bad("it names no port"))?;
    let port = port.parse().map_err(|_| bad("its port is not a number up to 65535"))?;
    let host = match host {
        "localhost" => "127.0.0.1",
        host => host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host),
    };
    let ip: IpAddr =
        host.parse().map_err(|_| bad("etcd listens on an address, not on a name; give the listen URL apart"))?;
    Ok(Listen { tls, address: SocketAddr::new(ip, port) })
}

/// Binds the address for a moment. Takes nothing away from anybody: a port in use answers with an error.
pub(super) fn free(url: &str, address: SocketAddr) -> Result<(), Problem> {
    let error = match TcpListener::bind(address) {
        Ok(_) => return Ok(()),
        Err(error) => error,
    };
    let hint = match error.kind() {
        std::io::ErrorKind::AddrInUse => format!("see who has it: ss -ltnp 'sport = :{}'", address.port()),
        std::io::ErrorKind::AddrNotAvailable => format!("{} is not an address of this node: see `ip address`", address.ip()),
        std::io::ErrorKind::PermissionDenied => "ports below 1024 need a privilege".to_owned(),
        _ => return Err(refuse(format!("cannot listen on {url}: {error}"), &[])),
    };
    Err(refuse(format!("cannot listen on {url}: {}", plain(&error)), &[&hint]))
}

fn plain(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => "the port is in use",
        std::io::ErrorKind::AddrNotAvailable => "this node has no such address",
        _ => "not allowed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_as_etcd_reads_them() {
        let read = |url: &str| listen(url).map(|l| (l.tls, l.address.to_string())).unwrap();
        assert_eq!(read("https://10.0.0.1:2380"), (true, "10.0.0.1:2380".into()));
        assert_eq!(read("http://localhost:2379/"), (false, "127.0.0.1:2379".into()));
        assert_eq!(read("https://[fd00::1]:2380"), (true, "[fd00::1]:2380".into()));
        for (url, why) in [
            ("10.0.0.1:2380", "does not start with"),
            ("unix://x:1", "does not start with"),
            ("http://10.0.0.1", "names no port"),
            ("http://10.0.0.1:http", "not a number"),
            ("http://10.0.0.1:70000", "not a number"),
            ("http://n1.example:2380", "not on a name"),
            ("http://10.0.0.1:1/x", "a path"),
        ] {
            assert!(listen(url).unwrap_err().message.contains(why), "{url}");
        }
    }

    #[test]
    fn a_port_in_use_and_a_foreign_address_are_told_apart() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let error = free("http://x", address).unwrap_err();
        assert_eq!(error.message, "cannot listen on http://x: the port is in use");
        assert!(error.hints[0].contains(&address.port().to_string()));
        drop(taken);
        // Any other test's connection may be given just this port, and a child between its fork and its exec still has it open.
        let freed = (0..20).any(|_| {
            let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(5));
            free("http://x", address).is_ok()
        });
        assert!(freed, "20 free ports, and each is said to be in use");
        let error = free("http://x", "192.0.2.1:2380".parse().unwrap()).unwrap_err();
        assert_eq!(error.message, "cannot listen on http://x: this node has no such address");
    }
}
