//! The oracle held against real etcd of every minor: the sample of the grid that every test run can afford.

use std::time::{Duration, Instant};

use runner_chaos::oracle;
use runner_chaos::tally::Tally;

#[test]
fn what_the_oracle_says_is_what_etcd_answers() {
    let mut tally = Tally::default();
    let until = Instant::now() + Duration::from_secs(600);
    oracle::ask(oracle::sample(5), until, &mut tally).expect("a runtime");
    let wrong: Vec<_> = tally.violations.iter().map(|v| v.what.as_str()).collect();
    assert!(wrong.is_empty(), "{tally}\n{}", wrong.join("\n"));
    assert!(tally.runs > 0 && tally.faults.len() == 4, "every kind of change was asked for\n{tally}");
}
