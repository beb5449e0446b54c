//! Every placement of up to two hurts.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use runner_simulated::pairs::{ends_whole, singles};

/// Of the pairs, so many-th are run here, each hurt with others of every kind; all of them by `cargo xtask chaos --only simulated`.
const SHARE: usize = 7;

#[test]
#[allow(clippy::print_stdout, reason = "the figure is what the README quotes")]
fn every_pair_of_hurts_ends_promoted_or_undone() {
    let version = "3.7.3";
    let singles = singles(version);
    let runs = AtomicUsize::new(0);
    let (began, wrong, next) = (Instant::now(), Mutex::new(Vec::new()), Mutex::new(0..singles.len()));
    let work = || {
        loop {
            let Some(first) = next.lock().unwrap().next() else { return };
            let alone = std::iter::once(vec![&singles[first]]);
            let others = singles[first + 1..].iter().skip(first % SHARE).step_by(SHARE);
            let pairs = others.map(|other| vec![&singles[first], other]);
            for hurts in alone.chain(pairs) {
                runs.fetch_add(1, Ordering::Relaxed);
                if let Err(what) = ends_whole(version, &hurts) {
                    wrong.lock().unwrap().push(what);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        (0..threads).for_each(|_| {
            scope.spawn(work);
        });
    });
    let (runs, took) = (runs.into_inner(), began.elapsed());
    println!("{runs} runs: {} hurts, alone and with every {SHARE}th other, in {took:?}", singles.len());
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {runs} are wrong, the first: {}", wrong.len(), wrong[0]);
}
