//! Every actor, at every call, with the runner alive, dead and resumed, dead and rolled back.

use std::sync::Mutex;
use std::time::Instant;

use runner_core::pipeline::Operation;
use runner_simulated::rude::{Actor, Rude};

/// Clusters on both sides of each change of etcd's rules, of every size, some with voters down.
const CLUSTERS: [(&str, usize, usize); 12] = [
    ("3.5.35", 1, 0),
    ("3.5.35", 3, 0),
    ("3.4.23", 1, 0),
    ("3.4.23", 2, 0),
    ("3.5.29", 4, 0),
    ("3.5.30", 4, 1),
    ("3.6.10", 3, 0),
    ("3.6.11", 5, 1),
    ("3.6.16", 1, 0),
    ("3.7.3", 1, 0),
    ("3.7.3", 2, 0),
    ("3.7.3", 5, 0),
];

#[test]
#[allow(clippy::print_stdout, reason = "the figure is what the README quotes")]
fn nobody_is_harmed_whoever_meddles_and_every_run_comes_to_its_end() {
    let mut schedules = Vec::new();
    for (at, (version, voters, down)) in CLUSTERS.into_iter().enumerate() {
        for busy in [true, false] {
            let of = |actor, call, dies| Rude { version, voters, down, busy, actor, call, dies };
            let calls = of(Actor::AddsALearner, u64::MAX, None).calls().expect("it joins where nobody meddles");
            for actor in Actor::ALL {
                // The first two clusters at every call; the others share the calls among them.
                let step = if at < 2 { 1 } else { 4 };
                for call in (1 + at as u64 % step..=calls + 2).step_by(step as usize) {
                    for dies in [None, Some(Operation::Resume), Some(Operation::Rollback)] {
                        schedules.push(of(actor, call, dies));
                    }
                }
            }
        }
    }
    let (began, wrong, next) = (Instant::now(), Mutex::new(Vec::new()), Mutex::new(schedules.iter()));
    let work = || {
        loop {
            let Some(schedule) = next.lock().unwrap().next() else { return };
            if let Err(what) = schedule.ends_well() {
                wrong.lock().unwrap().push(what);
            }
        }
    };
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        (0..threads).for_each(|_| {
            scope.spawn(work);
        });
    });
    let took = began.elapsed();
    let rate = schedules.len() as f64 / took.as_secs_f64();
    println!("{} schedules with rude actors in {took:.0?}, {rate:.0} a second", schedules.len());
    let wrong = wrong.into_inner().unwrap();
    let mut kinds = std::collections::BTreeMap::new();
    for what in &wrong {
        let line = what.lines().next().unwrap_or_default();
        let kind = line.split_once("}: ").map_or(line, |(_, said)| said).chars().take(90).collect::<String>();
        kinds.entry(kind).or_insert((0, line)).0 += 1;
    }
    assert!(wrong.is_empty(), "{} of {} are wrong: {kinds:#?}\n\n{}", wrong.len(), schedules.len(), wrong[0]);
}
