//! Inputs that nobody should have to trust: torn, flipped, spliced, grown, absurd.
//!
//! Each run takes a good input of one kind, hurts it in one way and feeds it to the code that a command or a run feeds. Whatever it is, it is
//! taken or refused with words, within bounds of time and memory (`bound`); what a disk does to a journal never makes another
//! journal of it.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use runner_harness::Scratch;

use crate::tally::Tally;
use bound::bounded;
use mutate::Mutation;

pub use journals::{Prefixes, read as read_journal};
pub use seeds::Seeds;

mod answers;
mod bound;
mod files;
mod journals;
mod mutate;
mod seeds;
mod wire;

/// A refusal is for a person to read.
const WORDS: usize = 4_000;

/// Feeds one hurt input to what reads such inputs.
type Feed = dyn Fn(&Path, Mutation, &[u8]) -> Fed + Send + Sync;

/// A kind of input: good ones, and what they are fed to (a folder for it, what was done to the input, the input).
struct Kind {
    name: &'static str,
    seeds: Vec<Vec<u8>>,
    feed: Arc<Feed>,
}

/// What came of an input.
struct Fed {
    /// The words of its refusal, where it was refused.
    taken: Result<(), String>,
    /// What must not be, whether it was taken or refused.
    wrong: Option<String>,
}

/// Hurts inputs until the time is up or, where `runs` is given, so many. Seeds count up from `seed`.
pub fn run(until: Instant, runs: Option<u64>, seed: u64, tally: &mut Tally) -> anyhow::Result<()> {
    let scratch = Scratch::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let seeds = runtime.block_on(Seeds::make(&scratch)).context("cannot make the good inputs")?;
    let mut kinds = files::kinds(&seeds);
    kinds.extend(wire::kinds(&seeds));
    for seed in (seed..).take(runs.map_or(usize::MAX, |runs| runs as usize)) {
        if Instant::now() >= until {
            break;
        }
        // One more turn than there are kinds of bytes: etcd's answers are no bytes.
        match kinds.get(seed as usize % (kinds.len() + 1)) {
            Some(kind) => one(kind, seed, &scratch, tally),
            None => answers::one(seed, tally),
        }
    }
    Ok(())
}

fn one(kind: &Kind, seed: u64, scratch: &Scratch, tally: &mut Tally) {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut input = kind.seeds.choose(&mut rng).expect("there is one").clone();
    let other = kind.seeds.choose(&mut rng).expect("there is one").clone();
    let mutation = Mutation::draw(&mut rng);
    input = mutation.apply(&mut rng, &input, &other);
    if mutation != Mutation::Nothing && rng.random_bool(0.3) {
        input = mutation.apply(&mut rng, &input, &other);
    }
    tally.fault(mutation.kind());
    let folder = scratch.join("run");
    fs::create_dir_all(&folder).expect("the scratch can be written");
    let (feed, place) = (Arc::clone(&kind.feed), folder.clone());
    let fed = bounded(move || feed(&place, mutation, &input));
    let _ = fs::remove_dir_all(&folder);
    let told = |what: String| format!("{} ({}): {what}", kind.name, mutation.kind());
    let Fed { taken, wrong } = match fed {
        Ok(fed) => fed,
        Err(what) => {
            tally.ended(format!("{}: violated", kind.name));
            return tally.look("no panic, no hang, no flood", seed, Err(told(what)));
        }
    };
    tally.look("no panic, no hang, no flood", seed, Ok(()));
    tally.look("nothing is misread", seed, wrong.map_or(Ok(()), |what| Err(told(what))));
    tally.ended(format!("{}: {}", kind.name, if taken.is_ok() { "taken" } else { "refused" }));
    match taken {
        Err(words) => {
            tally.look("a refusal is words for a person", seed, readable(&words).map_err(told));
            let good = if mutation == Mutation::Nothing { Err(told(words)) } else { Ok(()) };
            tally.look("a good input is taken", seed, good);
        }
        Ok(()) => tally.look("a good input is taken", seed, Ok(())),
    }
}

/// Some words, not too many, and nothing that moves a terminal's cursor.
fn readable(words: &str) -> Result<(), String> {
    if words.trim().is_empty() {
        return Err("without words".to_owned());
    }
    if words.len() > WORDS {
        return Err(format!("{} bytes of words: {:.200}…", words.len(), words));
    }
    match words.chars().find(|c| c.is_control() && *c != '\n') {
        Some(control) => Err(format!("with {control:?} in it: {words:?}")),
        None => Ok(()),
    }
}
