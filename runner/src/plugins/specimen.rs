//! One component outside of any run, put single questions: for tests against scenarios, and for replays.

use std::path::Path;
use std::sync::Arc;

use futures::FutureExt;
use jiff::Timestamp;

use super::cache::Cache;
use super::call::Permission;
use super::engine::Engine;
use super::limits::Limits;
use super::load::{self, Compiled, PluginConfig};
use super::record::{CallRecord, Question};
use super::refusal::Refusal;
use super::roles::{Role, configuration_role, health_check_role, notifier_role, promotion_role};
use super::source::{PluginSource, digest_text};
use super::surface::Granted;
use super::wasi;
use crate::Problem;
use crate::event::EventSink;
use crate::grants::Grants;
use crate::surroundings::Surroundings;

/// A compiled component.
pub struct Specimen {
    engine: Arc<Engine>,
    compiled: Compiled,
    path: std::path::PathBuf,
    name: String,
}

/// What a call takes place in.
#[derive(Clone)]
pub struct Circumstances {
    /// The settings, a JSON object.
    pub settings: serde_json::Value,
    /// What is granted; none for everything: then the surroundings alone decide.
    pub grants: Option<Grants>,
    /// Whether the grants decide what is linked, and no more: each call is the surroundings' to allow. A recording has a refusal
    /// among its answers, and a secret's stand-in among its questions.
    pub answered_already: bool,
    /// What the call may use.
    pub limits: Limits,
    /// The time that it sees.
    pub now: Timestamp,
    /// What WASI's clocks showed, in nanoseconds since the call began; they go on by themselves after that.
    pub wasi_clock: Vec<u64>,
    /// What WASI's randomness follows from; none for the component's digest, as in a run.
    pub wasi_seed: Option<[u8; 32]>,
    /// Who answers what it asks.
    pub surroundings: Arc<dyn Surroundings>,
    /// Who hears what it says.
    pub sink: Arc<dyn EventSink>,
}

impl Specimen {
    /// Reads and compiles a component; its compiled code is taken from and kept in this directory, if it can be used. Blocks, for
    /// seconds where the component is large.
    ///
    /// # Errors
    ///
    /// It is no component.
    pub fn load(path: &Path, name: Option<&str>, cache_dir: Option<&Path>) -> Result<Self, Problem> {
        let source = PluginSource { path: path.to_owned(), name: name.map(str::to_owned) };
        let name = source.name();
        let internal = |e: String| Refusal::Internal(e).of(&name);
        let engine = Arc::new(Engine::new().map_err(|e| internal(e.to_string()))?);
        let cache = cache_dir.and_then(|dir| Cache::open(dir).ok());
        let compiled =
            load::compile(&engine, path, None, None, cache.as_ref(), &|_| ()).map_err(|refusal| refusal.of(&name))?;
        Ok(Self { engine, compiled, path: path.to_owned(), name })
    }

    /// Its name in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its roles.
    pub fn roles(&self) -> &[Role] {
        &self.compiled.surface.roles
    }

    /// `sha256:…` of its bytes.
    pub fn digest(&self) -> String {
        digest_text(&self.compiled.digest)
    }

    /// Whether it imports WASI: only then can it see WASI's clocks and randomness.
    pub fn wasi(&self) -> bool {
        self.compiled.surface.wasi
    }

    /// Puts one question.
    ///
    /// # Errors
    ///
    /// It cannot be used under these circumstances: it imports what is not granted, does not fit the contract, lacks the role.
    pub async fn ask(&self, at: Circumstances, question: Question) -> Result<CallRecord, Problem> {
        let refuse = |refusal: Refusal| refusal.of(&self.name);
        let grants = at.grants.clone().unwrap_or_default();
        let config = PluginConfig {
            name: self.name.clone(),
            settings: at.settings,
            limits: at.limits,
            grants: grants.clone(),
            ..PluginConfig::new(PluginSource { path: self.path.clone(), name: None })
        };
        let granted = if at.grants.is_some() { Granted::These(&grants) } else { Granted::Looking };
        let loaded = load::link_and_instantiate(&self.engine, &self.compiled, &config, granted, &at.surroundings, &at.sink);
        let (mut plugin, _) = loaded.await.map_err(refuse)?;
        let callee = &mut plugin.callee;
        callee.now = Some(at.now);
        callee.tape = at.wasi_clock;
        if at.grants.is_none() || at.answered_already {
            callee.permission = Permission::Everything;
        }
        if let (Some(seed), true) = (at.wasi_seed, self.wasi()) {
            callee.wasi_random = Some(wasi::random(&seed));
        }
        let (callee, exports) = (&plugin.callee, &plugin.exports);
        let lacks = || refuse(Refusal::LacksRole(question.name()));
        match question.clone() {
            Question::Settings => match exports.configuration.clone() {
                Some(role) => {
                    let called = callee.call(|guest| configuration_role::validate(guest, role).boxed()).await;
                    Ok(callee.record(&called, question))
                }
                None => Err(lacks()),
            },
            Question::HealthCheck { view, newcomer } => {
                let role = exports.health_check.clone().ok_or_else(lacks)?;
                let called = callee.call(|guest| health_check_role::check(guest, role, view, newcomer).boxed()).await;
                Ok(callee.record(&called, question))
            }
            Question::Promotion { view, candidate, window } => {
                let role = exports.promotion.clone().ok_or_else(lacks)?;
                let called =
                    callee.call(move |guest| promotion_role::evaluate(guest, role, view, candidate, window).boxed()).await;
                Ok(callee.record(&called, question))
            }
            Question::Notifier { events } => {
                let role = exports.notifier.clone().ok_or_else(lacks)?;
                let called = callee.call(|guest| notifier_role::notify(guest, role, events).boxed()).await;
                Ok(callee.record(&called, question))
            }
        }
    }

    /// Whether it checks its settings at all.
    pub fn checks_settings(&self) -> bool {
        self.compiled.surface.configuration
    }
}
