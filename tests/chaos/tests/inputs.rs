//! Hurt inputs: the few that every test run can afford, and every way in which a disk can hurt a journal. Many more: `cargo xtask chaos
//! --only inputs`.

use std::time::{Duration, Instant};

use runner_chaos::inputs::{self, Prefixes, Seeds, read_journal};
use runner_chaos::tally::Tally;
use runner_harness::Scratch;

/// How many: each kind of input some hundred times.
const RUNS: u64 = 2_500;

#[test]
fn whatever_is_read_is_taken_or_refused_with_words() {
    let mut tally = Tally::default();
    let until = Instant::now() + Duration::from_secs(600);
    inputs::run(until, Some(RUNS), 0, &mut tally).expect("real inputs to begin with");
    let wrong: Vec<_> = tally.violations.iter().map(|v| format!("seed {}: {}", v.seed, v.what)).collect();
    assert!(wrong.is_empty(), "{tally}\n{}", wrong.join("\n"));
    assert_eq!(tally.runs, RUNS, "{tally}");
}

#[tokio::test]
async fn a_journal_is_read_as_a_beginning_of_it_or_refused() {
    let whole = Seeds::make(&Scratch::new()).await.expect("a real join").journal;
    let prefixes = Prefixes::of(&whole);
    for end in 0..=whole.len() {
        let state = read_journal(&whole[..end]).expect("what a crash leaves is not refused");
        assert!(prefixes.has(&state), "cut at {end}: {state:?}");
    }
    let mut refused = 0;
    for place in 0..whole.len() {
        for bit in 0..8 {
            let mut damaged = whole.clone();
            damaged[place] ^= 1 << bit;
            match read_journal(&damaged) {
                Some(state) => assert!(prefixes.has(&state), "byte {place}, bit {bit}: {state:?}"),
                None => refused += 1,
            }
        }
    }
    assert!(refused > whole.len() * 6, "{refused} of {} flips were seen", whole.len() * 8);
}
