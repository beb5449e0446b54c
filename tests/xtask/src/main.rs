//! Sets everything up and runs what a checkout offers: `cargo xtask demo`, `cargo xtask test`, `cargo xtask --help`.
//!
//! Every command does its own set-up, says what it does and how long it took, and leaves everything it obtains under
//! cargo's target folder: nothing is installed into the system, apart from rustup's own guest target.

mod bench;
mod bindings;
mod chaos;
mod context;
mod demo;
mod features;
mod go_tests;
mod guests;
mod lint;
mod lock;
mod node;
mod process;
mod say;
mod scratch;
mod setup;
mod silenced;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::context::Context;

/// Set-up, demo, tests and checks of this workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the main job on real etcd: members join, judged by the reference plugins.
    Demo(demo::Arguments),
    /// Run all tests, real etcd of several versions and guests of several languages included.
    Test {
        /// Passed on to `cargo test`, for example `-p runner --lib journal`. Default: the whole workspace.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        cargo_test: Vec<String>,
    },
    /// Measure joins beside the bare floor and kubeadm's waits, and plugin calls beside exec hooks, with an optimised build.
    Bench {
        /// Passed on to `runner-bench`, for example `--rounds 5 --megabytes 100 --json FILE`; `--help` lists them.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Hurt runs at random for as long as asked: over the simulated cluster, by bad inputs, and on real hosts.
    Chaos {
        /// Passed on to `runner-chaos`, for example `--minutes 60 --only hosts --seed 7`; `--help` lists them.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Join real control-plane nodes (kubeadm, kubelet, containerd) in namespaces of this machine; as root.
    ///
    /// The first time builds Kubernetes and containerd with Go, some five minutes for each version on two cores; they are kept.
    Node {
        /// Passed on to the test program, for example the name of a test; `--list` shows them.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Check formatting, clippy, documentation and the tools' lock files.
    Lint,
    /// Obtain everything that the tests need, and list what is there.
    Setup,
    /// Build every plugin and test guest into `target/guests/`.
    Guests,
    /// Generate the bindings that are committed, from the contract in `wit/`.
    Bindings,
    /// Print what to set in a shell from which cargo is called directly: `eval "$(cargo xtask env)"`.
    Env,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::failure(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    let context = Context::load()?;
    match command {
        Command::Demo(arguments) => demo::run(&context, &arguments),
        Command::Test { cargo_test } => test::run(&context, &cargo_test),
        Command::Bench { arguments } => bench::run(&context, &arguments),
        Command::Chaos { arguments } => chaos::run(&context, &arguments),
        Command::Node { arguments } => node::run(&context, &arguments),
        Command::Lint => lint::run(&context),
        Command::Setup => setup::everything(&context)?.require_all(),
        Command::Guests => {
            setup::everything(&context)?.require_all()?;
            guests::everything(&context)
        }
        Command::Bindings => bindings::write(&context),
        Command::Env => {
            say::data(&format!("export PROTOC='{}'", context.protoc.display()));
            Ok(())
        }
    }
}
