//! What a plugin file is, as `runner plugin inspect` shows it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::cache::Cache;
use super::engine::Engine;
use super::load::{self, Compiled, PluginConfig};
use super::refusal::Refusal;
use super::roles::Role;
use super::source::{PluginSource, digest_text};
use super::surface::{Granted, Interface};
use super::text;
use crate::Problem;
use crate::event::{Event, EventSink};
use crate::grants::{Capability, Grants};
use crate::surroundings::{Nothing, Surroundings};

/// A component file: its roles, what it imports, and whether this runner would use it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Description {
    /// The file.
    pub path: PathBuf,
    /// `sha256:…` of its bytes.
    pub digest: String,
    /// Its size in bytes.
    pub size: u64,
    /// The version of the contract that it was built against; none where it uses nothing of the contract.
    pub contract: Option<String>,
    /// Its roles; none where it is no plugin.
    pub roles: Vec<Role>,
    /// Everything that it imports: what it asks for.
    pub imports: Vec<String>,
    /// What it imports that must be granted, or it is not loaded.
    pub capabilities: Vec<Capability>,
    /// What is granted to it, a sentence's end each; none where no grants were looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub granted: Option<Vec<String>>,
    /// Whether it checks its settings when it is loaded.
    pub checks_settings: bool,
    /// Whether it imports WASI, which it gets in an empty world.
    pub wasi: bool,
    /// What it imports of the contract and this runner lacks. It fails if it calls one of these.
    pub missing: Vec<String>,
    /// Why this runner would not use it; empty where it would. Settings are not looked at.
    pub refusals: Vec<Refused>,
}

/// One reason not to use a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refused {
    /// Why, as the end of a sentence that begins with the plugin's name.
    pub reason: String,
    /// What to do about it, a line each.
    pub hints: Vec<String>,
}

impl Description {
    /// With what is granted to it; what it asks for beyond that becomes a reason not to use it.
    #[must_use]
    pub fn with_grants(mut self, grants: &Grants) -> Self {
        let lacking = |import: &&String| {
            Interface::parse(import).and_then(|interface| interface.capability()).is_some_and(|wanted| !grants.has(wanted))
        };
        let lacking: Vec<_> = self.imports.iter().filter(lacking).cloned().collect();
        if !lacking.is_empty() {
            let refusal = Refusal::NotGranted(lacking);
            self.refusals.push(Refused { reason: refusal.to_string(), hints: refusal.hints() });
        }
        self.granted = Some(grants.sentences());
        self
    }
}

/// Says what a component file is: compiles it, links it and instantiates it once. Asks it nothing, its settings neither.
///
/// Blocks, for seconds where the component is large; see [`inspect_cached`]. May be called from inside an async runtime all the
/// same.
///
/// # Errors
///
/// It is not a component at all. A component that this runner would not use is described, with the reasons.
pub fn inspect(path: impl AsRef<Path>) -> Result<Description, Problem> {
    inspect_cached(path, None)
}

/// [`inspect`], with the compiled code taken from and kept in this directory. A directory that cannot be used is not used.
///
/// # Errors
///
/// As [`inspect`].
pub fn inspect_cached(path: impl AsRef<Path>, cache_dir: Option<&Path>) -> Result<Description, Problem> {
    let source = PluginSource { path: path.as_ref().to_owned(), name: None };
    let name = source.name();
    let internal = |e: String| Refusal::Internal(e).of(&name);
    let engine = Arc::new(Engine::new().map_err(|e| internal(e.to_string()))?);
    let cache = cache_dir.and_then(|dir| Cache::open(dir).ok());
    let compiled =
        load::compile(&engine, &source.path, None, None, cache.as_ref(), &|_| ()).map_err(|refusal| refusal.of(&name))?;
    let mut refusals = compiled.surface.refusals(Granted::Looking);
    let mut missing = Vec::new();
    if refusals.is_empty() {
        match try_start(&engine, &compiled, PluginConfig::new(source.clone())).map_err(internal)? {
            Ok(names) => missing = names,
            Err(refusal) => refusals.push(refusal),
        }
    }
    Ok(describe(source.path, compiled, missing, refusals))
}

/// Instantiates it on a thread of its own: this may be a thread that a runtime does not allow to wait.
fn try_start(
    engine: &Arc<Engine>,
    compiled: &Compiled,
    config: PluginConfig,
) -> Result<Result<Vec<String>, Refusal>, String> {
    let sink: Arc<dyn EventSink> = Arc::new(Nobody);
    let surroundings: Arc<dyn Surroundings> = Arc::new(Nothing);
    let start = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(|e| e.to_string())?;
        let started =
            runtime.block_on(load::link_and_instantiate(engine, compiled, &config, Granted::Looking, &surroundings, &sink));
        Ok(started.map(|(_, missing)| missing))
    };
    let ended = std::thread::scope(|scope| scope.spawn(start).join());
    ended.unwrap_or_else(|_| Err("the thread that tried it panicked".to_owned()))
}

fn describe(path: PathBuf, compiled: Compiled, missing: Vec<String>, refusals: Vec<Refusal>) -> Description {
    let Compiled { surface, digest, size, .. } = compiled;
    Description {
        path,
        digest: digest_text(&digest),
        size: size as u64,
        contract: surface.contract.map(|(major, minor, patch)| format!("{major}.{minor}.{patch}")),
        roles: surface.roles,
        capabilities: surface.imports.iter().filter_map(|import| Interface::parse(import)?.capability()).collect(),
        granted: None,
        imports: surface.imports,
        checks_settings: surface.configuration,
        wasi: surface.wasi,
        missing,
        refusals: refusals.into_iter().map(|r| Refused { reason: r.to_string(), hints: r.hints() }).collect(),
    }
}

/// What an import of the contract, or of WASI, means to a person.
fn meaning(import: &str) -> &'static str {
    let Some((path, _)) = import.split_once('@') else { return "unknown to this runner" };
    if let Some(capability) = Interface::parse(import).and_then(|interface| interface.capability()) {
        return capability.meaning();
    }
    match path {
        "runner:plugin/facts" => "the cluster as runner observed it",
        "runner:plugin/logging" => "messages for whoever reads the run",
        "runner:plugin/clock" => "the time of the call",
        "runner:plugin/settings" => "its own settings",
        "runner:plugin/failures" => "why something that it asked for was not answered",
        path if path.starts_with("wasi:") => "WASI",
        _ => "unknown to this runner",
    }
}

/// A sink for what a plugin says while it is inspected.
struct Nobody;

impl EventSink for Nobody {
    fn emit(&self, _: Event) {}
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.path.display())?;
        writeln!(f, "  digest    {}", self.digest)?;
        writeln!(f, "  size      {}", text::bytes(self.size))?;
        match &self.contract {
            Some(version) => writeln!(f, "  contract  runner:plugin {version}")?,
            None => writeln!(f, "  contract  none")?,
        }
        let settings =
            if self.checks_settings { "checked by the plugin when it is loaded" } else { "not checked by the plugin" };
        writeln!(f, "  settings  {settings}")?;
        block(f, "roles", self.roles.iter().map(|role| format!("{role}: {}", role.question())))?;
        let (wasi, others): (Vec<_>, Vec<_>) = self.imports.iter().partition(|name| name.starts_with("wasi:"));
        let world =
            (!wasi.is_empty()).then(|| format!("WASI, {} interfaces: no files, no sockets, no environment", wasi.len()));
        block(f, "imports", others.iter().map(|name| format!("{name}: {}", meaning(name))).chain(world))?;
        if !self.capabilities.is_empty() {
            writeln!(f, "\nIt wants to")?;
            self.capabilities.iter().try_for_each(|capability| writeln!(f, "  {}", capability.wish()))?;
        }
        match self.granted.as_deref() {
            None => {}
            Some([]) => writeln!(f, "\nNothing is granted to it.")?,
            Some(sentences) => {
                writeln!(f, "\nIt may")?;
                sentences.iter().try_for_each(|sentence| writeln!(f, "  {sentence}"))?;
            }
        }
        if !self.missing.is_empty() {
            writeln!(f, "\nThe plugin {}.", load::newer(&self.missing))?;
        }
        if self.refusals.is_empty() {
            return match (self.granted.is_none(), self.capabilities.as_slice()) {
                (true, [_, ..]) => writeln!(f, "\nThis runner can use it, once that is granted to it in a policy file."),
                _ => writeln!(f, "\nThis runner can use it."),
            };
        }
        for refused in &self.refusals {
            writeln!(f, "\nThis runner refuses it: the plugin {}.", refused.reason)?;
            refused.hints.iter().try_for_each(|hint| writeln!(f, "hint: {hint}"))?;
        }
        Ok(())
    }
}

fn block(f: &mut fmt::Formatter<'_>, title: &str, lines: impl Iterator<Item = String>) -> fmt::Result {
    let mut lines = lines.peekable();
    if lines.peek().is_none() {
        return writeln!(f, "  {title:<8}  none");
    }
    for (i, line) in lines.enumerate() {
        writeln!(f, "  {:<8}  {line}", if i == 0 { title } else { "" })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_like_sentences() {
        let description = Description {
            path: "plugins/window.wasm".into(),
            digest: "sha256:00".into(),
            size: 41_984,
            contract: Some("0.1.0".into()),
            roles: vec![Role::HealthCheck],
            capabilities: vec![Capability::Http],
            granted: None,
            imports: vec!["runner:plugin/facts@0.1.0".into(), "wasi:io/poll@0.2.6".into(), "wasi:http/types@0.2.6".into()],
            checks_settings: true,
            wasi: true,
            missing: vec![],
            refusals: vec![Refused {
                reason: "imports what it was not granted: wasi:http/types@0.2.6".into(),
                hints: vec!["drop it".into()],
            }],
        };
        insta::assert_snapshot!(description.to_string(), @r"
        plugins/window.wasm
          digest    sha256:00
          size      41 KiB
          contract  runner:plugin 0.1.0
          settings  checked by the plugin when it is loaded
          roles     health-check: is the cluster healthy enough for this node to join?
          imports   runner:plugin/facts@0.1.0: the cluster as runner observed it
                    WASI, 2 interfaces: no files, no sockets, no environment

        It wants to
          send HTTP requests (to the hosts that you grant)

        This runner refuses it: the plugin imports what it was not granted: wasi:http/types@0.2.6.
        hint: drop it
        ");
    }
}
