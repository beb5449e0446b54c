//! Registries: the OCI distribution protocol, as much of it as plugins need, and the CNCF Wasm layout.
//!
//! Written on `reqwest` rather than on a registry client, because everything that comes in must be bounded while it comes, every
//! digest be compared here, and credentials go to nobody but the registry and its token service.

pub use client::Access;
pub(super) use manifest::Manifest;
pub(super) use pull::{Pulled, pull};
pub use push::{Pushed, push};
pub(super) use signatures::find_signature;

mod auth;
mod client;
mod manifest;
mod pull;
mod push;
mod signatures;
mod transfer;

#[cfg(test)]
pub(super) mod tests {
    pub(in crate::supply) use super::manifest::tests::manifest_of;
}
