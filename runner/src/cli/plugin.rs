//! `runner plugin`

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::{Ended, Frame, Output, plugin_replay, plugin_test};
use crate::pipeline::Outcome;
use crate::plugins;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Say which roles a plugin has, what it asks for, and whether this runner can serve it
    Inspect {
        /// The plugin, a `.wasm` component
        file: PathBuf,
    },
    /// Test a plugin against scenario files: facts in, expected verdict out, no cluster
    Test(plugin_test::Args),
    /// Ask the plugins of a recorded run again what they were asked, and show any difference
    Replay(plugin_replay::Args),
}

pub(super) async fn run(command: Command, frame: &Frame) -> Ended {
    match command {
        Command::Inspect { file } => inspect(&file, frame),
        Command::Test(args) => plugin_test::run(args, frame).await,
        Command::Replay(args) => plugin_replay::run(args, frame).await,
    }
}

fn inspect(file: &Path, frame: &Frame) -> Ended {
    let description = plugins::inspect(file)?;
    let shown = match frame.global.output {
        Output::Text => description.to_string(),
        Output::Json => serde_json::to_string_pretty(&description).unwrap_or_default(),
    };
    let _ = frame.printer.data(shown.trim_end());
    Ok(Outcome::Joined)
}
