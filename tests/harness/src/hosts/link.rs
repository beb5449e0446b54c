//! What a host's cable does to what is sent over it.

use super::{Host, ip, network_tool};

/// Nobody's: what is sent there is lost.
const NOBODY: &str = "02:00:00:00:de:ad";

impl Host {
    /// Loses what this host sends to the other one; what the other one sends arrives. IPv4 only.
    ///
    /// By a wrong entry in the host's table of neighbours, so that the sender is told nothing.
    pub fn lose_to(&self, other: &Self) {
        let address = other.address();
        assert!(address.is_ipv4(), "only what is sent over IPv4 can be lost in one direction");
        self.inside(|| ip(&format!("neighbour replace {address} lladdr {NOBODY} nud permanent dev eth0")));
    }

    /// Ends [`Host::lose_to`].
    pub fn find_again(&self, other: &Self) {
        let address = other.address();
        self.inside(|| ip(&format!("neighbour del {address} dev eth0")));
    }

    /// Loses what this host sends to this port of others, and from this port of its own: the service behind it is cut off, and all others
    /// go on. By a route into nothing, so that the sender is told nothing. IPv4 only.
    pub fn cut_port(&self, port: u16) {
        self.inside(|| {
            ip(&format!("rule add priority 10 ipproto tcp dport {port} blackhole"));
            ip(&format!("rule add priority 10 ipproto tcp sport {port} blackhole"));
        });
    }

    /// Ends [`Host::cut_port`].
    pub fn mend_port(&self, port: u16) {
        self.inside(|| {
            ip(&format!("rule del priority 10 ipproto tcp dport {port} blackhole"));
            ip(&format!("rule del priority 10 ipproto tcp sport {port} blackhole"));
        });
    }

    /// Lets out no more than so many kilobits a second, and keeps what waits for no longer than 400 ms.
    pub fn slow_down(&self, kilobits: u32) {
        self.inside(|| {
            network_tool("tc", &format!("qdisc replace dev eth0 root tbf rate {kilobits}kbit burst 16kb latency 400ms"))
        });
    }

    /// Ends [`Host::slow_down`].
    pub fn speed_up(&self) {
        self.inside(|| network_tool("tc", "qdisc del dev eth0 root"));
    }
}
