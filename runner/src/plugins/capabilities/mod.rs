//! The host's side of the contract's imports, one file per interface: facts, logging, clock and settings for every plugin,
//! the capabilities for those that were granted them.

use super::bindings::runner::plugin::failures::Failure;
use crate::surroundings::Refused;

pub(crate) mod facts;
pub(crate) mod secrets;

mod clock;
mod etcd;
mod http;
mod kubernetes;
mod logging;
mod probes;
mod random;
mod settings;

impl From<Refused> for Failure {
    fn from(Refused { kind, message }: Refused) -> Self {
        Self { kind, message }
    }
}

/// Takes the one kind of answer that fits a question out of all. Another kind is a bug of whoever answered, and traps.
macro_rules! expect_reply {
    ($answer:expr, $kind:ident) => {
        match $answer {
            Ok($crate::surroundings::Reply::$kind(value)) => Ok(value),
            Ok(other) => return Err($crate::plugins::capabilities::wrong_kind(&other)),
            Err(refused) => Err(refused),
        }
    };
}
use expect_reply;

/// An answer of another kind than the question's. It is not shown: it may be a secret.
fn wrong_kind(_: &crate::surroundings::Reply) -> wasmtime::Error {
    wasmtime::Error::msg("the host answered another question than the one that was asked")
}
