//! Random schedules: faults, incidents and a death of the runner, with shrinking.

use std::time::Instant;

use proptest::prelude::*;
use runner_simulated::schedule::Schedule;
use runner_simulated::world::VERSIONS;

fn schedules() -> impl Strategy<Value = Schedule> {
    let crash = proptest::option::of((1..120_u64, any::<bool>()));
    (0..VERSIONS.len(), prop_oneof![Just(1_usize), Just(3), Just(5)], any::<u64>(), crash, any::<bool>())
        .prop_map(|(version, voters, faults, crash, roll_back)| Schedule { version, voters, faults, crash, roll_back })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_schedules_end_promoted_or_undone(schedule in schedules()) {
        if let Err(what) = schedule.ends_whole() {
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
        promoted += u32::from(schedule.ends_whole().unwrap());
    }
    let rate = f64::from(schedules as u32) / began.elapsed().as_secs_f64();
    println!("{schedules} random schedules at {rate:.0} a second; {promoted} ended promoted, the others undone");
    assert!(promoted > schedules as u32 / 2, "most faults are survived going forward");
}
