//! `random`: bytes from the system's own source.

use rand::rngs::StdRng;
use rand::{RngCore as _, SeedableRng as _};

use crate::surroundings::Reply;

pub(super) fn bytes(len: u32) -> Reply {
    let mut bytes = vec![0; len as usize];
    StdRng::from_os_rng().fill_bytes(&mut bytes);
    Reply::Bytes(bytes)
}
