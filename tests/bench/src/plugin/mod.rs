//! One decision, made by a plugin in a fresh instance and by exec hooks that read JSON, taken in turns.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use runner::event::{Event, EventSink};
use runner::pipeline::{Policy, Sample, Verdict};
use runner::plugins::{PluginConfig, PluginSource, Plugins};
use runner::surroundings::Nothing;
use serde::Serialize;
use serde_json::{Value, json};

use crate::stats::Spread;

pub(crate) mod crowd;

mod facts;

/// `steady-sync`'s defaults.
const SETTINGS: (u64, usize, u64) = (100, 5, 200);
/// The interpreter is slow and only for reference.
const PYTHON_EVERY: usize = 10;

/// What the decision costs, in microseconds.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Decisions {
    /// By the plugin: a fresh instance, all limits on.
    pub(crate) plugin: Spread,
    /// By a compiled program that does nothing else.
    pub(crate) hook: Spread,
    /// By python3, where there is one.
    pub(crate) python: Option<Spread>,
    /// The compiled hook's time divided by the plugin's in the same round.
    pub(crate) hook_by_plugin: Spread,
}

struct Nobody;

impl EventSink for Nobody {
    fn emit(&self, _: Event) {}
}

/// Lets both decide `rounds` times.
pub(crate) async fn measure(steady_sync: &Path, cache: &Path, hook: &Path, rounds: usize) -> Result<Decisions> {
    let config = PluginConfig::new(PluginSource { path: steady_sync.to_owned(), name: None });
    let plugins = Plugins::load(vec![config], Some(cache.to_owned()), Arc::new(Nothing), Arc::new(Nobody));
    plugins.ready().await?;
    let (view, candidate) = facts::view();
    let window: Arc<[Sample]> = facts::window().into();
    let python = python();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/plugin/hook.py");

    let (mut by_plugin, mut by_hook, mut by_python) = (Vec::new(), Vec::new(), Vec::new());
    // The first calls meet cold caches on either side.
    for round in 0..rounds + 5 {
        let began = Instant::now();
        let answers = plugins.evaluate(&view, candidate, &window).await;
        let plugin = micros(began);
        ensure!(answers.len() == 1 && matches!(answers[0].result, Ok(Verdict::Approve)), "the plugin said {answers:?}");
        let compiled = ask(Command::new(hook), &window)?;
        let interpreted = match &python {
            Some(python) if round % PYTHON_EVERY == 0 => {
                let mut command = Command::new(python);
                command.args(["-S", "-E", script]);
                Some(ask(command, &window)?)
            }
            _ => None,
        };
        if round >= 5 {
            by_plugin.push(plugin);
            by_hook.push(compiled);
            by_python.extend(interpreted);
        }
    }
    let spread = |values: &[f64]| Spread::of(values.iter().copied()).context("at least one round");
    Ok(Decisions {
        plugin: spread(&by_plugin)?,
        hook: spread(&by_hook)?,
        python: Spread::of(by_python),
        hook_by_plugin: Spread::ratio(&by_hook, &by_plugin).context("at least one round")?,
    })
}

/// Starts the hook, gives it the question, takes its answer and waits for its end. Writing the question belongs to it: somebody
/// has to make JSON of the facts.
fn ask(mut command: Command, window: &[Sample]) -> Result<f64> {
    let began = Instant::now();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("the hook starts")?;
    let question = serde_json::to_vec(&question(window))?;
    child.stdin.take().context("its input")?.write_all(&question)?;
    let output = child.wait_with_output()?;
    let answer: Value = serde_json::from_slice(&output.stdout).context("the hook answers with JSON")?;
    let took = micros(began);
    ensure!(answer["verdict"] == "approve", "the hook said {answer}");
    Ok(took)
}

fn question(window: &[Sample]) -> Value {
    let (max_lag, samples, for_ms) = SETTINGS;
    let sample = |s: &Sample| {
        json!({
            "atMs": s.at.as_millisecond(), "leaderIndex": s.leader_index, "appliedIndex": s.applied_index,
            "leader": s.leader, "term": s.term, "reachable": s.reachable,
        })
    };
    let window: Vec<Value> = window.iter().map(sample).collect();
    json!({ "settings": { "maxLag": max_lag, "samples": samples, "forMs": for_ms }, "window": window })
}

fn python() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("python3")).find(|file| file.is_file())
}

fn micros(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1e6
}
