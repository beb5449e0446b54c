//! Every placement of up to two hurts in a run: each call that a run makes, each way to hurt it, and each pair of these.

use std::time::{Duration, Instant};

use crate::{Fault, Faults, Incident, Moment, Op, Simulation, When};
use runner_core::cluster::Reason;
use runner_core::pipeline::{Gate, Operation};

use crate::tally::Tally;
use crate::world::{World, virtually};
use runner_core::terms::Outcome;

/// One hurt.
#[derive(Clone, Debug)]
pub enum Hurt {
    /// The n-th call of a kind fails like this.
    Call(Op, usize, Fault),
    /// This happens just before the n-th call of a kind.
    World(Op, usize, Incident),
    /// The runner dies in its k-th call, and the run is resumed.
    Kill(u64, Moment),
}

/// What can happen to one call.
const FAULTS: [Fault; 4] =
    [Fault::Fail(Reason::Unreachable), Fault::AnswerLost, Fault::ConnectionLost, Fault::AppliedLate(Duration::from_secs(6))];

/// Asks of a member are repeated in each sample: hurting the first few of them is hurting them all.
const SAMPLES: usize = 3;

/// A cluster of three, and a newcomer whose sync is short: the samples of a long one are all alike.
fn world(version: &str, faults: Faults) -> World {
    let builder = Simulation::builder().version(version).voters(3).write_rate(200).publish_stall(true);
    let mut world = World::new(builder.faults(faults).seed(7));
    let millis = Duration::from_millis;
    world.plan_mut().gate = Gate { stability: millis(60), interval: millis(30), ..Gate::default() };
    world
}

/// Every single hurt of a run on this version.
pub fn singles(version: &str) -> Vec<Hurt> {
    let whole = world(version, Faults::none());
    assert_eq!(virtually(whole.run(Operation::Join)).outcome, Outcome::Joined);
    let mut hurts = Vec::new();
    for op in Op::CLUSTER.iter().chain(Op::LAUNCHER).chain(Op::LOCK) {
        let made = whole.simulation.count(*op).min(SAMPLES);
        // An undo makes calls that a good run does not.
        for nth in 1..=made.max(1) {
            hurts.extend(FAULTS.map(|fault| Hurt::Call(*op, nth, fault)));
        }
    }
    for (op, nth) in [Op::AddLearner, Op::Start, Op::Promote].map(|op| (op, 1)).into_iter().chain([(Op::Status, 6)]) {
        let newcomer = [Incident::CrashNewcomer, Incident::RivalRemoves, Incident::RivalPromotes];
        let cluster = [Incident::CrashLeader, Incident::MoveLeader(None), Incident::LockLost, Incident::RivalAdds];
        let network = [Incident::Split(vec!["node-1".to_owned()]), Incident::Hide(vec!["node-2".to_owned()])];
        let all = newcomer.into_iter().chain(cluster).chain(network);
        hurts.extend(all.map(|incident| Hurt::World(op, nth, incident)));
    }
    for k in 1..=whole.simulation.calls() {
        hurts.extend([Moment::Before, Moment::After].map(|moment| Hurt::Kill(k, moment)));
    }
    hurts
}

/// Runs with these hurts, mends what is left, and judges; says whether it ended promoted, or what is wrong.
pub fn ends_whole(version: &str, hurts: &[&Hurt]) -> Result<bool, String> {
    let mut faults = Faults::none();
    let mut kills = Vec::new();
    for hurt in hurts {
        match hurt {
            Hurt::Call(op, nth, fault) => faults = faults.at(*op, *nth, *fault),
            Hurt::World(op, nth, incident) => faults = faults.when(When::Call(*op, *nth), incident.clone()),
            Hurt::Kill(k, moment) => kills.push((*k, *moment)),
        }
    }
    kills.sort_by_key(|(k, _)| *k);
    let world = world(version, faults);
    virtually(async {
        let mut operation = Operation::Join;
        let mut alive = true;
        for (k, moment) in kills {
            alive = world.run_until_crash(operation, k, moment).await.is_some();
            if alive {
                break;
            }
            operation = Operation::Resume;
        }
        if operation == Operation::Join && alive {
            world.run(operation).await;
        }
        world.mend().await;
    });
    let incidents = hurts.iter().filter(|hurt| matches!(hurt, Hurt::World(..))).count();
    let lost = world.simulation.quorum_lost();
    let judged = match world.judge() {
        // Three voters survive one incident; what the runner itself does, and what its calls meet, costs nothing.
        Ok(_) if incidents < 2 && !lost.is_zero() => Err(format!("the quorum was lost for {lost:?}")),
        judged => judged,
    };
    judged.map_err(|what| format!("{version} {hurts:?}: {what}\n{}", world.story()))
}

/// Every single hurt and every pair, in turn, until the time is up; whether it came to the end.
pub fn all(version: &str, until: Instant, tally: &mut Tally) -> bool {
    let singles = singles(version);
    for (first, one) in singles.iter().enumerate() {
        if Instant::now() >= until {
            return false;
        }
        judged(version, &[one], tally);
        for other in &singles[first + 1..] {
            judged(version, &[one, other], tally);
        }
    }
    true
}

fn judged(version: &str, hurts: &[&Hurt], tally: &mut Tally) {
    hurts.iter().for_each(|hurt| tally.fault(hurt.kind()));
    let ended = ends_whole(version, hurts);
    tally.ended(match ended {
        Ok(true) => "promoted",
        Ok(false) => "undone",
        Err(_) => "violated",
    });
    // No seed: the hurts are the whole story.
    tally.look("promoted or as it was, nothing of others touched", 0, ended.map(drop));
}

impl Hurt {
    /// Its kind, for statistics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Call(_, _, Fault::Fail(_)) => "a call refused",
            Self::Call(_, _, Fault::AnswerLost) => "an answer lost",
            Self::Call(_, _, Fault::ConnectionLost) => "a connection lost",
            Self::Call(..) => "a call applied late",
            Self::World(..) => "an incident in the cluster",
            Self::Kill(..) => "the runner killed",
        }
    }
}
