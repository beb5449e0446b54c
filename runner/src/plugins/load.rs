//! From a file to a plugin that can be asked: read, compiled (or found compiled), linked, instantiated once, its settings accepted.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use wasmtime::component::Component;

use super::bindings::exports::runner::plugin::configuration;
use super::blot::Blot;
use super::cache::Cache;
use super::call::{Callee, Permission};
use super::engine::Engine;
use super::limits::Limits;
use super::link::{self, Linked};
use super::record::{Identity, Question, Recorder};
use super::refusal::Refusal;
use super::roles::{Exports, Role, configuration_role};
use super::source::{self, Bytes, Embedded, PluginSource};
use super::surface::{Granted, Interface, Surface};
use super::text::MAX_TEXT;
use super::wasi;
use crate::Problem;
use crate::event::{Event, EventKind, EventSink};
use crate::grants::{Capability, Grants};
use crate::pipeline::{FailurePolicy, FaultKind, Mode, Waiver};
use crate::surroundings::Surroundings;
use crate::text::one_line;

/// One plugin as it is configured.
#[derive(Clone, Debug)]
pub struct PluginConfig {
    /// The component, a `.wasm` file; where it is embedded, what recordings call it.
    pub path: PathBuf,
    /// The component itself, where it is built into the program: no file is read then.
    pub embedded: Option<Embedded>,
    /// Its name in messages, unique among the plugins of a run.
    pub name: String,
    /// Its settings, a JSON object; `null` stands for an empty one.
    pub settings: Value,
    /// What becomes of the join when it fails to answer; none for the role's own: checks and promotion criteria fail the join,
    /// notifiers do not.
    pub failure_policy: Option<FailurePolicy>,
    /// What one call may use.
    pub limits: Limits,
    /// What it may import beyond the facts.
    pub grants: Grants,
    /// `sha256:…` that the component's file must have; any file where none is given.
    pub digest: Option<String>,
    /// Whether its word counts.
    pub mode: Mode,
    /// Findings of it that do not refuse the join.
    pub waivers: Arc<[Waiver]>,
}

/// A plugin that can be asked.
pub(super) struct Plugin {
    pub(super) callee: Callee,
    pub(super) exports: Exports,
    pub(super) failure_policy: Option<FailurePolicy>,
    pub(super) mode: Mode,
    pub(super) waivers: Arc<[Waiver]>,
}

/// A component that has been compiled, and what is known of it.
pub(super) struct Compiled {
    pub(super) component: Component,
    pub(super) surface: Surface,
    pub(super) digest: [u8; 32],
    pub(super) size: usize,
    /// Why its compiled code was not kept, where it was to be.
    pub(super) not_kept: Option<String>,
    /// Why its compiled code was there and not used.
    pub(super) mistrusted: Option<String>,
}

impl PluginConfig {
    /// This plugin without settings, within the default limits.
    pub fn new(source: PluginSource) -> Self {
        let name = source.name();
        Self {
            path: source.path,
            embedded: None,
            name,
            settings: Value::Null,
            failure_policy: None,
            limits: Limits::default(),
            grants: Grants::default(),
            digest: None,
            mode: Mode::Enforce,
            waivers: Arc::new([]),
        }
    }
}

impl Plugin {
    /// What becomes of the join when the plugin fails to answer in this role.
    pub(super) fn failure_policy(&self, role: Role) -> FailurePolicy {
        self.failure_policy.unwrap_or_else(|| default_failure_policy(role))
    }
}

/// Checks and promotion criteria fail closed; telling people never gets in the way.
pub(super) fn default_failure_policy(role: Role) -> FailurePolicy {
    match role {
        Role::HealthCheck | Role::Promotion => FailurePolicy::Fail,
        Role::Notifier => FailurePolicy::Ignore,
    }
}

/// Components from this size on take a second and more to compile: a QuickJS guest has 1.6 MB.
const LONG: usize = 1 << 20;

/// Reads and compiles a component. Blocks: for seconds, where it is large and its code was not kept. Compiles nothing that is
/// not what was pinned. Before it compiles something large, it tells its size to `long`.
pub(super) fn compile(
    engine: &Engine,
    path: &Path,
    embedded: Option<Embedded>,
    pinned: Option<&str>,
    cache: Option<&Cache>,
    long: &dyn Fn(u64),
) -> Result<Compiled, Refusal> {
    let Bytes { bytes, digest } = embedded.map_or_else(|| source::read(path), Embedded::read)?;
    let found = source::digest_text(&digest);
    if let Some(pinned) = pinned.filter(|pinned| *pinned != found) {
        return Err(Refusal::NotPinned { found, pinned: pinned.to_owned() });
    }
    let engine = engine.wasmtime();
    let (mut not_kept, mut mistrusted) = (None, None);
    let kept = cache.map_or(Ok(None), |cache| cache.get(engine, &digest));
    let component = match kept.unwrap_or_else(|why| {
        mistrusted = Some(why);
        None
    }) {
        Some(component) => component,
        None => {
            if bytes.len() >= LONG {
                long(bytes.len() as u64);
            }
            let component = Component::from_binary(engine, &bytes).map_err(|e| invalid(&e))?;
            not_kept = cache.and_then(|cache| cache.put(engine, &digest, &component).err()).map(|e| e.to_string());
            component
        }
    };
    Ok(Compiled { surface: Surface::of(&component, engine), component, digest, size: bytes.len(), not_kept, mistrusted })
}

/// Links a compiled component and instantiates it once: the types of its roles are compared only then. Returns with it the names
/// of what it imports and this runner lacks.
pub(super) async fn link_and_instantiate(
    engine: &Arc<Engine>,
    compiled: &Compiled,
    config: &PluginConfig,
    granted: Granted<'_>,
    surroundings: &Arc<dyn Surroundings>,
    sink: &Arc<dyn EventSink>,
) -> Result<(Plugin, Vec<String>), Refusal> {
    if let Some(refusal) = compiled.surface.refusals(granted).into_iter().next() {
        return Err(refusal);
    }
    let settings: Arc<str> = match &config.settings {
        Value::Null => "{}".into(),
        Value::Object(_) => config.settings.to_string().into(),
        _ => return Err(Refusal::SettingsNotAnObject),
    };
    let Linked { pre, missing } =
        link::link(engine, &compiled.component, &compiled.surface, granted).map_err(|e| Refusal::WrongShape(chain(&e)))?;
    let plugin = Plugin {
        exports: Exports::find(&pre, &compiled.surface).map_err(|e| Refusal::WrongShape(chain(&e)))?,
        callee: Callee {
            name: config.name.as_str().into(),
            engine: engine.clone(),
            pre,
            limits: config.limits.clone(),
            settings: settings.clone(),
            permission: Permission::Granted(Arc::new(config.grants.clone())),
            surroundings: surroundings.clone(),
            sink: sink.clone(),
            blot: Blot::default(),
            wasi_random: compiled.surface.wasi.then(|| wasi::random(&compiled.digest)),
            identity: Arc::new(Identity {
                name: config.name.clone(),
                path: config.path.clone(),
                digest: source::digest_text(&compiled.digest),
                contract: compiled.surface.contract.map(|(major, minor, patch)| format!("{major}.{minor}.{patch}")),
                settings,
                grants: config.grants.clone(),
                limits: config.limits.clone(),
            }),
            recorder: None,
            now: None,
            tape: Vec::new(),
        },
        failure_policy: config.failure_policy,
        mode: config.mode,
        waivers: config.waivers.clone(),
    };
    check_types(&plugin).await?;
    Ok((plugin, missing))
}

/// Loads one plugin and says so.
pub(super) async fn load(
    engine: Arc<Engine>,
    cache: Arc<Result<Option<Cache>, String>>,
    config: PluginConfig,
    surroundings: Arc<dyn Surroundings>,
    sink: Arc<dyn EventSink>,
    recorder: Option<Arc<dyn Recorder>>,
) -> Result<Plugin, Problem> {
    let compiling = tokio::task::spawn_blocking({
        let (engine, cache) = (engine.clone(), cache.clone());
        let (path, embedded, pinned) = (config.path.clone(), config.embedded, config.digest.clone());
        let (plugin, sink) = (config.name.clone(), sink.clone());
        let long = move |bytes| sink.emit(Event::now(EventKind::PluginCompiling { plugin: plugin.clone(), bytes }));
        move || {
            let cache = cache.as_ref().as_ref().ok().and_then(Option::as_ref);
            compile(&engine, &path, embedded, pinned.as_deref(), cache, &long)
        }
    });
    let refuse = |refusal: Refusal| refusal.of(&config.name);
    let compiled = compiling.await.map_err(|e| refuse(Refusal::Internal(e.to_string())))?.map_err(refuse)?;
    let (mut plugin, missing) =
        link_and_instantiate(&engine, &compiled, &config, Granted::These(&config.grants), &surroundings, &sink)
            .await
            .map_err(refuse)?;
    plugin.callee.recorder = recorder;
    let prepared = surroundings.prepare(&config.name, &config.grants).await;
    for (name, secret) in prepared.map_err(|refused| refuse(Refusal::GrantNotThere(refused.message)))? {
        plugin.callee.blot.learn(&name, &secret);
    }
    if let Some(configuration) = plugin.exports.configuration.clone() {
        check_settings(&plugin.callee, configuration).await.map_err(refuse)?;
    }
    let not_kept = compiled.not_kept.as_ref().or(cache.as_ref().as_ref().err());
    sink.emit(Event::now(EventKind::PluginLoaded {
        plugin: config.name.clone(),
        roles: compiled.surface.roles.iter().map(Role::to_string).collect(),
        digest: source::digest_text(&compiled.digest),
        notes: notes(&compiled, &config, &missing, not_kept),
    }));
    Ok(plugin)
}

fn notes(compiled: &Compiled, config: &PluginConfig, missing: &[String], not_kept: Option<&String>) -> Vec<String> {
    let surface = &compiled.surface;
    let mut notes = Vec::new();
    if !missing.is_empty() {
        notes.push(newer(missing));
    }
    if surface.wasi {
        notes.push("imports WASI, and gets it in an empty world: no files, no sockets, no environment".to_owned());
    }
    if !surface.configuration && config.settings.as_object().is_some_and(|s| !s.is_empty()) {
        notes.push("has settings and does not check them".to_owned());
    }
    let asks = |c: &Capability| surface.imports.iter().any(|i| Interface::parse(i).is_some_and(|i| i.name == c.name()));
    for capability in Capability::ALL.into_iter().filter(|c| config.grants.has(*c) && !asks(c)) {
        notes.push(format!("is granted `{}` and does not ask for it", capability.name()));
    }
    if let Some(why) = &compiled.mistrusted {
        notes.push(format!("the compiled code that was kept of it was not used, and it was compiled anew: {why}"));
    }
    if let Some(why) = not_kept {
        notes.push(format!("its compiled code is not kept, so it is compiled every time: {why}"));
    }
    notes
}

/// What is said of functions that this runner lacks.
pub(super) fn newer(missing: &[String]) -> String {
    format!("imports what is newer than this runner, and fails if it calls it: {}", missing.join(", "))
}

async fn check_types(plugin: &Plugin) -> Result<(), Refusal> {
    let exports = plugin.exports.clone();
    let called = plugin
        .callee
        .call(|guest| Box::pin(async move { Ok(exports.check_types(guest.store, guest.instance).map_err(|e| chain(&e))) }));
    called.await.result.map_err(|fault| match fault.kind {
        FaultKind::Error => Refusal::WrongShape(fault.message),
        _ => Refusal::DoesNotStart(fault),
    })
}

async fn check_settings(callee: &Callee, indices: configuration::GuestIndices) -> Result<(), Refusal> {
    let called = callee.put(Question::Settings, |guest| Box::pin(configuration_role::validate(guest, indices))).await;
    match called.result {
        Ok(problems) if problems.is_empty() => Ok(()),
        Ok(problems) => Err(Refusal::BadSettings(problems)),
        Err(fault) => Err(Refusal::SettingsNotChecked(fault)),
    }
}

/// An error with all its causes, on one line.
fn chain(error: &wasmtime::Error) -> String {
    one_line(&format!("{error:#}"), MAX_TEXT)
}

/// Why a file that begins like a component is none.
fn invalid(error: &wasmtime::Error) -> Refusal {
    let text = chain(error);
    if text.contains("unexpected end") { Refusal::Truncated } else { Refusal::Invalid(text) }
}
