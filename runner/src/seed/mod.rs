//! The database of a running member, copied and read: what a new member is seeded with before the cluster is changed.

mod bolt;
mod contents;
mod stream;
#[cfg(test)]
mod testing;

pub use bolt::{BoltError, ReadAt};
pub use contents::{Contents, ContentsError};
pub use stream::{StreamCheck, StreamError};
