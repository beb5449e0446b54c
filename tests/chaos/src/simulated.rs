//! The pipeline over the simulated cluster, in virtual time.

use std::time::Instant;

use runner_simulated::schedule::Schedule;
use runner_simulated::tally::Tally;

/// Runs schedules until the time is up or, where `runs` is given, after so many. Seeds count up from `seed`.
pub fn run(until: Instant, runs: Option<u64>, seed: u64, tally: &mut Tally) -> anyhow::Result<()> {
    for seed in (seed..).take(runs.map_or(usize::MAX, |runs| runs as usize)) {
        if Instant::now() >= until {
            break;
        }
        Schedule::of_seed(seed).run(seed, tally);
    }
    Ok(())
}
