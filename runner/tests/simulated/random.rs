//! Random schedules: faults, incidents and a death of the runner, with shrinking.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use runner::cluster::simulated::{Faults, Moment, Simulation};
use runner::pipeline::Operation;

use super::world::{VERSIONS, World, virtually};

/// What one schedule is made from.
#[derive(Clone, Copy, Debug)]
struct Schedule {
    version: usize,
    voters: usize,
    faults: u64,
    crash: Option<(u64, bool)>,
    roll_back: bool,
}

fn schedules() -> impl Strategy<Value = Schedule> {
    let crash = proptest::option::of((1..120_u64, any::<bool>()));
    (0..VERSIONS.len(), prop_oneof![Just(1_usize), Just(3), Just(5)], any::<u64>(), crash, any::<bool>())
        .prop_map(|(version, voters, faults, crash, roll_back)| Schedule { version, voters, faults, crash, roll_back })
}

/// Runs one schedule; says whether it ended promoted, or what is wrong.
fn ends_whole(schedule: Schedule) -> Result<bool, String> {
    let names: Vec<String> = (1..=schedule.voters).map(|n| format!("node-{n}")).collect();
    let faults = Faults::random(schedule.faults, &names);
    let builder = Simulation::builder().version(VERSIONS[schedule.version]).voters(schedule.voters).write_rate(500);
    let world = World::new(builder.faults(faults.clone()).seed(schedule.faults));
    virtually(async {
        match schedule.crash {
            Some((k, before)) => {
                let moment = if before { Moment::Before } else { Moment::After };
                if world.run_until_crash(Operation::Join, k, moment).await.is_none() {
                    let next = if schedule.roll_back { Operation::Rollback } else { Operation::Resume };
                    if world.unfinished() {
                        world.run(next).await;
                    }
                }
            }
            None => {
                world.run(Operation::Join).await;
            }
        }
        // A person mends what was broken, and runs `resume` until there is nothing to resume.
        for _ in 0..3 {
            world.heal();
            tokio::time::sleep(Duration::from_secs(30)).await;
            if !world.unfinished() {
                break;
            }
            world.run(Operation::Resume).await;
        }
    });
    world.judge().map_err(|what| format!("{what}\n{faults:?}\n{}", world.story()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_schedules_end_promoted_or_undone(schedule in schedules()) {
        if let Err(what) = ends_whole(schedule) {
            return Err(TestCaseError::fail(what));
        }
    }
}

#[test]
#[allow(clippy::print_stdout, reason = "the figure is what the README quotes")]
fn how_many_schedules_a_second() {
    let began = Instant::now();
    let mut promoted = 0;
    let schedules = 2000;
    for seed in 0..schedules {
        let schedule =
            Schedule { version: seed as usize % VERSIONS.len(), voters: 3, faults: seed, crash: None, roll_back: false };
        promoted += u32::from(ends_whole(schedule).unwrap());
    }
    let rate = f64::from(schedules as u32) / began.elapsed().as_secs_f64();
    println!("{schedules} random schedules at {rate:.0} a second; {promoted} ended promoted, the others undone");
    assert!(promoted > schedules as u32 / 2, "most faults are survived going forward");
}
