//! The readers of the event stream: a terminal, plain lines, JSON lines, the run record; and how everything is printed.
//!
//! [`Printer`] decides which stream gets what. A run's events go through one [`Fanout`] to whoever wants them; readers that
//! write to a stream stand behind a [`Background`], those that only remember ([`RunRecord`], [`Buffer`]) need none.

pub use buffer::Buffer;
pub use fanout::{Background, Fanout};
pub use json::Json;
pub use lines::{Lines, LinesOptions};
pub use printer::{ColorChoice, Printer, Stream, Style};
pub use record::RunRecord;
pub use runner_core::human;
pub use terminal::{Terminal, TerminalOptions};

mod bar;
mod board;
mod buffer;
pub mod changes;
mod detail;
mod fanout;
mod json;
mod lines;
mod phrases;
pub mod plan;
pub mod printer;
mod record;
pub mod status;
mod terminal;
pub mod text;

#[cfg(test)]
mod fixture;
