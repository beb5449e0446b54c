//! What is aimed at, and whether it was reached.

use serde::Serialize;

use crate::plugin::crowd::Crowd;
use crate::stats::Spread;

/// Of the default gate: what a join takes on purpose.
pub(crate) const STABILITY_MS: f64 = 500.0;
const FLOORS: f64 = 1.5;
const RESIDENT_MIB: f64 = 64.0;
/// What a plugin of a crowd may cost, by what one of a crowd a tenth as large costs.
const LINEAR: f64 = 1.5;
const HOOK_BY_PLUGIN: f64 = 20.0;

/// One goal.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Goal {
    text: String,
    measured: String,
    met: bool,
}

impl Goal {
    /// How near a join may come to the floor, by medians.
    pub(crate) fn join(version: &str, what: &str, floor: Spread, measured: Spread) -> Self {
        let bound = FLOORS * floor.median + STABILITY_MS;
        Self {
            text: format!("etcd {version}: {what} within {FLOORS} floors + {STABILITY_MS} ms = {bound:.0} ms"),
            measured: format!("{:.0} ms", measured.median),
            met: measured.median <= bound,
        }
    }

    /// The memory of the command; its most in any run.
    pub(crate) fn resident(what: &str, mib: Spread) -> Self {
        Self {
            text: format!("{what}: resident memory at most {RESIDENT_MIB} MiB"),
            measured: format!("{:.1} MiB", mib.max),
            met: mib.max <= RESIDENT_MIB,
        }
    }

    /// A plugin call beside an exec hook.
    pub(crate) fn decision(hook_by_plugin: Spread) -> Self {
        Self {
            text: format!("a plugin call at least {HOOK_BY_PLUGIN} times faster than a compiled exec hook"),
            measured: format!("{:.1} times", hook_by_plugin.median),
            met: hook_by_plugin.median >= HOOK_BY_PLUGIN,
        }
    }

    /// The cost of a plugin must not grow with the number of plugins.
    pub(crate) fn linear(crowds: &[Crowd]) -> Vec<Self> {
        let pairs = crowds.iter().zip(crowds.iter().skip(1));
        let goals = pairs.flat_map(|(few, many)| {
            let goal = |what: &str, few_each: f64, many_each: f64| Self {
                text: format!(
                    "{what} a plugin of {} at most {LINEAR} times what one of {} costs",
                    many.plugins, few.plugins
                ),
                measured: format!("{:.2} times", many_each / few_each),
                met: many_each <= LINEAR * few_each,
            };
            [goal("loading", few.load_each(), many.load_each()), goal("asking", few.sample_each(), many.sample_each())]
        });
        goals.collect()
    }

    /// For people.
    pub(crate) fn line(&self) -> String {
        format!("  {:7}  {}: {}", if self.met { "met" } else { "NOT MET" }, self.text, self.measured)
    }
}
