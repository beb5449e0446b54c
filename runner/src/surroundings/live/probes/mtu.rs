//! The largest packet to a target, as this node's kernel knows it.
//!
//! Nothing is sent. The kernel answers with the MTU of the route (mostly the interface's), or with less where a router on the way
//! has already told it so ("fragmentation needed"). So a narrow stretch that no large packet has met yet, or whose router keeps
//! silent, is not seen: that shows only when data flows.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rustix::net::sockopt::{ip_mtu, ipv6_mtu};
use tokio::net::UdpSocket;

use super::{beneath, dial};
use crate::grants::Target;
use crate::surroundings::Refused;

/// Bytes of the largest IP packet to the target's first address.
pub(super) async fn to(target: &Target) -> Result<u32, Refused> {
    let addresses = dial::addresses(target).await?;
    let address = addresses.first().ok_or_else(|| Refused::new("unavailable", format!("{target} has no address")))?;
    let unavailable = |e: std::io::Error| Refused::new("unavailable", format!("there is no way to {target}: {e}"));
    let socket = connected(*address).await.map_err(unavailable)?;
    let mtu = if address.is_ipv4() { ip_mtu(&socket) } else { ipv6_mtu(&socket) };
    mtu.map_err(|e| Refused::new("failed", format!("the kernel knows no packet size to {target}: {}", beneath::plain(e))))
}

/// A UDP socket with a route to this address; making one sends nothing.
async fn connected(address: SocketAddr) -> std::io::Result<UdpSocket> {
    let any: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(address).await?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_way_to_ourselves_is_as_wide_as_the_loopback_interface() {
        let interface: u32 = std::fs::read_to_string("/sys/class/net/lo/mtu").unwrap().trim().parse().unwrap();
        let target = Target::parse("http://127.0.0.1:9").unwrap();
        // No IP packet is larger, though that interface may be.
        assert_eq!(to(&target).await, Ok(interface.min(65535)));
    }
}
