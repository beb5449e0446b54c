//! Write runner plugins in Rust: a trait per role and one macro.
//!
//! A plugin *is* its settings: a type that serde reads, with a role's trait on it. This is a whole one:
//!
//! ```
//! use runner_plugin::prelude::*;
//! use serde::Deserialize;
//!
//! /// Approves once the candidate is at most `maxLag` entries behind.
//! #[derive(Deserialize)]
//! #[serde(rename_all = "camelCase", deny_unknown_fields, default)]
//! struct SmallLag {
//!     max_lag: u64,
//! }
//!
//! impl Default for SmallLag {
//!     fn default() -> Self {
//!         Self { max_lag: 100 }
//!     }
//! }
//!
//! impl Plugin for SmallLag {}
//!
//! impl Promotion for SmallLag {
//!     fn evaluate(&self, _: &Cluster, candidate: &Member, window: &Samples) -> Result<Verdict> {
//!         let lag = window.last().map_or(u64::MAX, |sample| sample.lag());
//!         if lag <= self.max_lag {
//!             return Ok(Verdict::Approve);
//!         }
//!         log::info(format!("{} is {lag} entries behind", candidate.name()));
//!         Ok(Verdict::wait(format!("lag {lag} > {}", self.max_lag)))
//!     }
//! }
//!
//! runner_plugin::export!(SmallLag: Promotion);
//!
//! // On any machine, without WebAssembly, the facts are those that a test makes up:
//! use runner_plugin::fake;
//! let (cluster, candidate) = (fake::Cluster::new().build(), fake::Member::learner("node-3").build());
//! let window = fake::Samples::new().every_ms(50, [250]).build();
//! let verdict = SmallLag::default().evaluate(&cluster, &candidate, &window).unwrap();
//! assert_eq!(verdict, Verdict::wait("lag 250 > 100"));
//! assert_eq!(fake::take_log(), [(log::Level::Info, "node-3 is 250 entries behind".to_owned())]);
//! ```
//!
//! With `crate-type = ["cdylib"]` and the linker `wasm-component-ld`, `cargo build --target wasm32-unknown-unknown`
//! writes a finished component. It exports the roles named in [`export!`] and nothing else, and imports what the code uses.
//!
//! What the SDK does around the plugin's own code: it reads the settings and says what is wrong with them, field by field; it
//! turns errors into the contract's text; and it logs the message and place of a panic before the component traps.
//!
//! # Capabilities
//!
//! Beyond the facts, a plugin may use what the operator grants it: [`http`], [`random`], [`kubernetes`], [`probes`], [`etcd`] and
//! [`secrets`]. A component imports those whose functions it calls and no others, and runner refuses to load it where one of them
//! is not granted. Trouble and refusals are a [`Failure`], which `?` turns into the plugin's [`Error`]. For each of them [`fake`]
//! has a stand-in of the same name, so that a test needs no network and no cluster:
//!
//! ```
//! use runner_plugin::prelude::*;
//! use runner_plugin::{fake, http, secrets};
//!
//! /// Says it in the chat whose address is the secret `hook`.
//! fn tell(text: &str) -> Result<()> {
//!     let url = secrets::get("hook")?.reveal();
//!     http::post(url).json(&serde_json::json!({ "text": text })).send()?.expect_success()?;
//!     Ok(())
//! }
//!
//! fake::secrets::set("hook", "https://chat.example.com/T0");
//! fake::http::respond("POST https://chat.example.com/T0", Ok(http::Response::new(200)));
//! tell("cp-3 votes").unwrap();
//! assert_eq!(fake::http::take_requests()[0].text(), r#"{"text":"cp-3 votes"}"#);
//! ```
//!
//! What it does *not* do: there is no clock, no randomness, no file and no network but what the contract offers. `std::time`
//! panics in such a component; use [`clock::now_ms`].

pub use error::{Error, Result};
pub use facts::{Cluster, Member, Newcomer, Role, Sample, Samples};
pub use failure::{Failure, FailureKind};
pub use roles::{HealthCheck, Notifier, Plugin, Promotion};
pub use verdict::{Event, Finding, Problem, Severity, Verdict};

pub mod clock;
pub mod etcd;
#[cfg(not(target_family = "wasm"))]
pub mod fake;
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod guest;
pub mod http;
pub mod kubernetes;
pub mod log;
pub mod probes;
pub mod random;
pub mod secrets;
pub mod settings;

mod error;
mod export;
mod facts;
mod failure;
mod roles;
mod verdict;

/// Everything that a plugin usually needs: `use runner_plugin::prelude::*;`.
pub mod prelude {
    pub use crate::{
        Cluster, Error, Event, Failure, FailureKind, Finding, HealthCheck, Member, Newcomer, Notifier, Plugin, Problem,
        Promotion, Result, Role, Sample, Samples, Severity, Verdict, clock, log,
    };
}
