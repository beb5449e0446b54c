//! `runner-chaos`: the long set. `cargo xtask chaos` builds what it needs and calls it.
#![allow(clippy::print_stdout, reason = "a program whose result is what it prints")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use runner_chaos::tally::Tally;
use runner_chaos::{hosts, inputs, oracle, simulated};

/// Random faults for as long as asked, each run from a seed that reproduces it.
#[derive(Parser)]
struct Arguments {
    /// How long, in minutes, shared among the parts.
    #[arg(long, default_value_t = 10, value_name = "N")]
    minutes: u64,
    /// Only this part; may be repeated.
    #[arg(long, value_name = "PART")]
    only: Vec<Part>,
    /// The first run's seed; the next run's is one more. Default: from the clock.
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,
    /// So many runs of each part, if the time is not up before.
    #[arg(long, value_name = "N")]
    runs: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The pipeline over the simulated cluster.
    Simulated,
    /// What the oracle says held against what real etcd answers.
    Oracle,
    /// Hurt inputs.
    Inputs,
    /// Real etcd and runner on hosts of their own.
    Hosts,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Simulated => "simulated",
            Self::Oracle => "oracle",
            Self::Inputs => "inputs",
            Self::Hosts => "hosts",
        }
    }

    /// Its share of the time: real hosts make few runs in a minute.
    fn weight(self) -> u32 {
        match self {
            Self::Simulated | Self::Inputs => 1,
            Self::Oracle => 2,
            Self::Hosts => 4,
        }
    }

    fn run(self, until: Instant, arguments: &Arguments, seed: u64, tally: &mut Tally) -> anyhow::Result<()> {
        match self {
            Self::Simulated => simulated::run(until, arguments.runs, seed, tally),
            Self::Oracle => oracle::run(until, arguments.runs, seed, tally),
            Self::Inputs => inputs::run(until, arguments.runs, seed, tally),
            Self::Hosts => hosts::run(until, arguments.runs, seed, tally),
        }
    }
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let all = [Part::Simulated, Part::Oracle, Part::Inputs, Part::Hosts];
    let parts: Vec<Part> = all.into_iter().filter(|p| arguments.only.is_empty() || arguments.only.contains(p)).collect();
    let weights: u32 = parts.iter().map(|p| p.weight()).sum();
    let seed = arguments.seed.unwrap_or_else(clock_seed);
    let mut violated = false;
    for part in parts {
        let share = Duration::from_secs(arguments.minutes * 60) * part.weight() / weights;
        println!("{}: for {} s, the first seed is {seed}", part.name(), share.as_secs());
        let mut tally = Tally::default();
        part.run(Instant::now() + share, &arguments, seed, &mut tally)?;
        println!("{tally}");
        for violation in &tally.violations {
            println!("\nviolated, seed {}: {}", violation.seed, violation.what);
            println!("again: cargo xtask chaos --only {} --runs 1 --seed {}", part.name(), violation.seed);
        }
        violated |= !tally.violations.is_empty();
    }
    Ok(if violated { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A first seed that differs from run to run; short, so that it can be typed.
fn clock_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    now.as_secs() % 1_000_000 * 1_000
}
