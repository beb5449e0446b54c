//! `runner plugin`

use std::path::PathBuf;

use clap::Subcommand;

use super::{Ended, Frame, Output};
use crate::pipeline::Outcome;
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
    },
}

pub(super) fn run(command: Command, frame: &Frame) -> Ended {
    match command {
        Command::New(args) => author::new(args, frame),
        Command::Build(args) => author::build(&args, frame),
        Command::Inspect { file } => inspect(file, frame),
    }
}

fn inspect(file: PathBuf, frame: &Frame) -> Ended {
    let description = plugins::inspect(&file)?;
    let shown = match frame.global.output {
        Output::Text => description.to_string(),
        Output::Json => serde_json::to_string_pretty(&description).unwrap_or_default(),
    };
    let _ = frame.printer.data(shown.trim_end());
    Ok(Outcome::Joined)
}
