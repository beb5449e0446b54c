//! What a part has done so far: runs, faults by kind, invariants by name, and what was violated.

use std::collections::BTreeMap;
use std::fmt;

/// The count of one part.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// How many runs came to their end.
    pub runs: u64,
    /// How they ended, by the name of the end.
    pub ends: BTreeMap<String, u64>,
    /// What was done to them, by kind.
    pub faults: BTreeMap<String, u64>,
    /// How often each invariant was looked at.
    pub invariants: BTreeMap<String, u64>,
    /// What was violated; empty when all is well.
    pub violations: Vec<Violation>,
}

/// An invariant that did not hold.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The seed of the run.
    pub seed: u64,
    /// What was seen, with all that is needed to understand it.
    pub what: String,
}

impl Tally {
    /// Counts a run that ended in this way.
    pub fn ended(&mut self, end: impl Into<String>) {
        self.runs += 1;
        *self.ends.entry(end.into()).or_default() += 1;
    }

    /// Counts a fault of this kind.
    pub fn fault(&mut self, kind: impl Into<String>) {
        *self.faults.entry(kind.into()).or_default() += 1;
    }

    /// Counts one look at an invariant; a look that fails is a violation of the run with this seed.
    pub fn look(&mut self, invariant: &str, seed: u64, seen: Result<(), String>) {
        *self.invariants.entry(invariant.to_owned()).or_default() += 1;
        if let Err(what) = seen {
            self.violations.push(Violation { seed, what: format!("{invariant}: {what}") });
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  runs        {}", self.runs)?;
        for (title, counts) in [("ends", &self.ends), ("faults", &self.faults), ("invariants", &self.invariants)] {
            for (number, (name, count)) in counts.iter().enumerate() {
                writeln!(f, "  {:<11} {count:>10}  {name}", if number == 0 { title } else { "" })?;
            }
        }
        write!(f, "  violations  {}", self.violations.len())
    }
}
