//! What the demo reads of a run's record: the file that every join leaves.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use crate::pipeline::{Failure, Outcome};

/// A run's record, as far as the demo tells of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Record {
    duration_ms: u64,
    pub(super) steps: Vec<Step>,
    undo: Vec<Step>,
    plugins: BTreeMap<String, Plugin>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Step {
    #[serde(alias = "step")]
    pub(super) name: String,
    duration_ms: Option<u64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Plugin {
    verdicts: Vec<Verdict>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Verdict {
    verdict: String,
}

impl Record {
    /// Reads the record of the only run in a member's folder.
    pub(super) fn of(folder: &Path) -> Result<Self, Failure> {
        let bad =
            |what: String| Failure::new(Outcome::RolledBack, format!("no run's record in {}: {what}", folder.display()));
        let entries = std::fs::read_dir(folder).map_err(|e| bad(e.to_string()))?;
        let mut names = entries.flatten().map(|e| e.path()).filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("run-") && name.ends_with(".json")
        });
        let file = names.next().ok_or_else(|| bad("there is none".to_owned()))?;
        let text = std::fs::read_to_string(file).map_err(|e| bad(e.to_string()))?;
        serde_json::from_str(&text).map_err(|e| bad(e.to_string()))
    }

    /// How long it took in all.
    pub(super) fn duration(&self) -> Duration {
        Duration::from_millis(self.duration_ms)
    }

    /// How long the step of this name took; none where it did not come to it.
    pub(super) fn step(&self, name: &str) -> Option<Duration> {
        self.steps.iter().rfind(|s| s.name == name).and_then(|s| s.duration_ms).map(Duration::from_millis)
    }

    /// How long the undo took.
    pub(super) fn undo(&self) -> Duration {
        self.undo.iter().filter_map(|u| u.duration_ms).map(Duration::from_millis).sum()
    }

    /// The plugin that refused.
    pub(super) fn refused_by(&self) -> Option<&str> {
        let refused = |plugin: &Plugin| plugin.verdicts.iter().any(|v| v.verdict == "reject");
        self.plugins.iter().find(|(_, plugin)| refused(plugin)).map(|(name, _)| name.as_str())
    }
}
