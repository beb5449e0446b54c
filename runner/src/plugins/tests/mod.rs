//! The host against components written by hand, in their text form.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use super::{Limits, PluginConfig, PluginSource, Plugins};
use crate::Problem;
use crate::event::{Event, EventKind, EventSink, Usage};
use crate::pipeline::{Answer, Fault, FaultKind, Policy};
use crate::surroundings::Nothing;
use crate::terms::Step;

mod again;
mod calls;
mod keeping;
mod loading;
mod wasi;

/// A sink that remembers.
#[derive(Default)]
struct Seen(Mutex<Vec<EventKind>>);

/// Component files for one test.
struct Files(TempDir);

impl EventSink for Seen {
    fn emit(&self, event: Event) {
        self.0.lock().unwrap().push(event.kind);
    }
}

impl Seen {
    /// What plugins said, as `level: text`.
    fn log(&self) -> Vec<String> {
        let line = |e: &EventKind| match e {
            EventKind::PluginLog { level, message, .. } => Some(format!("{level}: {message}")),
            _ => None,
        };
        self.0.lock().unwrap().iter().filter_map(line).collect()
    }

    /// The notes of the plugin that was loaded.
    fn notes(&self) -> Vec<String> {
        let notes = |e: &EventKind| match e {
            EventKind::PluginLoaded { notes, .. } => Some(notes.clone()),
            _ => None,
        };
        self.0.lock().unwrap().iter().find_map(notes).unwrap_or_default()
    }
}

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn component(&self, name: &str, text: &str) -> PluginConfig {
        let path = self.write(&format!("{name}.wasm"), &wat::parse_str(text).unwrap_or_else(|e| panic!("{e}\n{text}")));
        PluginConfig::new(PluginSource { path, name: None })
    }
}

/// A notifier whose `notify` runs `body`: it has a memory, `$realloc`, `$ok` and `$err` (the address of an answer), and whatever
/// `imports` (component level) hands to the module as the instance `host` through `lowered`.
fn notifier(imports: &str, lowered: &str, module: &str, body: &str) -> String {
    let host = if lowered.is_empty() { "" } else { r#"(with "host" (instance $lowered))"# };
    let lowered = if lowered.is_empty() { String::new() } else { format!("(core instance $lowered {lowered})") };
    format!(
        r#"(component
  {imports}
  (core module $memory
    (memory (export "memory") 1)
    (global $free (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.set $free (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
      (global.get $free)
      (global.set $free (i32.add (global.get $free) (local.get 3)))))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem))
  (alias core export $memory "realloc" (core func $realloc))
  {lowered}
  (core module $main
    (import "memory" "memory" (memory 1))
    {module}
    (data (i32.const 16) "it does not work")
    (func $ok (result i32) (i32.store (i32.const 0) (i32.const 0)) (i32.const 0))
    (func $err (result i32)
      (i32.store (i32.const 0) (i32.const 1)) (i32.store (i32.const 4) (i32.const 16)) (i32.store (i32.const 8) (i32.const 16))
      (i32.const 0))
    (func (export "notify") (param i32 i32) (result i32) {body}))
  (core instance $main (instantiate $main (with "memory" (instance $memory)) {host}))
  (type $event (record (field "kind" string) (field "at-ms" u64) (field "json" string)))
  (func $notify (param "events" (list $event)) (result (result (error string)))
    (canon lift (core func $main "notify") (memory $mem) (realloc $realloc)))
  (component $interface
    (type $event (record (field "kind" string) (field "at-ms" u64) (field "json" string)))
    (import "event" (type $in (eq $event)))
    (import "notify" (func $f (param "events" (list $in)) (result (result (error string)))))
    (export $out "event" (type $in))
    (export "notify" (func $f) (func (param "events" (list $out)) (result (result (error string))))))
  (instance $role (instantiate $interface (with "event" (type $event)) (with "notify" (func $notify))))
  (export "runner:plugin/notifier@0.1.0" (instance $role)))"#
    )
}

/// A notifier without imports.
fn plain(body: &str) -> String {
    notifier("", "", "", body)
}

/// Tells one event to plugins loaded from these configurations.
async fn notify(plugins: &Plugins) -> Vec<(Result<(), Fault>, Usage)> {
    let event = Event::now(EventKind::StepStarted { step: Step::Discover });
    let answers = plugins.notify(&[event]).await;
    answers.into_iter().map(|Answer { result, usage, .. }| (result, usage)).collect()
}

/// Loads one plugin and tells it one event.
async fn call(config: PluginConfig, sink: &Arc<Seen>) -> (Result<(), Fault>, Usage) {
    let plugins = Plugins::load(vec![config], None, Arc::new(Nothing), sink.clone());
    plugins.ready().await.unwrap();
    notify(&plugins).await.remove(0)
}

fn within(config: PluginConfig, limits: Limits) -> PluginConfig {
    PluginConfig { limits, ..config }
}
