//! The readers of the event stream: a terminal, plain lines, JSON lines, the run record; and how everything is printed.

pub use json::Json;
pub use lines::{Lines, LinesOptions};
pub use printer::{ColorChoice, Printer, Stream, Style};

pub mod human;
mod json;
mod lines;
mod phrases;
pub mod printer;
pub mod text;

#[cfg(test)]
mod fixture;
