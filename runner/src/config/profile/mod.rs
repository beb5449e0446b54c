//! The profile of a distribution: where its things are, how it starts etcd, what it takes for granted and what nobody may loosen.
//!
//! TOML, written by whoever ships runner in a distribution. A profile says defaults; a kubeadm document, a policy and the command
//! line come after it, except where it binds them: its plugins are always asked, its floors hold, its banned flags are refused.
//! Every mistake is said with file, line, column and key, and an unknown key with the nearest one that there is.

pub use model::{Banned, Floors, Launcher, Names, Paths, PkiNames, Ports, Profile};
pub use read::ProfileFile;
pub use values::{AbsolutePath, FlagName, KeyPrefix, KubeName, PkiName, Program, UnitName};

mod model;
mod read;
#[cfg(test)]
mod tests;
mod toml;
mod trust;
mod values;
