//! Several hosts on one machine: network namespaces on a bridge, with addresses of their own.
//!
//! The namespaces have no names and leave no files: each lives as long as a process in it. Those processes end with the test, in
//! whatever way it ends, and with them the interfaces. Every test has a network of its own, so that addresses never clash and
//! any number of tests can run at once.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sched::{CloneFlags, setns};

use crate::Scratch;
use holder::Holder;

pub use again::in_a_network_of_its_own;

mod again;
mod disk;
mod etc;
mod holder;
mod link;

/// Which addresses the hosts have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
    /// Both.
    Dual,
}

/// A network: a bridge with the test itself on it, and hosts.
///
/// While it lives, the thread that made it is on the bridge, and so is all that this thread starts: sockets of a current-thread
/// tokio runtime, servers of the test, processes. Not for tests on a multi-threaded runtime.
pub struct Network {
    family: Family,
    /// The namespace that the thread came from.
    before: File,
    bridge: Holder,
    hosts: u8,
}

/// A host of a [`Network`]. It goes with all its processes when it is dropped.
pub struct Host {
    /// Its name.
    pub name: String,
    /// Its addresses: IPv4 first, as far as it has one.
    pub addresses: Vec<IpAddr>,
    /// The bridge's end of its cable.
    port: String,
    /// Whether its commands see mounts of its own.
    own_mounts: bool,
    holder: Holder,
}

impl Network {
    /// Makes a network and puts the calling thread on it. The scratch's watchdog ends what is started in it.
    ///
    /// Panics with what to do where `ip`, `unshare` or `nsenter` is missing, or where it is not permitted; see
    /// [`in_a_network_of_its_own`].
    pub fn enter(scratch: &Scratch, family: Family) -> Self {
        let before = File::open("/proc/thread-self/ns/net").expect("every thread is in a network namespace");
        let bridge = Holder::start(scratch, "bridge");
        setns(bridge.namespace(), CloneFlags::CLONE_NEWNET).expect("whoever makes a namespace may enter it");
        let network = Self { family, before, bridge, hosts: 0 };
        ip("link set lo up");
        ip("link add name bridge type bridge mcast_snooping 0");
        network.addresses(1).iter().for_each(|address| give(address, "bridge", ip));
        ip("link set bridge up");
        network
    }

    /// Where the test itself is reached by the hosts.
    pub fn address(&self) -> IpAddr {
        self.addresses(1)[0]
    }

    /// One more host.
    pub fn host(&mut self, scratch: &Scratch, name: &str) -> Host {
        self.hosts += 1;
        let holder = Holder::start(scratch, name);
        let port = format!("port{}", self.hosts);
        ip(&format!("link add name {port} type veth peer name eth0 netns {}", holder.id()));
        ip(&format!("link set {port} master bridge up"));
        let host =
            Host { name: name.to_owned(), addresses: self.addresses(10 + self.hosts), port, own_mounts: false, holder };
        host.inside(|| {
            ip("link set lo up");
            host.addresses.iter().for_each(|address| give(address, "eth0", ip));
            ip("link set eth0 up");
        });
        host
    }

    /// The addresses of the one with this number.
    fn addresses(&self, number: u8) -> Vec<IpAddr> {
        let v4 = IpAddr::V4(Ipv4Addr::new(10, 77, 0, number));
        let v6 = IpAddr::V6(Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, number.into()));
        match self.family {
            Family::V4 => vec![v4],
            Family::V6 => vec![v6],
            Family::Dual => vec![v4, v6],
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // A test thread that goes on (`--test-threads=1`) is where it was before.
        let _ = setns(&self.before, CloneFlags::CLONE_NEWNET);
        self.bridge.end();
    }
}

impl Host {
    /// Its first address.
    pub fn address(&self) -> IpAddr {
        self.addresses[0]
    }

    /// A command that will run on it: the same program, arguments and environment, in its network. The process keeps its id.
    pub fn command(&self, command: &Command) -> Command {
        let mut inside = Command::new("nsenter");
        inside.arg(format!("--net=/proc/{}/ns/net", self.holder.id()));
        if self.own_mounts {
            // Into the root folder of these mounts: a folder that was given for it would be left.
            assert_eq!(command.get_current_dir(), None, "a host with mounts of its own runs commands in its root folder");
            inside.arg(format!("--mount=/proc/{}/ns/mnt", self.holder.id()));
        }
        inside.arg("--").arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            inside.current_dir(folder);
        }
        inside
    }

    /// Does something on it: what it starts (threads, processes, sockets) stays there. Nothing may be awaited in it.
    pub fn inside<T>(&self, what: impl FnOnce() -> T) -> T {
        let before = File::open("/proc/thread-self/ns/net").expect("every thread is in a network namespace");
        setns(self.holder.namespace(), CloneFlags::CLONE_NEWNET).expect("the host's namespace can be entered");
        let result = what();
        setns(before, CloneFlags::CLONE_NEWNET).expect("it came from there");
        result
    }

    /// Where the test finds what the host has at this absolute path: the same place, except on mounts of its own.
    pub fn path(&self, path: &Path) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(path.strip_prefix("/").expect("an absolute path"))
    }

    /// Cuts it off from all others: what is sent is lost and nobody is told, as with a switch that went dark.
    pub fn partition(&self) {
        ip(&format!("link set {} nomaster", self.port));
    }

    /// Ends [`Host::partition`].
    pub fn heal(&self) {
        ip(&format!("link set {} master bridge", self.port));
    }
}

/// Gives an address to an interface. Addresses of IPv6 are used at once, without asking around who else has them.
fn give(address: &IpAddr, interface: &str, ip: fn(&str)) {
    match address {
        IpAddr::V4(address) => ip(&format!("address add {address}/24 dev {interface}")),
        IpAddr::V6(address) => ip(&format!("address add {address}/64 dev {interface} nodad")),
    }
}

fn ip(arguments: &str) {
    network_tool("ip", arguments);
}

/// Runs one of iproute2's programs in the calling thread's network.
fn network_tool(tool: &str, arguments: &str) {
    let done = Command::new(tool).args(arguments.split(' ')).output();
    let done = done.unwrap_or_else(|e| panic!("`{tool}` does not run ({e}): install iproute2"));
    let words = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{tool} {arguments}: {words}");
}
