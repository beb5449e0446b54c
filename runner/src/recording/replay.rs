//! Asking a plugin again what it was asked in a run.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use super::read::Recorded;
use crate::Problem;
use crate::event::{Event, EventSink};
use crate::grants::Grants;
use crate::pipeline::{Fault, FaultKind};
use crate::plugins::{Answered, CallRecord, Circumstances, Exchange, Secrets, Specimen};
use crate::surroundings::{Ask, Refused, Reply, Surroundings};

/// Processor time is no part of what is replayed: a slower machine gets this many times as much.
const SLOWER: u32 = 10;

/// How long a call may wait for what was never answered.
const UNANSWERED: Duration = Duration::from_secs(1);

/// What came of asking again.
#[derive(Debug)]
pub struct Replayed {
    /// The call as it was made now.
    pub call: CallRecord,
    /// Where it went otherwise than recorded, a line each; empty where it did not.
    pub differences: Vec<String>,
}

/// Answers as a recording says, whatever the grants.
pub struct Script {
    /// The exchanges, and whether each was used.
    exchanges: Mutex<Vec<(Exchange, bool)>>,
    /// What a plugin makes of a secret's marker is written down as the marker, too.
    secrets: Secrets,
}

impl Script {
    /// Answers these questions, each once, and each with the first answer that is left.
    pub fn new(exchanges: &[Exchange]) -> Self {
        let secrets = Secrets::of(exchanges);
        Self { exchanges: Mutex::new(exchanges.iter().map(|e| (e.clone(), false)).collect()), secrets }
    }

    fn take(&self, ask: &Ask) -> Result<Reply, Refused> {
        let written = |ask: &Ask| serde_json::to_value(ask).unwrap_or_default();
        let mut asked = written(ask);
        self.secrets.blot(&mut asked);
        let mut exchanges = self.exchanges.lock().unwrap_or_else(PoisonError::into_inner);
        match exchanges.iter_mut().find(|(exchange, used)| !used && written(&exchange.ask) == asked) {
            Some((exchange, used)) => {
                *used = true;
                exchange.answer.clone()
            }
            None => Err(Refused::new("unavailable", "this question is not in the recording")),
        }
    }
}

#[async_trait]
impl Surroundings for Script {
    async fn answer(&self, _plugin: &str, _grants: &Grants, ask: &Ask) -> Result<Reply, Refused> {
        match self.take(ask) {
            Err(refused) if refused.kind == Exchange::UNANSWERED => std::future::pending().await,
            answer => answer,
        }
    }
}

/// Asks again, and compares.
///
/// # Errors
///
/// The component cannot be used: see [`Specimen::ask`].
pub async fn replay(specimen: &Specimen, recorded: &Recorded) -> Result<Replayed, Problem> {
    let plugin = &recorded.plugin;
    let mut limits = plugin.limits.limits();
    match &recorded.result {
        Err(Fault { kind: FaultKind::Cpu | FaultKind::Timeout, .. }) => {
            if recorded.asked.last().is_some_and(|e| matches!(&e.answer, Err(r) if r.kind == Exchange::UNANSWERED)) {
                limits.wall = limits.wall.min(UNANSWERED);
            }
        }
        _ => {
            limits.cpu *= SLOWER;
            limits.wall *= SLOWER;
        }
    }
    let circumstances = Circumstances {
        settings: plugin.settings.clone(),
        grants: Some(plugin.grants.clone()),
        answered_already: true,
        limits,
        now: recorded.now,
        wasi_clock: recorded.wasi_clock.clone(),
        wasi_seed: seed(&plugin.digest),
        surroundings: Arc::new(Script::new(&recorded.asked)),
        sink: Arc::new(Silent),
    };
    let call = specimen.ask(circumstances, recorded.question.clone()).await?;
    let mut differences = asked_otherwise(&recorded.asked, &call.asked_blotted());
    if let Some(difference) = ended_otherwise(&recorded.result, &call.result) {
        differences.push(difference);
    }
    Ok(Replayed { call, differences })
}

/// The digest's bytes: what WASI's randomness followed from in the run.
fn seed(digest: &str) -> Option<[u8; 32]> {
    let hex = digest.strip_prefix("sha256:")?;
    let bytes: Option<Vec<u8>> = (0..64).step_by(2).map(|i| u8::from_str_radix(hex.get(i..i + 2)?, 16).ok()).collect();
    bytes?.try_into().ok()
}

fn asked_otherwise(recorded: &[Exchange], now: &[Value]) -> Vec<String> {
    let recorded: Vec<Value> = recorded.iter().map(|e| serde_json::to_value(&e.ask).unwrap_or_default()).collect();
    let common = recorded.iter().zip(now).take_while(|(a, b)| a == b).count();
    let said = |what: &Value| what.to_string();
    match (recorded.get(common), now.get(common)) {
        (None, None) => Vec::new(),
        (Some(then), None) => vec![format!("asked in the run, and not now: {}", said(then))],
        (None, Some(now)) => vec![format!("asks now, and not in the run: {}", said(now))],
        (Some(then), Some(now)) => vec![format!("asked in the run: {}", said(then)), format!("asks now: {}", said(now))],
    }
}

fn ended_otherwise(then: &Result<Answered, Fault>, now: &Result<Answered, Fault>) -> Option<String> {
    let same = match (then, now) {
        (Ok(then), Ok(now)) => then == now,
        // How far it came by then is a matter of the machine, and so is what is said of it.
        (Err(then), Err(now)) if matches!(then.kind, FaultKind::Cpu | FaultKind::Timeout) => then.kind == now.kind,
        (Err(then), Err(now)) => then.kind == now.kind && then.message == now.message,
        _ => false,
    };
    (!same).then(|| format!("in the run: {}; now: {}", answer(then), answer(now)))
}

/// An answer as one line.
fn answer(result: &Result<Answered, Fault>) -> String {
    match result {
        Ok(answered) => serde_json::to_string(answered).unwrap_or_default(),
        Err(fault) => format!("{} ({})", fault.message, serde_json::to_string(&fault.kind).unwrap_or_default()),
    }
}

/// What it says again is not shown.
struct Silent;

impl EventSink for Silent {
    fn emit(&self, _: Event) {}
}
