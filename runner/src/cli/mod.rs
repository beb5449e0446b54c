//! The command line: one file per subcommand, each turns arguments into objects, runs them and prints the result.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use self::defaults::Defaults;
use self::own_name::own_name;
use crate::distribution::Distribution;
use crate::pipeline::{Conclusion, Failure, Outcome};
use crate::report::{ColorChoice, Printer};

mod certificates;
mod check;
mod cluster_args;
mod core_files;
mod defaults;
mod demo;
mod execution;
mod help;
mod init;
mod join;
mod joins;
mod kubeadm_args;
mod kubeadm_join;
mod kubernetes_args;
mod launcher_args;
mod limit_args;
mod mandatory;
mod member_args;
mod output;
mod own_name;
mod plan;
mod plugin;
mod plugin_add;
mod plugin_args;
mod plugin_bundle;
mod plugin_list;
mod plugin_pull;
mod plugin_push;
mod plugin_remove;
mod plugin_replay;
mod plugin_store_args;
mod plugin_test;
mod plugin_unbundle;
mod plugin_update;
mod plugin_verify;
mod policy;
mod policy_args;
mod profile;
mod rbac;
mod reset;
mod resume;
mod setup;
mod signals;
mod start;
mod state_dir;
mod status;
mod vendor;
mod word_args;

/// What names a profile, as `--profile` does.
const PROFILE_VARIABLE: &str = "RUNNER_PROFILE";

/// Joins a node's etcd member to a cluster, the safe way.
///
/// Adds it as a learner, starts it, waits until it has caught up, promotes it and verifies it; undoes everything if anything fails
/// before the promotion. Plugins (WebAssembly components) decide whether the cluster is healthy enough, whether the learner has
/// caught up enough, and who is told.
#[derive(Debug, Parser)]
#[command(name = "runner", version, after_long_help = EXIT_STATUS)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    global: Global,

    /// The distribution's profile, a TOML file [default: /etc/runner/profile.toml, where it is there]
    #[arg(long, value_name = "FILE", env = PROFILE_VARIABLE, global = true)]
    profile: Option<PathBuf>,
}

/// Options of every subcommand.
#[derive(Clone, Copy, Debug, clap::Args)]
struct Global {
    /// How results and events are written to stdout; talk goes to stderr.
    #[arg(long, short, value_enum, default_value_t, global = true)]
    output: Output,
    /// When to use colour.
    #[arg(long, value_enum, default_value_t, global = true)]
    color: ColorChoice,
    /// Show more: plugins' debug lines, passing verdicts; twice for runner's own trace.
    #[arg(long, short, action = clap::ArgAction::Count, global = true)]
    verbose: u8,
}

/// The form of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// For people.
    #[default]
    Text,
    /// For machines: one event a line, or one document.
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the first member of a new cluster on this node, with a private CA and certificates
    Init(Box<init::Args>),
    /// Join this node's member to a cluster: learner, start, sync, promote, verify
    Join(Box<join::Args>),
    /// Join this node to a kubeadm cluster's control plane: `kubeadm join` with etcd's member joined by runner
    KubeadmJoin(Box<kubeadm_join::Args>),
    /// Say whether a join would be accepted now; changes nothing
    Check(Box<check::Args>),
    /// Say what etcd will answer to a change of the members, why, and which losses the cluster survives then; changes nothing
    Plan(plan::Args),
    /// Show the cluster's members and this node's unfinished runs
    Status(status::Args),
    /// Start this node's member from the data that it has, without needing a quorum: after a reboot or a power cut
    Start(start::Args),
    /// Go on with an interrupted run
    Resume(resume::Args),
    /// Undo an interrupted run
    Rollback(resume::RollbackArgs),
    /// Watch a whole join on this machine: a small cluster, three plugins, a client that writes all the time
    Demo(demo::Args),
    /// Print the rights that runner needs of the Kubernetes API, as manifests for kubectl apply
    Rbac(rbac::Args),
    /// Look at plugins
    #[command(subcommand)]
    Plugin(plugin::Command),
    /// Check a policy file, or print the format's JSON Schema; needs no cluster
    #[command(subcommand)]
    Policy(policy::Command),
    /// Show the distribution's profile that is in force, or check one
    #[command(subcommand)]
    Profile(profile::Command),
}

const EXIT_STATUS: &str = "\
Exit status:
    0  done
    1  a bug in runner
    2  the arguments or files cannot be used; nothing was changed
    3  a plugin's test failed, or a replayed run came out otherwise
   10  a built-in check refused; the cluster is as it was
   11  a plugin refused; the cluster is as it was
   12  a plugin failed to answer; the cluster is as it was
   13  the cluster (or a registry) could not be reached; it is as it was
   14  something took too long; undone
   15  something failed; undone
   16  stuck: a person is needed, and is told what to do
   17  overtaken: the node belongs to another member by now; nothing was touched, and the run is closed
  130  interrupted; undone, or resumable, and is told which";

/// Everything that a subcommand needs of the command line's frame.
struct Frame {
    global: Global,
    printer: Printer,
    defaults: Defaults,
}

/// How a subcommand ended: an outcome to turn into an exit status.
type Ended = Result<Outcome, Failure>;

/// Parses the process's arguments, runs the command and returns its exit status.
///
/// Errors are printed here, once, to stderr: `error: …` and a line for each hint.
pub fn main() -> ExitCode {
    run(Distribution::runner())
}

/// [`main`] of a vendor's program.
pub(crate) fn run(distribution: Distribution) -> ExitCode {
    let name = distribution.name();
    let mut command = Cli::command().name(name).bin_name(name).version(distribution.version());
    // A profile that cannot be read is said once the command is known; its help is then of what is built in.
    let named = std::env::var_os(PROFILE_VARIABLE).map(PathBuf::from);
    let helpful = vendor::defaults(&distribution, named).unwrap_or_else(|_| Defaults::built_in());
    command = help::with_defaults(command, &helpful);
    let matches = command.get_matches_mut();
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let printer = Printer::detect(cli.global.color);
    trace(cli.global.verbose);
    core_files::forbid();
    let failed = |failure: &Failure| {
        let hints: Vec<String> = failure.hints.iter().map(|hint| own_name(hint, name)).collect();
        printer.print_error(&own_name(&failure.message, name), &hints);
        ExitCode::from(failure.outcome.exit_status())
    };
    let defaults = vendor::defaults(&distribution, cli.profile).and_then(|defaults| {
        if let Some(profile) = &defaults.profile {
            vendor::refuse_banned(profile, &command, &matches)?;
        }
        Ok(defaults)
    });
    let defaults = match defaults {
        Ok(defaults) => defaults,
        Err(failure) => return failed(&failure),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            printer.print_error(&format!("cannot start the runtime: {error}"), &[]);
            return ExitCode::FAILURE;
        }
    };
    let frame = Frame { global: cli.global, printer, defaults };
    let ended = runtime.block_on(cli.command.run(&frame));
    // Plugins' compilation threads and the like must not hold up the end.
    runtime.shutdown_background();
    match ended {
        Ok(outcome) => ExitCode::from(outcome.exit_status()),
        Err(failure) => failed(&failure),
    }
}

impl Command {
    async fn run(self, frame: &Frame) -> Ended {
        match self {
            Self::Init(args) => init::run(*args, frame).await,
            Self::Join(args) => join::run(*args, frame).await,
            Self::KubeadmJoin(args) => kubeadm_join::run(*args, frame).await,
            Self::Check(args) => check::run(*args, frame).await,
            Self::Plan(args) => plan::run(args, frame).await,
            Self::Status(args) => status::run(args, frame).await,
            Self::Start(args) => start::run(args, frame).await,
            Self::Resume(args) => resume::resume(args, frame).await,
            Self::Rollback(args) => resume::rollback(args, frame).await,
            Self::Demo(args) => demo::run(args, frame).await,
            Self::Rbac(args) => rbac::run(args, frame).await,
            Self::Plugin(command) => plugin::run(command, frame).await,
            Self::Policy(command) => policy::run(command, frame).await,
            Self::Profile(command) => profile::run(command, frame),
        }
    }
}

/// A failure that was already shown by the run's own report needs no second error line.
fn ended(conclusion: &Conclusion) -> Ended {
    Ok(conclusion.outcome)
}

/// Input that cannot be used.
fn bad_input(message: impl Into<String>) -> Failure {
    Failure::new(Outcome::BadInput, message)
}

fn trace(verbose: u8) {
    let level = if verbose >= 2 { "runner=debug" } else { "warn,etcd_client=error" };
    let filter = EnvFilter::try_from_env("RUNNER_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .try_init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    /// Without clap's own assertions, which the workspace's profile turns on, the test above would look at nothing.
    #[test]
    #[should_panic(expected = "in use by both")]
    fn claps_assertions_are_there() {
        let flag = |id: &'static str| clap::Arg::new(id).long("same");
        clap::Command::new("two flags").arg(flag("one")).arg(flag("two")).debug_assert();
    }

    #[test]
    fn the_help_names_every_exit_status() {
        for outcome in <Outcome as crate::terms::Word>::ALL {
            let status = format!("\n{:>5}  ", outcome.exit_status());
            assert!(EXIT_STATUS.contains(&status), "{outcome} ({}) is not in the help", outcome.exit_status());
        }
    }
}
