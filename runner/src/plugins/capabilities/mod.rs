//! What a plugin may import without being granted anything, one file per interface of the contract.

pub(crate) mod facts;

mod clock;
mod logging;
mod settings;
