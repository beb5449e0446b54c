//! The pipeline's questions, put to the plugins: those of a role side by side, each in a task and a guarded call of its own.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared, join_all};
use tokio_util::task::AbortOnDropHandle;

use super::cache::Cache;
use super::call::{Called, Trace};
use super::engine::Engine;
use super::load::{self, Plugin, PluginConfig, default_failure_policy};
use super::record::{Question, Recorder};
use super::refusal::{self, Refusal};
use super::roles::{Exports, Role, health_check_role, notifier_role, promotion_role};
use crate::Problem;
use crate::cluster::{MemberId, View};
use crate::event::{Event, EventSink, Usage};
use crate::pipeline::{Answer, FailurePolicy, Fault, FaultKind, Finding, Mode, Newcomer, Policy, Sample, Verdict};
use crate::surroundings::Surroundings;

/// The plugins of a run. Loading begins at once, in the background; dropping it ends loading and every call.
pub struct Plugins {
    /// Names and failure policies, for answers while there is no plugin that could give them.
    configured: Vec<(String, Option<FailurePolicy>, Mode)>,
    /// Whom this asks.
    asked: Asked,
    loaded: Shared<BoxFuture<'static, Loaded>>,
}

/// Whom a question is put to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Everybody,
    In(Mode),
    Nobody,
}

type Loaded = Result<Arc<[Arc<Plugin>]>, Problem>;

impl Asked {
    fn has(self, mode: Mode) -> bool {
        match self {
            Self::Everybody => true,
            Self::In(wanted) => mode == wanted,
            Self::Nobody => false,
        }
    }
}

impl Plugins {
    /// Begins to load these plugins. Compiled code is kept in `cache_dir`, if given: a directory of our own, made where it is not
    /// there; one that others could write to is not used, which is said in the plugins' notes. Everything that happens is
    /// told to `sink`; what they ask of the world, `surroundings` answers.
    ///
    /// Whether they can be used at all, [`Policy::ready`] says.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn load(
        configs: Vec<PluginConfig>,
        cache_dir: Option<PathBuf>,
        surroundings: Arc<dyn Surroundings>,
        sink: Arc<dyn EventSink>,
    ) -> Self {
        Self::load_recorded(configs, cache_dir, surroundings, sink, None)
    }

    /// [`Self::load`], with every call told to `recorder`.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn load_recorded(
        configs: Vec<PluginConfig>,
        cache_dir: Option<PathBuf>,
        surroundings: Arc<dyn Surroundings>,
        sink: Arc<dyn EventSink>,
        recorder: Option<Arc<dyn Recorder>>,
    ) -> Self {
        let configured = configs.iter().map(|c| (c.name.clone(), c.failure_policy, c.mode)).collect();
        let loading = AbortOnDropHandle::new(tokio::spawn(load_all(configs, cache_dir, surroundings, sink, recorder)));
        let loaded = loading.map(|ended| ended.unwrap_or_else(|e| Err(Refusal::Internal(e.to_string()).of("*"))));
        Self { configured, asked: Asked::Everybody, loaded: loaded.boxed().shared() }
    }

    /// The same plugins (not loaded again), of which only those in this mode are asked; none where there is no such plugin.
    pub fn only(&self, mode: Mode) -> Option<Self> {
        let configured: Vec<_> = self.configured.iter().filter(|(.., m)| *m == mode).cloned().collect();
        (!configured.is_empty()).then(|| Self { configured, asked: Asked::In(mode), loaded: self.loaded.clone() })
    }

    /// The same plugins, of which none is asked; whether they can be used is known all the same.
    pub fn nobody(&self) -> Self {
        Self { configured: Vec::new(), asked: Asked::Nobody, loaded: self.loaded.clone() }
    }

    /// Puts a question to every plugin that has `role`, side by side; the answers are in the order of the configuration.
    async fn ask<I, T>(
        &self,
        role: Role,
        find: impl Fn(&Exports) -> Option<I>,
        question: impl Fn(Arc<Plugin>, I) -> BoxFuture<'static, Called<T>>,
    ) -> Vec<Answer<T>>
    where
        T: Send + 'static,
    {
        let plugins = match self.loaded.clone().await {
            Ok(plugins) => plugins,
            Err(error) => return self.no_answers(role, &error),
        };
        let asked = plugins.iter().filter(|plugin| self.asked.has(plugin.mode));
        let having = asked.filter_map(|plugin| find(&plugin.exports).map(|indices| (plugin, indices)));
        let asked = having.map(|(plugin, indices)| {
            let call = AbortOnDropHandle::new(tokio::spawn(question(plugin.clone(), indices)));
            async move {
                let Called { result, usage, .. } = call.await.unwrap_or_else(|e| lost(&e.to_string()));
                Answer {
                    plugin: plugin.callee.name.to_string(),
                    result,
                    failure_policy: plugin.failure_policy(role),
                    waivers: plugin.waivers.clone(),
                    usage,
                }
            }
        });
        join_all(asked).await
    }

    /// What is answered where the plugins could not be loaded, and somebody asks all the same: every one of them failed.
    fn no_answers<T>(&self, role: Role, error: &Problem) -> Vec<Answer<T>> {
        let fault = Fault { kind: FaultKind::Instantiate, message: error.message.clone(), log: Vec::new() };
        let answer = |(name, policy, _): &(String, Option<FailurePolicy>, Mode)| Answer {
            plugin: name.clone(),
            result: Err(fault.clone()),
            failure_policy: policy.unwrap_or_else(|| default_failure_policy(role)),
            waivers: Arc::new([]),
            usage: Usage::default(),
        };
        self.configured.iter().map(answer).collect()
    }
}

#[async_trait]
impl Policy for Plugins {
    async fn ready(&self) -> Result<(), Problem> {
        self.loaded.clone().await.map(|_| ())
    }

    async fn check(&self, view: &Arc<View>, newcomer: &Newcomer) -> Vec<Answer<Vec<Finding>>> {
        let newcomer = Arc::new(newcomer.clone());
        let question = |plugin: Arc<Plugin>, role| {
            let (view, newcomer) = (view.clone(), newcomer.clone());
            let ask = async move {
                let asked = Question::HealthCheck { view: view.clone(), newcomer: newcomer.clone() };
                plugin.callee.put(asked, |guest| health_check_role::check(guest, role, view, newcomer).boxed()).await
            };
            ask.boxed()
        };
        self.ask(Role::HealthCheck, |exports| exports.health_check.clone(), question).await
    }

    async fn evaluate(&self, view: &Arc<View>, candidate: MemberId, window: &Arc<[Sample]>) -> Vec<Answer<Verdict>> {
        let question = |plugin: Arc<Plugin>, role| {
            let (view, window) = (view.clone(), window.clone());
            let ask = async move {
                let asked = Question::Promotion { view: view.clone(), candidate, window: window.clone() };
                plugin
                    .callee
                    .put(asked, move |guest| promotion_role::evaluate(guest, role, view, candidate, window).boxed())
                    .await
            };
            ask.boxed()
        };
        self.ask(Role::Promotion, |exports| exports.promotion.clone(), question).await
    }

    async fn notify(&self, events: &[Event]) -> Vec<Answer<()>> {
        let events = notifier_role::events(events);
        let question = |plugin: Arc<Plugin>, role| {
            let events = events.clone();
            let asked = Question::Notifier { events: events.clone() };
            async move { plugin.callee.put(asked, |guest| notifier_role::notify(guest, role, events).boxed()).await }.boxed()
        };
        self.ask(Role::Notifier, |exports| exports.notifier.clone(), question).await
    }
}

/// A call that could not even be made.
fn lost<T>(why: &str) -> Called<T> {
    let fault = Fault { kind: FaultKind::Instantiate, message: format!("could not be called: {why}"), log: Vec::new() };
    Called { result: Err(fault), usage: Usage::default(), trace: Trace::default() }
}

async fn load_all(
    configs: Vec<PluginConfig>,
    cache_dir: Option<PathBuf>,
    surroundings: Arc<dyn Surroundings>,
    sink: Arc<dyn EventSink>,
    recorder: Option<Arc<dyn Recorder>>,
) -> Loaded {
    if configs.is_empty() {
        return Ok(Arc::new([]));
    }
    let mut names = BTreeSet::new();
    let twice = configs.iter().filter(|c| !names.insert(&c.name)).map(|c| Refusal::SameName.of(&c.name));
    if let Some(error) = refusal::join(twice.collect()) {
        return Err(error);
    }
    let prepared = tokio::task::spawn_blocking(move || {
        let open = |dir: PathBuf| Cache::open(&dir).map_err(|e| format!("{}: {e}", dir.display()));
        (Engine::new(), cache_dir.map(open).transpose())
    });
    let internal = |e: String| Problem::new(format!("plugins cannot be run on this machine: {e}"));
    let (engine, cache) = prepared.await.map_err(|e| internal(e.to_string()))?;
    let (engine, cache) = (Arc::new(engine.map_err(|e| internal(e.to_string()))?), Arc::new(cache));
    let loading = configs.into_iter().map(|c| {
        AbortOnDropHandle::new(tokio::spawn(load::load(
            engine.clone(),
            cache.clone(),
            c,
            surroundings.clone(),
            sink.clone(),
            recorder.clone(),
        )))
    });
    let (mut plugins, mut errors) = (Vec::new(), Vec::new());
    for ended in join_all(loading).await {
        match ended.unwrap_or_else(|e| Err(internal(e.to_string()))) {
            Ok(plugin) => plugins.push(Arc::new(plugin)),
            Err(error) => errors.push(error),
        }
    }
    match refusal::join(errors) {
        Some(error) => Err(error),
        None => Ok(plugins.into()),
    }
}
