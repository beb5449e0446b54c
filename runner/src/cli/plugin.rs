//! `runner plugin`

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::{
    Ended, Frame, Output, plugin_add, plugin_bundle, plugin_list, plugin_pull, plugin_push, plugin_remove, plugin_replay,
    plugin_test, plugin_unbundle, plugin_update, plugin_verify, policy_args,
};
use crate::pipeline::{Failure, Outcome};
use crate::plugins;

mod author;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Start a plugin's project: a small plugin that does real work, builds at once, and whose scenarios pass
    New(author::New),
    /// Build the plugin of a project, and look whether it keeps the project file's promises
    Build(author::Build),
    /// Say which roles a plugin has, what it asks for, and whether this runner can serve it
    Inspect {
        /// The plugin, a `.wasm` component
        file: PathBuf,
        /// A policy file: say also what it grants this plugin
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
    },
    /// Fetch a plugin, verify it, say what it asks for, and accept it: it is locked as it is
    Add(plugin_add::Args),
    /// List the accepted plugins
    List(plugin_list::Args),
    /// Verify the accepted plugins again: digest, contract, imports, signature; without a network
    Verify(plugin_verify::Args),
    /// Fetch an accepted plugin again, show what changed, and ask a person to accept it
    Update(plugin_update::Args),
    /// Take a plugin out of the store
    Remove(plugin_remove::Args),
    /// Fetch a plugin from a registry into a file; accepts nothing
    Pull(plugin_pull::Args),
    /// Put a component into a registry (CNCF Wasm layout), signed where a key is given
    Push(plugin_push::Args),
    /// Put accepted plugins, their signatures, the lock and a policy into one archive, for nodes without a network
    Bundle(plugin_bundle::Args),
    /// Accept the plugins of such an archive, after everything in it is verified
    Unbundle(plugin_unbundle::Args),
    /// Test a plugin against scenario files: facts in, expected verdict out, no cluster
    Test(plugin_test::Args),
    /// Ask the plugins of a recorded run again what they were asked, and show any difference
    Replay(plugin_replay::Args),
}

pub(super) async fn run(command: Command, frame: &Frame) -> Ended {
    match command {
        Command::New(args) => author::new(args, frame),
        Command::Build(args) => author::build(&args, frame),
        Command::Inspect { file, policy } => inspect(&file, policy.as_deref(), frame),
        Command::Add(args) => plugin_add::run(args, frame).await,
        Command::List(args) => plugin_list::run(args, frame),
        Command::Verify(args) => plugin_verify::run(args, frame),
        Command::Update(args) => plugin_update::run(args, frame).await,
        Command::Remove(args) => plugin_remove::run(args, frame),
        Command::Pull(args) => plugin_pull::run(args, frame).await,
        Command::Push(args) => plugin_push::run(args, frame).await,
        Command::Bundle(args) => plugin_bundle::run(args, frame),
        Command::Unbundle(args) => plugin_unbundle::run(args, frame).await,
        Command::Test(args) => plugin_test::run(args, frame).await,
        Command::Replay(args) => plugin_replay::run(args, frame).await,
    }
}

fn inspect(file: &Path, policy: Option<&Path>, frame: &Frame) -> Ended {
    let mut description =
        plugins::inspect_cached(file, frame.defaults.plugin_cache().as_deref()).map_err(Failure::bad_input)?;
    if let Some(policy) = policy {
        description = description.with_grants(&policy_args::granted(policy, file)?);
    }
    let shown = match frame.global.output {
        Output::Text => description.to_string(),
        Output::Json => serde_json::to_string_pretty(&description).unwrap_or_default(),
    };
    let _ = frame.printer.data(shown.trim_end());
    Ok(Outcome::Joined)
}
