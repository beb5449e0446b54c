//! Many plugins at once: what loading them costs, and what one sample costs that is put to all of them.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use runner::pipeline::{Policy, Sample, Verdict};
use runner::plugins::{PluginConfig, PluginSource, Plugins};
use runner::surroundings::Nothing;
use serde::Serialize;

use super::{Nobody, facts, micros};
use crate::stats::Spread;

/// How many plugins.
const CROWDS: [usize; 3] = [1, 10, 100];

/// One size of crowd; times in microseconds.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Crowd {
    pub(crate) plugins: usize,
    /// From nothing to all of them ready, their compiled code being kept from before: engine, files, linking, one instance each to
    /// compare types, one to check settings.
    pub(crate) load: Spread,
    /// One sample, put to all of them.
    pub(crate) sample: Spread,
    /// What the process grew by while they were loaded, in KiB; the most of all rounds.
    pub(crate) grown_kib: u64,
}

impl Crowd {
    /// Microseconds of a loading that fall to one plugin, by medians.
    pub(crate) fn load_each(&self) -> f64 {
        self.load.median / self.plugins as f64
    }

    /// Microseconds of a sample that fall to one plugin, by medians.
    pub(crate) fn sample_each(&self) -> f64 {
        self.sample.median / self.plugins as f64
    }
}

/// Loads each crowd `rounds` times, in turns, and asks it `rounds` times each time.
pub(crate) async fn measure(component: &Path, cache: &Path, rounds: usize) -> Result<Vec<Crowd>> {
    let (view, candidate) = facts::view();
    let window: Arc<[Sample]> = facts::window().into();
    let mut loads = vec![Vec::new(); CROWDS.len()];
    let mut samples = vec![Vec::new(); CROWDS.len()];
    let mut grown = [0; CROWDS.len()];
    // The first round meets cold caches.
    for round in 0..=rounds {
        for (i, count) in CROWDS.into_iter().enumerate() {
            let source = PluginSource { path: component.to_owned(), name: None };
            let config = |n| PluginConfig { name: format!("plugin-{n}"), ..PluginConfig::new(source.clone()) };
            let before = resident_kib()?;
            let began = Instant::now();
            let configs = (0..count).map(config).collect();
            let plugins = Plugins::load(configs, Some(cache.to_owned()), Arc::new(Nothing), Arc::new(Nobody));
            plugins.ready().await?;
            let load = micros(began);
            for _ in 0..rounds {
                let began = Instant::now();
                let answers = plugins.evaluate(&view, candidate, &window).await;
                let sample = micros(began);
                let approved = answers.iter().filter(|a| matches!(a.result, Ok(Verdict::Approve))).count();
                ensure!(approved == count, "{approved} of {count} plugins approved");
                if round > 0 {
                    samples[i].push(sample);
                }
            }
            grown[i] = grown[i].max(resident_kib()?.saturating_sub(before));
            if round > 0 {
                loads[i].push(load);
            }
        }
    }
    let crowd = |(i, plugins)| {
        let spread = |values: &Vec<f64>| Spread::of(values.iter().copied()).context("at least one round");
        Ok(Crowd { plugins, load: spread(&loads[i])?, sample: spread(&samples[i])?, grown_kib: grown[i] })
    };
    CROWDS.into_iter().enumerate().map(crowd).collect()
}

/// This process's resident memory.
fn resident_kib() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).context("VmRSS in /proc/self/status")?;
    line.trim().trim_end_matches(" kB").parse().context("a number of kB")
}
