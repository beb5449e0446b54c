//! One schedule of faults: what is hurt and when, run to its end and judged.

use crate::{Faults, Moment, Simulation};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use runner_core::pipeline::Operation;

use crate::tally::Tally;
use crate::world::{VERSIONS, World, virtually};

/// What one schedule is made from.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// Which of [`VERSIONS`].
    pub version: usize,
    /// How many voters the cluster has before the join.
    pub voters: usize,
    /// The seed of the faults and of the world.
    pub faults: u64,
    /// The call in which the runner dies, and whether before it is made or after.
    pub crash: Option<(u64, bool)>,
    /// Whether the run that died is rolled back; else it is resumed.
    pub roll_back: bool,
}

impl Schedule {
    /// The schedule of this seed.
    pub fn of_seed(seed: u64) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        Self {
            version: rng.random_range(0..VERSIONS.len()),
            voters: [1, 3, 5][rng.random_range(0..3)],
            faults: rng.random(),
            crash: rng.random_bool(0.5).then(|| (rng.random_range(1..120), rng.random())),
            roll_back: rng.random(),
        }
    }

    /// Runs it and counts what was done and looked at.
    pub fn run(self, seed: u64, tally: &mut Tally) {
        self.faults().kinds().into_iter().for_each(|kind| tally.fault(kind));
        if self.crash.is_some() {
            tally.fault("the runner killed");
        }
        let ended = self.ends_whole();
        tally.ended(match ended {
            Ok(true) => "promoted",
            Ok(false) => "undone",
            Err(_) => "violated",
        });
        tally.look("promoted or as it was, nothing of others touched", seed, ended.map(drop));
    }

    /// Runs it; says whether it ended promoted, or what is wrong.
    pub fn ends_whole(self) -> Result<bool, String> {
        let faults = self.faults();
        let builder = Simulation::builder().version(VERSIONS[self.version]).voters(self.voters).write_rate(500);
        // Every other newcomer that joins by snapshot is silent for a while.
        let builder = builder.publish_stall(self.faults & 1 == 1);
        let world = World::new(builder.faults(faults.clone()).seed(self.faults));
        virtually(async {
            match self.crash {
                Some((k, before)) => {
                    let moment = if before { Moment::Before } else { Moment::After };
                    if world.run_until_crash(Operation::Join, k, moment).await.is_none() {
                        let next = if self.roll_back { Operation::Rollback } else { Operation::Resume };
                        if world.unfinished() {
                            world.run(next).await;
                        }
                    }
                }
                None => {
                    world.run(Operation::Join).await;
                }
            }
            world.mend().await;
        });
        world.judge().map_err(|what| format!("{what}\n{faults:?}\n{}", world.story()))
    }

    fn faults(self) -> Faults {
        let names: Vec<String> = (1..=self.voters).map(|n| format!("node-{n}")).collect();
        Faults::random(self.faults, &names)
    }
}
