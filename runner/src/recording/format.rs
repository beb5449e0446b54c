//! The file: JSON, one line a call, and a line for each fact that calls share.
//!
//! A promotion is asked for many times, each time with a longer window: a window is written as what it adds to the one before.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cluster::{MemberId, View};
use crate::event::Usage;
use crate::grants::Grants;
use crate::pipeline::{Fault, Newcomer, Sample};
use crate::plugins::{Answered, Exchange, Limits, Role, ToldEvent};

/// The layout of the file. A reader refuses another one.
pub const FORMAT: u32 = 1;

/// One line, as it is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Line {
    Run(Run),
    Plugin(Box<PluginLine>),
    View { id: u64, view: View },
    Window(WindowLine),
    Call(Box<CallLine>),
    Left(Left),
}

/// A process began to write.
#[derive(Serialize, Deserialize)]
pub(super) struct Run {
    pub(super) format: u32,
    pub(super) run: String,
    pub(super) runner: String,
    pub(super) at: Timestamp,
}

/// A plugin was asked for the first time.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PluginLine {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) digest: String,
    pub(super) contract: Option<String>,
    pub(super) settings: Value,
    pub(super) grants: Grants,
    pub(super) limits: Limited,
}

/// [`Limits`], as they are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limited {
    /// Milliseconds.
    pub cpu_ms: u64,
    /// Milliseconds.
    pub wall_ms: u64,
    /// Bytes.
    pub memory: u64,
    /// Handles.
    pub handles: usize,
    /// Bytes.
    pub bytes: u64,
    /// Findings.
    pub findings: usize,
    /// Lines.
    pub log_lines: usize,
    /// Bytes.
    pub log_bytes: usize,
}

/// A window of samples: those of the window `base`, if there is one, and these.
#[derive(Serialize, Deserialize)]
pub(super) struct WindowLine {
    pub(super) id: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) base: Option<u64>,
    pub(super) samples: Vec<Sample>,
}

/// A call. `view`, `window` and `plugin` are ids of lines before.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CallLine {
    pub(super) plugin: u64,
    /// None for the settings.
    pub(super) role: Option<Role>,
    pub(super) now: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) view: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) newcomer: Option<Newcomer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) candidate: Option<MemberId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) window: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) events: Option<Vec<ToldEvent>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) asked: Vec<Exchange>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) wasi_clock: Vec<u64>,
    pub(super) result: Result<Answered, Fault>,
    #[serde(skip_deserializing)]
    pub(super) usage: Usage,
}

/// What is not in the file.
#[derive(Serialize, Deserialize)]
pub(super) struct Left {
    /// So many calls.
    pub(super) calls: u64,
    pub(super) why: String,
}

impl Limited {
    pub(super) fn of(limits: &Limits) -> Self {
        let Limits { cpu, wall, memory, handles, bytes, findings, log_lines, log_bytes } = limits.clone();
        let (cpu_ms, wall_ms) = (cpu.as_millis() as u64, wall.as_millis() as u64);
        Self { cpu_ms, wall_ms, memory, handles, bytes, findings, log_lines, log_bytes }
    }

    /// As they were.
    pub fn limits(self) -> Limits {
        let Self { cpu_ms, wall_ms, memory, handles, bytes, findings, log_lines, log_bytes } = self;
        let (cpu, wall) = (Duration::from_millis(cpu_ms), Duration::from_millis(wall_ms));
        Limits { cpu, wall, memory, handles, bytes, findings, log_lines, log_bytes }
    }
}
