//! The plugins' host: components loaded from files, judged by what they import, asked in a sandbox with every limit on.
//!
//! A plugin sees facts and gives verdicts. What it imports is what it asks for; nothing else is linked. Each call runs in a fresh
//! instance, and whatever the guest does ends as a typed [`Fault`](crate::pipeline::Fault).

pub use describe::{Description, Refused, inspect, inspect_cached};
pub use face::Face;
pub use limits::Limits;
pub use load::PluginConfig;
pub use policy::Plugins;
pub use record::{Answered, CallRecord, Exchange, Identity, Question, Recorder, Secrets, ToldEvent};
pub use roles::Role;
pub use roles::configuration_role::SettingProblem;
pub(crate) use source::MAX_SIZE;
pub use source::{Embedded, PluginSource, digest_of, find};
pub use specimen::{Circumstances, Specimen};

pub(crate) mod capabilities;

mod bindings;
mod blot;
mod cache;
mod call;
mod cpu;
mod describe;
mod engine;
mod face;
mod fault;
mod limits;
mod link;
mod load;
mod log;
mod policy;
mod record;
mod refusal;
mod roles;
mod source;
mod specimen;
mod state;
mod surface;
#[cfg(test)]
mod tests;
mod text;
mod wasi;
