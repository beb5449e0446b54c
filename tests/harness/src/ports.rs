//! Free ports that parallel tests, in one process or in several, do not take from each other.

use std::net::{Ipv4Addr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::Mutex;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// Below the range that Linux takes outgoing connections' ports from (32768 and up), so that none of those takes one either.
const RANGE: std::ops::Range<u16> = 10_000..32_000;

/// A free TCP port on 127.0.0.1, reserved for this process until it ends.
///
/// The reservation is a socket in Linux's abstract namespace, named after the port: the kernel lets go of it when the process
/// ends in whatever way, no file is left, and a network namespace has its own.
pub fn free_port() -> u16 {
    static HELD: Mutex<Vec<UnixListener>> = Mutex::new(Vec::new());
    let mut rng = SmallRng::from_os_rng();
    for _ in 0..10_000 {
        let port = rng.random_range(RANGE);
        let name = SocketAddr::from_abstract_name(format!("runner-harness-port-{port}")).expect("a short name");
        let Ok(reservation) = UnixListener::bind_addr(&name) else { continue };
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err() {
            continue;
        }
        HELD.lock().unwrap_or_else(|e| e.into_inner()).push(reservation);
        return port;
    }
    panic!("no free port between {} and {}", RANGE.start, RANGE.end)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn never_gives_a_port_twice() {
        let threads: Vec<_> =
            (0..4).map(|_| std::thread::spawn(|| (0..50).map(|_| free_port()).collect::<Vec<_>>())).collect();
        let ports: Vec<u16> = threads.into_iter().flat_map(|t| t.join().unwrap()).collect();
        assert_eq!(ports.iter().collect::<HashSet<_>>().len(), 200);
    }
}
