//! Reading a recording back.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::format::{CallLine, FORMAT, Left, Limited, Line, PluginLine};
use crate::cluster::View;
use crate::grants::Grants;
use crate::pipeline::{Fault, Sample};
use crate::plugins::{Answered, Exchange, Question, Role};

/// What was recorded of a run.
#[derive(Debug, Default)]
pub struct Recording {
    /// The run's id.
    pub run: String,
    /// When it began to be recorded.
    pub started: Option<Timestamp>,
    /// The calls, in the order in which they ended.
    pub calls: Vec<Recorded>,
    /// What is not in it, a sentence each.
    pub missing: Vec<String>,
}

/// A plugin of the run.
#[derive(Debug)]
pub struct RecordedPlugin {
    /// Its name.
    pub name: String,
    /// Where its component was.
    pub path: PathBuf,
    /// `sha256:…` of the component.
    pub digest: String,
    /// The version of the contract that it was built against.
    pub contract: Option<String>,
    /// Its settings.
    pub settings: serde_json::Value,
    /// What it was granted.
    pub grants: Grants,
    /// What a call might use.
    pub limits: Limited,
}

/// One call.
#[derive(Debug)]
pub struct Recorded {
    /// Who was asked.
    pub plugin: Arc<RecordedPlugin>,
    /// What it was asked.
    pub question: Question,
    /// The time that it saw.
    pub now: Timestamp,
    /// What it asked.
    pub asked: Vec<Exchange>,
    /// What WASI's clocks showed.
    pub wasi_clock: Vec<u64>,
    /// What came of it.
    pub result: Result<Answered, Fault>,
}

/// Reads a recording. A line that is not whole (the process was killed, the disk was full) is counted as missing.
///
/// # Errors
///
/// The file cannot be read, is no recording, or one of another version of runner's.
pub fn read(path: &Path) -> Result<Recording, String> {
    let text = std::fs::read(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    let text = String::from_utf8_lossy(&text);
    let mut reader = Reader::default();
    let mut damaged = 0;
    for line in text.lines().filter(|l| !l.trim().is_empty()) {
        match serde_json::from_str(line) {
            Ok(Line::Run(run)) if run.format != FORMAT => {
                return Err(format!("{} was recorded by another version of runner ({})", path.display(), run.runner));
            }
            Ok(line) => damaged += u64::from(reader.take(line).is_none()),
            Err(_) => damaged += 1,
        }
    }
    if reader.recording.started.is_none() {
        return Err(format!("{} is no recording of a run", path.display()));
    }
    if damaged > 0 {
        reader.recording.missing.push(format!("{damaged} damaged lines"));
    }
    Ok(reader.recording)
}

#[derive(Default)]
struct Reader {
    recording: Recording,
    plugins: HashMap<u64, Arc<RecordedPlugin>>,
    views: HashMap<u64, Arc<View>>,
    windows: HashMap<u64, Arc<[Sample]>>,
}

impl Reader {
    /// None where the line refers to one that is not there.
    fn take(&mut self, line: Line) -> Option<()> {
        match line {
            Line::Run(run) => {
                // A resumed run goes on in the same file, with its own ids.
                self.plugins.clear();
                self.views.clear();
                self.windows.clear();
                self.recording.run = run.run;
                self.recording.started.get_or_insert(run.at);
            }
            Line::Plugin(line) => {
                let PluginLine { id, name, path, digest, contract, settings, grants, limits } = *line;
                let plugin = RecordedPlugin { name, path, digest, contract, settings, grants, limits };
                self.plugins.insert(id, Arc::new(plugin));
            }
            Line::View { id, view } => {
                self.views.insert(id, Arc::new(view));
            }
            Line::Window(window) => {
                let base = match window.base {
                    Some(base) => self.windows.get(&base)?.to_vec(),
                    None => Vec::new(),
                };
                // Only the newest is referred to: a long run would otherwise fill the memory with its windows.
                self.windows.clear();
                self.windows.insert(window.id, base.into_iter().chain(window.samples).collect());
            }
            Line::Call(call) => {
                let call = self.call(*call)?;
                self.recording.calls.push(call);
            }
            Line::Left(Left { calls, why }) => self.recording.missing.push(format!("{calls} calls: {why}")),
        }
        Some(())
    }

    fn call(&self, line: CallLine) -> Option<Recorded> {
        let view = || line.view.and_then(|id| self.views.get(&id).cloned());
        let question = match line.role {
            None => Question::Settings,
            Some(Role::HealthCheck) => Question::HealthCheck { view: view()?, newcomer: Arc::new(line.newcomer?) },
            Some(Role::Promotion) => Question::Promotion {
                view: view()?,
                candidate: line.candidate?,
                window: self.windows.get(&line.window?)?.clone(),
            },
            Some(Role::Notifier) => Question::Notifier { events: line.events?.into() },
        };
        let plugin = self.plugins.get(&line.plugin)?.clone();
        let CallLine { now, asked, wasi_clock, result, .. } = line;
        Some(Recorded { plugin, question, now, asked, wasi_clock, result })
    }
}
