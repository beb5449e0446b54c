//! Measures, in one run and in turns: a join by the bare floor, by kubeadm's sequence and by the real `runner join`; and a
//! decision by a plugin and by exec hooks. Prints medians with their spread, ratios within the same round, and which goals are met.
//!
//! `cargo xtask bench` builds and calls it.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the table is its output, the talk goes to stderr")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use runner_harness::{EtcdBinary, Scratch, etcd_versions};

use join::{Bench, Contender};
use machine::Machine;
use report::{Report, Rows};

mod goals;
mod join;
mod machine;
mod plugin;
mod report;
mod stats;
mod table;

/// Measure joins and plugin calls.
#[derive(Parser)]
#[command(name = "runner-bench")]
struct Arguments {
    /// The runner to measure
    #[arg(long, value_name = "FILE")]
    runner: PathBuf,
    /// The plugins to join with; `steady-sync.wasm` must be among them
    #[arg(long, value_name = "FILE", num_args = 1.., required = true)]
    plugins: Vec<PathBuf>,
    /// Rounds of joins on each etcd; each round joins once in every way
    #[arg(long, value_name = "N", default_value_t = 10)]
    rounds: usize,
    /// The same where etcd itself may stall for 7 s at each join (3.6 and later)
    #[arg(long, value_name = "N", default_value_t = 3)]
    stalling_rounds: usize,
    /// Rounds of decisions
    #[arg(long, value_name = "N", default_value_t = 300)]
    decisions: usize,
    /// Rounds of loading 1, 10 and 100 plugins and asking them
    #[arg(long, value_name = "N", default_value_t = 20)]
    crowd_rounds: usize,
    /// Measure plugins only, no joins
    #[arg(long)]
    no_joins: bool,
    /// Megabytes in the database besides 400 small keys
    #[arg(long, value_name = "N", default_value_t = 0)]
    megabytes: usize,
    /// Only these etcd versions, for example `3.5.35`; may be given several times [default: the newest patch of each minor]
    #[arg(long, value_name = "VERSION")]
    etcd: Vec<String>,
    /// Also write everything that was measured here, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// How the table says it was called
    #[arg(long, hide = true, default_value = "runner-bench")]
    called: String,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let rounds = [arguments.rounds, arguments.stalling_rounds, arguments.decisions, arguments.crowd_rounds];
    ensure!(rounds.iter().all(|n| *n > 0), "at least one round of each");
    let machine = Machine::here();
    let scratch = Scratch::new();
    let binaries = if arguments.no_joins { Vec::new() } else { chosen(&arguments.etcd)? };
    let bench = Bench {
        runner: std::path::absolute(&arguments.runner)?,
        plugins: arguments.plugins.clone(),
        warm_cache: scratch.join("warm"),
        megabytes: arguments.megabytes,
    };
    let steady_sync = arguments.plugins.iter().find(|p| p.file_stem().is_some_and(|name| name == "steady-sync"));
    let steady_sync = steady_sync.context("--plugins: steady-sync.wasm is not among them")?;
    let hook = std::env::current_exe()?.with_file_name("exec-hook");

    eprintln!("bench: {} decisions by a plugin and by exec hooks", arguments.decisions);
    let decisions = plugin::measure(steady_sync, &bench.warm_cache, &hook, arguments.decisions).await?;
    eprintln!("bench: 1, 10 and 100 plugins, {} rounds", arguments.crowd_rounds);
    let crowds = plugin::crowd::measure(steady_sync, &bench.warm_cache, arguments.crowd_rounds).await?;
    let mut joins = Vec::new();
    for binary in &binaries {
        let stalls = binary.number() >= (3, 6, 0);
        let rounds = if stalls { arguments.stalling_rounds } else { arguments.rounds };
        joins.push(rows(&bench, binary, stalls, rounds).await?);
    }
    let mut goals: Vec<_> = joins.iter().flat_map(Rows::goals).collect();
    goals.push(goals::Goal::decision(decisions.hook_by_plugin));
    goals.extend(goals::Goal::linear(&crowds));
    let versions = binaries.into_iter().map(|binary| binary.version).collect();
    let report = Report { command: arguments.called, machine, versions, joins, decisions, crowds, goals };
    println!("{}", table::render(&report));
    if let Some(file) = &arguments.json {
        let text = serde_json::to_vec_pretty(&report)?;
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// Measures every way of joining in turns: A B C, A B C, …
async fn rows(bench: &Bench, binary: &EtcdBinary, stalls: bool, rounds: usize) -> Result<Rows> {
    let contenders = [Contender::Floor, Contender::Kubeadm, Contender::Runner, Contender::RunnerCold];
    // Fills the cache of compiled plugins, and the machine's of files.
    bench.join(Contender::Runner, binary).await?;
    let mut raw: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for round in 1..=rounds {
        eprintln!("bench: joins on etcd {}, round {round} of {rounds}", binary.version);
        for contender in contenders {
            raw.entry(contender).or_default().push(bench.join(contender, binary).await?);
        }
    }
    Rows::new(&binary.version, stalls, bench.megabytes, raw)
}

/// The asked for, else the newest patch of each minor version: those that do not stall first, the newest first.
fn chosen(asked: &[String]) -> Result<Vec<EtcdBinary>> {
    if asked.is_empty() {
        let (stalling, mut fast): (Vec<_>, Vec<_>) =
            runner_harness::every_minor().into_iter().partition(|binary| binary.number() >= (3, 6, 0));
        fast.reverse();
        return Ok(fast.into_iter().chain(stalling).collect());
    }
    let all = etcd_versions();
    let find = |version: &String| {
        let found = all.iter().find(|binary| binary.version == *version).cloned();
        found.with_context(|| format!("--etcd: there is no etcd {version} here: run `cargo xtask setup`"))
    };
    asked.iter().map(find).collect()
}
