//! What a seed stands for: a cluster, who joins, and what goes wrong when.

use std::fmt;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use runner_harness::{EtcdBinary, Tls, etcd_versions};

/// One run's plan.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// What all members run.
    pub binary: EtcdBinary,
    /// Whether they speak TLS.
    pub tls: Tls,
    /// How many voters there are before.
    pub voters: usize,
    /// How many nodes join, at once.
    pub joiners: usize,
    /// How many megabytes the database has before.
    pub megabytes: usize,
    /// What goes wrong.
    pub hurts: Vec<Planned>,
    /// Whether a run that was killed is rolled back before it is tried again; else it is resumed.
    pub roll_back: bool,
}

/// A hurt, and when.
#[derive(Clone, Copy, Debug)]
pub struct Planned {
    /// When it begins.
    pub when: When,
    /// What.
    pub hurt: Hurt,
    /// After what time it ends.
    pub lasts: Duration,
}

/// When a hurt begins.
#[derive(Clone, Copy, Debug)]
pub enum When {
    /// As soon as this joiner's runner says `kind` of `step`.
    Says(usize, &'static str, &'static str),
    /// This long after the joins were started.
    After(Duration),
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hurt {
    /// Nothing that is sent to it or by it arrives.
    CutOff(Who),
    /// What the first one sends to the second one is lost; the other way it arrives.
    OneWay(Who, Who),
    /// It can send no more than 2 Mbit/s.
    Slow(Who),
    /// A voter's etcd is killed, and started again at the end.
    KillVoter(Who),
    /// A voter's etcd keeps its connections and answers nothing.
    Freeze(Who),
    /// The leader hands over.
    MoveLeader,
    /// The joiner's etcd is killed while it is a learner.
    KillLearner(usize),
    /// The same, and its data is gone.
    WipeLearner(usize),
    /// The joiner's disk is full.
    FillDisk(usize),
    /// The joiner's runner is killed with SIGKILL.
    KillRunner(usize),
}

/// A host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Whoever leads when it begins.
    Leader,
    /// The voter with this number.
    Voter(usize),
    /// The joiner with this number.
    Joiner(usize),
}

/// The steps of a join, as its events name them.
const STEPS: [&str; 8] = ["discover", "check", "lock", "add-learner", "start-member", "sync", "promote", "verify"];

/// Within this time most joins are over when nothing goes wrong.
const JOIN: Duration = Duration::from_secs(8);

impl Schedule {
    /// The schedule of this seed, over the versions at hand.
    pub fn of_seed(seed: u64) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        let versions = etcd_versions();
        let binary = versions.choose(&mut rng).expect("there is an etcd").clone();
        let tls = if rng.random_bool(0.5) { Tls::On } else { Tls::Off };
        let voters = *[1, 3, 3, 5].choose(&mut rng).expect("a number");
        let joiners = *[1, 1, 2, 3].choose(&mut rng).expect("a number");
        let megabytes = *[0, 0, 0, 20].choose(&mut rng).expect("a number");
        let count = *[1, 1, 2, 3].choose(&mut rng).expect("a number");
        let mut hurts: Vec<Planned> = Vec::new();
        while hurts.len() < count {
            let drawn = Planned::draw(&mut rng, voters, joiners);
            // The end of the one would be the end of the other, too; only a runner can be killed as often as one likes.
            let same = |h: &Planned| std::mem::discriminant(&h.hurt) == std::mem::discriminant(&drawn.hurt);
            if matches!(drawn.hurt, Hurt::KillRunner(_)) || !hurts.iter().any(same) {
                hurts.push(drawn);
            }
        }
        Self { binary, tls, voters, joiners, megabytes, hurts, roll_back: rng.random_bool(0.3) }
    }

    /// Whether this joiner's disk is to be filled at some time.
    pub fn fills_disk_of(&self, joiner: usize) -> bool {
        self.hurts.iter().any(|h| h.hurt == Hurt::FillDisk(joiner))
    }
}

impl Planned {
    fn draw(rng: &mut SmallRng, voters: usize, joiners: usize) -> Self {
        let joiner = rng.random_range(0..joiners);
        let when = match rng.random_range(0..3) {
            0 => When::After(JOIN.mul_f64(rng.random())),
            1 => When::Says(joiner, "step-started", STEPS.choose(rng).expect("a step")),
            _ => When::Says(joiner, "step-finished", STEPS.choose(rng).expect("a step")),
        };
        let voter = match rng.random_range(0..=voters) {
            0 => Who::Leader,
            number => Who::Voter(number - 1),
        };
        let anybody = if rng.random_bool(0.5) { Who::Joiner(joiner) } else { voter };
        let hurt = match rng.random_range(0..14) {
            0 | 1 => Hurt::CutOff(anybody),
            2 if rng.random_bool(0.5) => Hurt::OneWay(voter, Who::Joiner(joiner)),
            2 => Hurt::OneWay(Who::Joiner(joiner), voter),
            3 => Hurt::Slow(anybody),
            4 | 5 => Hurt::KillVoter(voter),
            6 => Hurt::Freeze(voter),
            7 => Hurt::MoveLeader,
            8 => Hurt::KillLearner(joiner),
            9 => Hurt::WipeLearner(joiner),
            10 => Hurt::FillDisk(joiner),
            _ => Hurt::KillRunner(joiner),
        };
        // A learner is one for a moment only.
        let when = match hurt {
            Hurt::KillLearner(joiner) | Hurt::WipeLearner(joiner) => {
                let (kind, step) = *[("step-finished", "start-member"), ("step-started", "sync")].choose(rng).expect("one");
                When::Says(joiner, kind, step)
            }
            _ => when,
        };
        Self { when, hurt, lasts: Duration::from_millis(rng.random_range(200..6_000)) }
    }
}

impl Hurt {
    /// Its kind, for statistics.
    pub fn kind(self) -> &'static str {
        match self {
            Self::CutOff(Who::Joiner(_)) => "joiner cut off",
            Self::CutOff(_) => "voter cut off",
            Self::OneWay(Who::Joiner(_), _) => "loss from the joiner to a voter",
            Self::OneWay(..) => "loss from a voter to the joiner",
            Self::Slow(Who::Joiner(_)) => "joiner slow",
            Self::Slow(_) => "voter slow",
            Self::KillVoter(Who::Leader) => "leader killed",
            Self::KillVoter(_) => "voter killed",
            Self::Freeze(Who::Leader) => "leader frozen",
            Self::Freeze(_) => "voter frozen",
            Self::MoveLeader => "leader moved",
            Self::KillLearner(_) => "learner killed",
            Self::WipeLearner(_) => "learner killed and wiped",
            Self::FillDisk(_) => "disk full",
            Self::KillRunner(_) => "runner killed",
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { binary, tls, voters, joiners, megabytes, hurts, roll_back } = self;
        let tls = if *tls == Tls::On { "TLS" } else { "no TLS" };
        write!(f, "etcd {}, {tls}, {voters} voters, {joiners} joiners, {megabytes} MB", binary.version)?;
        for Planned { when, hurt, lasts } in hurts {
            write!(f, "; {hurt:?} for {} ms ", lasts.as_millis())?;
            match when {
                When::After(time) => write!(f, "after {} ms", time.as_millis())?,
                When::Says(joiner, kind, step) => write!(f, "at {kind} {step} of {joiner}")?,
            }
        }
        if *roll_back { write!(f, "; killed runs are rolled back") } else { Ok(()) }
    }
}
