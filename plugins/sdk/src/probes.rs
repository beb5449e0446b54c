//! Capability: measurements on this node and of the way to others, on the paths and targets that the operator granted.
//!
//! ```
//! use runner_plugin::{fake, probes};
//!
//! fake::probes::fsync("/var/lib/etcd", Ok(probes::Latency::of_us([900, 1_100, 14_000])));
//! let latency = probes::fsync("/var/lib/etcd", 100).unwrap();
//! assert_eq!((latency.count, latency.median_us, latency.max_us), (3, 1_100, 14_000));
//! ```

#[cfg(not(target_family = "wasm"))]
use crate::fake::probes::source as host;
#[cfg(target_family = "wasm")]
use crate::guest::capabilities::probes as host;
use crate::{Failure, Result};

/// Several measurements of one thing, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    /// How many.
    pub count: u32,
    /// The shortest.
    pub min_us: u32,
    /// Half of them took no longer.
    pub median_us: u32,
    /// Nine of ten took no longer.
    pub p90_us: u32,
    /// 99 of 100 took no longer.
    pub p99_us: u32,
    /// The longest.
    pub max_us: u32,
}

/// Bytes of a disk or of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// All of it.
    pub total: u64,
    /// What can be had of it.
    pub available: u64,
}

/// This node's clock minus another's lies between these two. Negative: this node is behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockOffset {
    /// In milliseconds.
    pub earliest_ms: i32,
    /// In milliseconds.
    pub latest_ms: i32,
}

/// A certificate, without its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Whose it is.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// From when it is good, in milliseconds since 1970 (UTC).
    pub not_before_ms: u64,
    /// Until when it is good, in milliseconds since 1970 (UTC).
    pub not_after_ms: u64,
    /// DNS names and IP addresses that it is good for.
    pub names: Vec<String>,
    /// Whether it may sign others.
    pub authority: bool,
}

/// Writes and syncs `writes` (1 to 1000) records of etcd's typical size in a file of its own in this directory, and removes it:
/// what etcd's write-ahead log will see.
///
/// # Errors
/// Not granted, or the directory cannot be written to.
pub fn fsync(directory: &str, writes: u32) -> Result<Latency, Failure> {
    host::fsync(directory, writes)
}

/// The file system that holds this path.
///
/// # Errors
/// Not granted, or there is no such path.
pub fn disk_space(path: &str) -> Result<Space, Failure> {
    host::disk_space(path)
}

/// This node's main memory.
///
/// # Errors
/// Not granted.
pub fn memory() -> Result<Space, Failure> {
    host::memory()
}

/// Opens `times` (1 to 100) connections to `host:port` of the URL, one after another: TCP for `http://`, TCP and TLS with this
/// node's etcd certificates for `https://`.
///
/// # Errors
/// Not granted, or one of the connections fails.
pub fn connect(url: &str, times: u32) -> Result<Latency, Failure> {
    host::connect(url, times)
}

/// The largest IP packet that gets to the URL's host in one piece, as far as this node's kernel knows, in bytes.
///
/// # Errors
/// Not granted, or there is no way to the host.
pub fn path_mtu(url: &str) -> Result<u32, Failure> {
    host::path_mtu(url)
}

/// Compares this node's clock with that of an etcd member, by its client or peer URL. Takes up to two seconds.
///
/// # Errors
/// Not granted, or the member gives no answer.
pub fn clock_offset_of(url: &str) -> Result<ClockOffset, Failure> {
    host::clock_offset_of(url)
}

/// The certificates in a PEM file, in its order.
///
/// # Errors
/// Not granted, or the file cannot be read.
pub fn certificates(path: &str) -> Result<Vec<Certificate>, Failure> {
    host::certificates(path)
}

/// The certificates that the URL's host shows, its own first. They are looked at, not trusted.
///
/// # Errors
/// Not granted, or there is no TLS to be had.
pub fn certificates_of(url: &str) -> Result<Vec<Certificate>, Failure> {
    host::certificates_of(url)
}

impl Latency {
    /// What these measurements come to; all zero without any. For tests, and for measurements of your own.
    pub fn of_us(measured: impl IntoIterator<Item = u32>) -> Self {
        let mut sorted: Vec<u32> = measured.into_iter().collect();
        sorted.sort_unstable();
        // The smallest that so many of a hundred do not exceed.
        let percentile = |n: usize| sorted.get((sorted.len() * n).div_ceil(100).saturating_sub(1)).copied().unwrap_or(0);
        Self {
            count: sorted.len() as u32,
            min_us: percentile(0),
            median_us: percentile(50),
            p90_us: percentile(90),
            p99_us: percentile(99),
            max_us: percentile(100),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_measured_values() {
        let latency = Latency::of_us((1..=200).rev());
        let expected = Latency { count: 200, min_us: 1, median_us: 100, p90_us: 180, p99_us: 198, max_us: 200 };
        assert_eq!(latency, expected);
        assert_eq!(Latency::of_us([]).max_us, 0);
    }
}
