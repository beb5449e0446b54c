//! From single measurements to rows, ratios and goals; also what `--json` writes.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::goals::Goal;
use crate::join::{Contender, Measured};
use crate::machine::Machine;
use crate::plugin::Decisions;
use crate::plugin::crowd::Crowd;
use crate::stats::Spread;

/// Everything that was measured.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) command: String,
    pub(crate) machine: Machine,
    pub(crate) versions: Vec<String>,
    pub(crate) joins: Vec<Rows>,
    pub(crate) decisions: Decisions,
    pub(crate) crowds: Vec<Crowd>,
    pub(crate) goals: Vec<Goal>,
}

/// The joins on one etcd.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rows {
    pub(crate) version: String,
    pub(crate) stalls: bool,
    pub(crate) megabytes: usize,
    pub(crate) rounds: usize,
    pub(crate) rows: Vec<Row>,
    /// The warm runner's steps in their order.
    pub(crate) steps: Vec<(String, Spread)>,
    pub(crate) resident_mib: Vec<(&'static str, Spread)>,
    /// Every single join, in the order of the rounds.
    pub(crate) raw: BTreeMap<Contender, Vec<Measured>>,
}

/// One line: what, in milliseconds, and divided by the floor's add → read of the same round.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) ms: Spread,
    pub(crate) by_floor: Option<Spread>,
}

/// The steps of a join, for showing them in their order.
const STEPS: [&str; 9] =
    ["discover", "check", "lock", "add-learner", "start-member", "sync", "promote", "verify", "announce"];

impl Rows {
    /// Sums up one etcd's joins.
    pub(crate) fn new(
        version: &str,
        stalls: bool,
        megabytes: usize,
        raw: BTreeMap<Contender, Vec<Measured>>,
    ) -> Result<Self> {
        let of = |who: Contender, what: fn(&Measured) -> Option<f64>| -> Vec<f64> {
            raw.get(&who).into_iter().flatten().filter_map(what).collect()
        };
        let floor = of(Contender::Floor, |m| Some(m.read));
        let mut rows = Vec::new();
        for who in raw.keys().copied() {
            type Read = fn(&Measured) -> Option<f64>;
            let whats: [(&str, Read); 3] = [
                ("add to voter", |m| Some(m.voter)),
                ("add to linearizable read", |m| Some(m.read)),
                ("whole command, then read", |m| m.command_and_read),
            ];
            for (what, get) in whats {
                let values = of(who, get);
                let Some(ms) = Spread::of(values.iter().copied()) else { continue };
                let by_floor = Spread::ratio(&values, &floor).filter(|_| what != "add to voter" && who != Contender::Floor);
                rows.push(Row { name: format!("{}: {what}", who.name()), ms, by_floor });
            }
        }
        let warm = raw.get(&Contender::Runner);
        let step = |name: &&str| {
            let took = warm.into_iter().flatten().filter_map(|m| m.steps.get(*name).copied());
            Some(((*name).to_owned(), Spread::of(took)?))
        };
        let resident = |who: Contender| {
            let mib = raw.get(&who).into_iter().flatten().filter_map(|m| m.peak_resident);
            Some((who.name(), Spread::of(mib.map(|bytes| bytes as f64 / f64::from(1 << 20)))?))
        };
        Ok(Self {
            version: version.to_owned(),
            stalls,
            megabytes,
            rounds: raw.get(&Contender::Floor).context("the floor was measured")?.len(),
            rows,
            steps: STEPS.iter().filter_map(step).collect(),
            resident_mib: [Contender::Runner, Contender::RunnerCold].into_iter().filter_map(resident).collect(),
            raw,
        })
    }

    /// The goals that these joins show as met or not. None about time where etcd itself stalls.
    pub(crate) fn goals(&self) -> Vec<Goal> {
        let of = |who: Contender, what: fn(&Measured) -> Option<f64>| {
            Spread::of(self.raw.get(&who).into_iter().flatten().filter_map(what))
        };
        let mut goals = Vec::new();
        let floor = of(Contender::Floor, |m| Some(m.read)).filter(|_| !self.stalls);
        let add_to_read = of(Contender::Runner, |m| Some(m.read));
        let whole = of(Contender::Runner, |m| m.command_and_read);
        for (what, measured) in [("runner's add to read", add_to_read), ("runner's whole command, then read", whole)] {
            if let (Some(floor), Some(measured)) = (floor, measured) {
                goals.push(Goal::join(&self.version, what, floor, measured));
            }
        }
        goals.extend(
            self.resident_mib.iter().map(|(who, mib)| Goal::resident(&format!("etcd {}: {who}", self.version), *mib)),
        );
        goals
    }
}
