//! Capability: random bytes. They come from runner and are recorded with the run, so that a decision can be replayed; they are
//! written down with it, so make no keys of them.
//!
//! On other targets than WebAssembly they follow from [`fake::random::seed`](crate::fake::random::seed).

#[cfg(not(target_family = "wasm"))]
use crate::fake::random as host;
#[cfg(target_family = "wasm")]
use crate::guest::capabilities::random as host;

/// The most bytes of one call of the contract.
const CHUNK: usize = 4096;

/// So many random bytes.
pub fn bytes(len: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len);
    while bytes.len() < len {
        let wanted = (len - bytes.len()).min(CHUNK);
        bytes.extend(host::bytes(wanted as u32));
    }
    bytes
}

/// A random number.
pub fn number() -> u64 {
    bytes(8).iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// A random number below `end`, each as likely as the others to one in 2^32 at least; 0 where `end` is 0. Good for the jitter
/// of a backoff.
pub fn below(end: u32) -> u32 {
    // The high half of a product, as Lemire has it: no division, and no bias worth the name with 64 bits.
    ((u128::from(number()) * u128::from(end)) >> 64) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake;

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        fake::random::seed(7);
        let first = bytes(10_000);
        fake::random::seed(7);
        assert_eq!(bytes(10_000), first);
        assert_ne!(bytes(10_000), first);
    }

    #[test]
    fn below_stays_below() {
        fake::random::seed(1);
        let drawn: Vec<_> = (0..200).map(|_| below(3)).collect();
        assert!((0..3).all(|n| drawn.contains(&n)) && drawn.iter().all(|n| *n < 3));
        assert_eq!(below(0), 0);
    }
}
