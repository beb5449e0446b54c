//! What a journal may be read as: a beginning of what was written.

use std::sync::{Arc, Mutex};

use runner::pipeline::{Journal, JournalState};

/// What each whole beginning of a journal comes to.
pub struct Prefixes(Vec<JournalState>);

impl Prefixes {
    /// Those of a journal that is whole.
    pub fn of(whole: &[u8]) -> Self {
        let ends = (0..=whole.len()).filter(|end| *end == 0 || whole[end - 1] == b'\n');
        Self(ends.map(|end| read(&whole[..end]).expect("it is whole")).collect())
    }

    /// Whether this is what one of them comes to.
    pub fn has(&self, state: &JournalState) -> bool {
        self.0.contains(state)
    }
}

/// What these bytes are read as; none where they are refused.
pub fn read(bytes: &[u8]) -> Option<JournalState> {
    let lines = Arc::new(Mutex::new(bytes.to_vec()));
    Journal::in_memory(&lines).ok().map(|journal| journal.state().clone())
}
