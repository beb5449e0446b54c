//! The WebAssembly side: generated bindings, and the glue between them and the SDK's types. Only [`export!`](crate::export)
//! names anything in here.

use std::marker::PhantomData;
use std::sync::Once;

pub use bindings::{configuration, health_check, notifier, promotion};

use crate::log::Level;
use crate::{Cluster, HealthCheck, Member, Newcomer, Notifier, Plugin, Promotion, Samples, Verdict, log as logging};
use bindings::facts::runner::plugin as host;
use configuration::exports::runner::plugin::configuration as wit_configuration;
use health_check::exports::runner::plugin::health_check as wit_check;
use notifier::exports::runner::plugin::notifier as wit_notifier;
use promotion::exports::runner::plugin::promotion as wit_promotion;

mod bindings;
pub(crate) mod capabilities;

/// The host's facts: what [`crate::facts`] wraps.
pub(crate) mod source {
    pub(crate) use super::host::facts::{Cluster, Member, Newcomer, Samples};
}

/// The plugin `P` as the component's exports.
#[derive(Debug)]
pub struct Exported<P>(PhantomData<P>);

pub(crate) fn log(level: Level, message: &str) {
    let level = match level {
        Level::Debug => host::logging::Level::Debug,
        Level::Info => host::logging::Level::Info,
        Level::Warn => host::logging::Level::Warn,
        Level::Error => host::logging::Level::Error,
    };
    host::logging::log(level, message);
}

pub(crate) fn now_ms() -> u64 {
    host::clock::now_ms()
}

impl<P: Plugin> wit_configuration::Guest for Exported<P> {
    fn validate(settings: String) -> Vec<wit_configuration::Problem> {
        log_panics();
        let problems = crate::settings::problems::<P>(&settings).into_iter();
        problems.map(|p| wit_configuration::Problem { path: p.path, message: p.message }).collect()
    }
}

impl<P: HealthCheck> wit_check::Guest for Exported<P> {
    fn check(cluster: wit_check::Cluster, newcomer: wit_check::Newcomer) -> Result<Vec<wit_check::Finding>, String> {
        let found = load::<P>()?.check(&Cluster(cluster), &Newcomer(newcomer)).map_err(|e| e.to_string())?;
        Ok(found.into_iter().map(finding).collect())
    }
}

impl<P: Promotion> wit_promotion::Guest for Exported<P> {
    fn evaluate(
        cluster: wit_promotion::Cluster,
        candidate: wit_promotion::Member,
        window: wit_promotion::Samples,
    ) -> Result<wit_promotion::Verdict, String> {
        let verdict = load::<P>()?.evaluate(&Cluster(cluster), &Member(candidate), &Samples(window));
        Ok(match verdict.map_err(|e| e.to_string())? {
            Verdict::Approve => wit_promotion::Verdict::Approve,
            Verdict::Wait { reason, retry_after_ms } => {
                wit_promotion::Verdict::Wait(wit_promotion::WaitInfo { reason, retry_after_ms })
            }
            Verdict::Reject { reason } => wit_promotion::Verdict::Reject(reason),
        })
    }
}

impl<P: Notifier> wit_notifier::Guest for Exported<P> {
    fn notify(events: Vec<wit_notifier::Event>) -> Result<(), String> {
        let events: Vec<_> =
            events.into_iter().map(|e| crate::Event { kind: e.kind, at_ms: e.at_ms, json: e.json }).collect();
        load::<P>()?.notify(&events).map_err(|e| e.to_string())
    }
}

/// What every call of a role begins with.
fn load<P: Plugin>() -> Result<P, String> {
    log_panics();
    crate::settings::plugin(&host::settings::get()).map_err(|e| e.to_string())
}

/// A trap carries no text: without this, a panic's message would be lost.
fn log_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|info| {
            let text = info.payload_as_str().unwrap_or("panicked with something that is no text");
            match info.location() {
                Some(place) => logging::error(format!("panicked at {place}: {text}")),
                None => logging::error(format!("panicked: {text}")),
            }
        }));
    });
}

fn finding(found: crate::Finding) -> wit_check::Finding {
    wit_check::Finding {
        severity: match found.severity {
            crate::Severity::Info => wit_check::Severity::Info,
            crate::Severity::Warning => wit_check::Severity::Warning,
            crate::Severity::Error => wit_check::Severity::Error,
        },
        code: found.code,
        message: found.message,
        remedy: found.remedy,
        member: found.member,
    }
}
