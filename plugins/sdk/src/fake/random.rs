//! Random bytes that follow from a seed.

use std::cell::Cell;

thread_local! {
    static STATE: Cell<u64> = const { Cell::new(0) };
}

/// From here on, the random bytes of this thread follow from this seed; 0 before the first call.
pub fn seed(seed: u64) {
    STATE.set(seed);
}

pub(crate) fn bytes(len: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < len as usize {
        bytes.extend(next().to_le_bytes());
    }
    bytes.truncate(len as usize);
    bytes
}

/// SplitMix64: small, and even enough for tests.
fn next() -> u64 {
    let state = STATE.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
    STATE.set(state);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
