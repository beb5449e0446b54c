//! Real hosts, hurt: the few runs that every test run can afford. Many more: `cargo xtask chaos --only hosts`.

use std::time::{Duration, Instant};

use runner_chaos::hosts;
use runner_chaos::tally::Tally;
use runner_harness::in_a_network_of_its_own;

/// The first seed of the quick set; its runs hurt in most of the ways.
const SEED: u64 = 0;

/// How many.
const RUNS: u64 = 12;

#[test]
fn whatever_is_done_to_the_hosts_nothing_is_lost_and_everybody_joins() {
    if !in_a_network_of_its_own() {
        return;
    }
    let mut tally = Tally::default();
    let until = Instant::now() + Duration::from_secs(900);
    hosts::run(until, Some(RUNS), SEED, &mut tally).expect("threads and a runtime");
    let wrong: Vec<_> = tally.violations.iter().map(|v| format!("seed {}: {}", v.seed, v.what)).collect();
    assert!(wrong.is_empty(), "{tally}\n{}", wrong.join("\n"));
    assert_eq!(tally.runs, RUNS, "{tally}");
}
