//! YAML files as people write them: read within bounds, as trees in which every value knows its place.

pub use file::MAX_SIZE;
pub(in crate::config) use file::{documents_of, read, text_of};
#[cfg(test)]
pub(in crate::config) use tree::documents;
pub(in crate::config) use tree::{Bare, Key, Node};

mod decode;
mod file;
mod tree;
