//! The way of a plugin from its source to its use: fetched, verified, shown to a person, accepted, locked; and from then on refused
//! when anything of it is not as it was accepted.
//!
//! A [`Store`] is a private folder with components by digest and a [`Lock`]. Loading a locked plugin ([`resolve()`]) never
//! touches a network and never follows a tag; only [`Candidate::fetch`] does, for `runner plugin add` and `update`, where a
//! person decides.

pub use bundle::{Bundle, Loaded, MAX_POLICY};
pub use candidate::{Bytes, Candidate, Wanted};
pub use difference::Difference;
pub use digest::Digest;
pub use error::SupplyError;
pub use files::{read as read_file, write as write_file};
pub use keys::{PublicKey, SigningKey};
pub use lock::{Entry, Lock, Signer};
pub use oci::{Access, Pushed, push};
pub use reference::{Reference, Source};
pub use resolve::{Resolved, may_be_name, resolve, resolve_file};
pub use store::{Change, Store};

mod bundle;
mod candidate;
mod check;
mod difference;
mod digest;
mod error;
mod files;
mod folder;
mod keys;
mod lock;
mod oci;
mod payload;
mod reference;
mod resolve;
mod signature;
mod store;
#[cfg(test)]
mod tests;

/// Where progress is told, a line each.
pub type Talk<'a> = &'a (dyn Fn(&str) + Send + Sync);
