//! Recordings: what the plugins of a run were asked and answered, written down beside its journal, and asked again later.

pub use format::{FORMAT, Limited};
pub use read::{Recorded, RecordedPlugin, Recording, read};
pub use replay::{Replayed, Script, replay};
pub use scenarios::scenarios;
pub use write::FileRecorder;

mod format;
mod read;
mod replay;
mod scenarios;
mod write;
