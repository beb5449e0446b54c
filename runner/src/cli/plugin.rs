//! `runner plugin`

use std::path::PathBuf;

use clap::Subcommand;

use super::{Ended, Frame, Output};
use crate::pipeline::Outcome;
use crate::plugins;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Say which roles a plugin has, what it asks for, and whether this runner can serve it
    Inspect {
        /// The plugin, a `.wasm` component
        file: PathBuf,
    },
}

pub(super) fn run(command: Command, frame: &Frame) -> Ended {
    let Command::Inspect { file } = command;
    let description = plugins::inspect(&file)?;
    let shown = match frame.global.output {
        Output::Text => description.to_string(),
        Output::Json => serde_json::to_string_pretty(&description).unwrap_or_default(),
    };
    let _ = frame.printer.data(shown.trim_end());
    Ok(Outcome::Joined)
}
