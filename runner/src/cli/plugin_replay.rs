//! `runner plugin replay`: what the plugins of a run were asked, asked again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::defaults::Defaults;
use super::state_dir::StateArgs;
use super::{Ended, Frame, Output, bad_input};
use crate::pipeline::{Failure, Outcome};
use crate::plugins::{Specimen, digest_of};
use crate::recording::{self, Recorded, RecordedPlugin, Recording};

/// So many differences of one plugin are shown; the others are counted.
const SHOWN: usize = 10;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    state: StateArgs,
    /// The run: its id or the beginning of it, the member's name for its last run, or a recording's file. Without it the
    /// recorded runs are listed
    run: Option<String>,
    /// Try another component in the place of this plugin; may be given several times
    #[arg(long, value_name = "NAME=FILE", value_parser = pair)]
    plugin: Vec<(String, PathBuf)>,
    /// Write a scenario file of each plugin's calls into this folder, instead of asking again
    #[arg(long, value_name = "DIR", conflicts_with = "plugin")]
    scenarios: Option<PathBuf>,
}

/// What came of one plugin's calls.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcomes {
    plugin: String,
    component: PathBuf,
    /// The digest in the run.
    recorded_digest: String,
    /// The digest now.
    digest: String,
    calls: usize,
    differences: Vec<CallDifference>,
}

/// A call that came out otherwise.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CallDifference {
    /// The call's number in the recording, from 1.
    call: usize,
    question: &'static str,
    now: String,
    differences: Vec<String>,
}

pub(super) async fn run(args: Args, frame: &Frame) -> Ended {
    let Some(run) = &args.run else { return list(&args.state, frame) };
    let recording = recording::read(&find(&args.state, &frame.defaults, run)?).map_err(bad_input)?;
    if let Some(folder) = &args.scenarios {
        return write_scenarios(&recording, folder, frame);
    }
    let components = components(&recording, &args.plugin)?;
    let mut all = Vec::new();
    for (plugin, component) in components {
        all.push(ask_again(&recording, &plugin, component, frame.defaults.plugin_cache()).await?);
    }
    show(&recording, &all, frame);
    let same = all.iter().all(|plugin| plugin.differences.is_empty());
    Ok(if same { Outcome::Joined } else { Outcome::Differs })
}

/// A scenario file for each plugin. One that is there already is left alone: somebody may have worked on it.
fn write_scenarios(recording: &Recording, folder: &Path, frame: &Frame) -> Ended {
    let cannot = |path: &Path, e: &std::io::Error| bad_input(format!("cannot write {}: {e}", path.display()));
    std::fs::create_dir_all(folder).map_err(|e| cannot(folder, &e))?;
    let mut names: Vec<&str> = recording.calls.iter().map(|call| call.plugin.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let calls = recording.calls.iter().filter(|call| call.plugin.name == name);
        let Some(text) = recording::scenarios(calls) else { continue };
        let file = folder.join(format!("{}.yaml", name.replace('/', "-")));
        let mut new = std::fs::OpenOptions::new().write(true).create_new(true).open(&file).map_err(|e| cannot(&file, &e))?;
        std::io::Write::write_all(&mut new, text.as_bytes()).map_err(|e| cannot(&file, &e))?;
        let _ = frame.printer.data(&file.display().to_string());
    }
    Ok(Outcome::Joined)
}

/// The recording that is meant.
fn find(state: &StateArgs, defaults: &Defaults, run: &str) -> Result<PathBuf, Failure> {
    let path = Path::new(run);
    if path.is_file() {
        return Ok(path.to_owned());
    }
    let all = state.recordings(defaults)?;
    let of_member = all.iter().rfind(|r| r.member == run);
    let mut by_id = all.iter().filter(|r| r.run.starts_with(run));
    match (of_member, by_id.next(), by_id.next()) {
        (Some(last), ..) => Ok(last.path.clone()),
        (None, Some(only), None) => Ok(only.path.clone()),
        (None, Some(_), Some(_)) => {
            Err(bad_input(format!("several recorded runs begin with {run}")).hint("give more of the id"))
        }
        (None, None, _) => {
            Err(bad_input(format!("there is no recorded run {run} in {}", state.folder(defaults)?.display()))
                .hint("`runner plugin replay` lists the recorded runs"))
        }
    }
}

/// Each plugin of the run with the component that it is replayed with: the same, or the one that was given for it.
fn components(recording: &Recording, given: &[(String, PathBuf)]) -> Result<Vec<(Arc<RecordedPlugin>, PathBuf)>, Failure> {
    let mut plugins: Vec<Arc<RecordedPlugin>> = Vec::new();
    for call in &recording.calls {
        if !plugins.iter().any(|p| p.name == call.plugin.name && p.digest == call.plugin.digest) {
            plugins.push(call.plugin.clone());
        }
    }
    if let Some((stray, _)) = given.iter().find(|(name, _)| !plugins.iter().any(|p| p.name == *name)) {
        let names: Vec<&str> = plugins.iter().map(|p| p.name.as_str()).collect();
        return Err(bad_input(format!("--plugin: the run had no plugin {stray}"))
            .hint(format!("its plugins were {}", names.join(", "))));
    }
    let component = |plugin: Arc<RecordedPlugin>| {
        if let Some((_, file)) = given.iter().find(|(name, _)| *name == plugin.name) {
            return Ok((plugin, file.clone()));
        }
        let another = format!("try another component with --plugin {}=FILE", plugin.name);
        let gone = |e: &str| bad_input(format!("the component of {} is gone: {e}", plugin.name)).hint(another.clone());
        let digest = digest_of(&plugin.path).map_err(|e| gone(&e.message))?;
        if digest != plugin.digest {
            let (then, path) = (&plugin.digest, plugin.path.display());
            return Err(bad_input(format!(
                "{} is another component now: {path} was {then} in the run, and is {digest}",
                plugin.name
            ))
            .hint("bring the same file back to replay the run as it was")
            .hint(another));
        }
        let path = plugin.path.clone();
        Ok((plugin, path))
    };
    plugins.into_iter().map(component).collect()
}

async fn ask_again(
    recording: &Recording,
    plugin: &Arc<RecordedPlugin>,
    component: PathBuf,
    cache: Option<PathBuf>,
) -> Result<Outcomes, Failure> {
    let loading = {
        let (component, name) = (component.clone(), plugin.name.clone());
        tokio::task::spawn_blocking(move || Specimen::load(&component, Some(&name), cache.as_deref()))
    };
    let specimen = loading
        .await
        .map_err(|e| bad_input(format!("{} could not be loaded: {e}", plugin.name)))?
        .map_err(Failure::bad_input)?;
    let mut outcomes = Outcomes {
        plugin: plugin.name.clone(),
        component,
        recorded_digest: plugin.digest.clone(),
        digest: specimen.digest(),
        calls: 0,
        differences: Vec::new(),
    };
    let is_its = |call: &Recorded| call.plugin.name == plugin.name && call.plugin.digest == plugin.digest;
    for (n, call) in recording.calls.iter().enumerate().filter(|(_, call)| is_its(call)) {
        outcomes.calls += 1;
        let differences = match recording::replay(&specimen, call).await {
            Ok(replayed) => replayed.differences,
            Err(refused) => vec![refused.message],
        };
        if !differences.is_empty() {
            let (question, now) = (call.question.name(), call.now.to_string());
            outcomes.differences.push(CallDifference { call: n + 1, question, now, differences });
        }
    }
    Ok(outcomes)
}

fn show(recording: &Recording, all: &[Outcomes], frame: &Frame) {
    let data = |text: &str| {
        // A reader that went away is no error of ours.
        let _ = frame.printer.data(text);
    };
    if frame.global.output == Output::Json {
        let document = serde_json::json!({ "run": recording.run, "missing": recording.missing, "plugins": all });
        return data(&format!("{document:#}"));
    }
    let style = frame.printer.stdout.style;
    for plugin in all {
        let same = plugin.calls - plugin.differences.len();
        let calls = if plugin.calls == 1 { "call" } else { "calls" };
        let other = if plugin.digest == plugin.recorded_digest { "" } else { " (another component)" };
        data(&style.clean(&format!("{}{other}: {} {calls}, {same} as in the run", plugin.plugin, plugin.calls)));
        for CallDifference { call, question, now, differences } in plugin.differences.iter().take(SHOWN) {
            data(&style.clean(&format!("    call {call}, {question}, {now}")));
            differences.iter().for_each(|line| data(&style.clean(&format!("        {line}"))));
        }
        if plugin.differences.len() > SHOWN {
            data(&format!("    and {} more", plugin.differences.len() - SHOWN));
        }
    }
    for missing in &recording.missing {
        frame.printer.print_warning(&format!("not in the recording: {missing}"));
    }
}

fn list(state: &StateArgs, frame: &Frame) -> Ended {
    let mut runs = Vec::new();
    for found in state.recordings(&frame.defaults)? {
        let recording = match recording::read(&found.path) {
            Ok(recording) => recording,
            Err(what) => {
                frame.printer.print_warning(&what);
                continue;
            }
        };
        let mut plugins = BTreeMap::new();
        recording.calls.iter().for_each(|call| *plugins.entry(call.plugin.name.clone()).or_insert(0) += 1);
        runs.push((found, recording, plugins));
    }
    let shown = match frame.global.output {
        Output::Json => {
            let run = |(found, recording, plugins): &(super::state_dir::RecordingFile, Recording, BTreeMap<String, u64>)| {
                serde_json::json!({
                    "run": found.run, "member": found.member, "started": recording.started, "calls": plugins,
                    "file": found.path,
                })
            };
            format!("{:#}", runs.iter().map(run).collect::<serde_json::Value>())
        }
        Output::Text if runs.is_empty() => {
            frame.printer.say(&format!("no run with plugins is recorded in {}", state.folder(&frame.defaults)?.display()));
            return Ok(Outcome::Joined);
        }
        Output::Text => {
            let line =
                |(found, recording, plugins): &(super::state_dir::RecordingFile, Recording, BTreeMap<String, u64>)| {
                    let started =
                        recording.started.map(|at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()).unwrap_or_default();
                    let calls: Vec<String> = plugins.iter().map(|(name, calls)| format!("{name} {calls}")).collect();
                    let text = format!("{}  {started}  {}  {}", found.run, found.member, calls.join(", "));
                    frame.printer.stdout.style.clean(&text)
                };
            runs.iter().map(line).collect::<Vec<_>>().join("\n")
        }
    };
    let _ = frame.printer.data(&shown);
    Ok(Outcome::Joined)
}

fn pair(text: &str) -> Result<(String, PathBuf), String> {
    let (name, file) = text.split_once('=').ok_or("write it as NAME=FILE")?;
    Ok((name.to_owned(), file.into()))
}
