//! What a step is. Steps before the promotion have an undo; what comes after can only be tried again, and is no step of this kind.

use async_trait::async_trait;

use super::Failure;
use super::run::Run;
use crate::terms::Step;

/// Why an undo failed: a person is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UndoError {
    /// One sentence.
    pub(super) error: String,
    /// What the person must do.
    pub(super) remedy: String,
}

/// A step before the promotion. It observes first, so that running it twice is running it once; so does its undo.
#[async_trait]
pub(super) trait Reversible: Sync {
    /// Its name.
    fn name(&self) -> Step;

    /// Brings the step about; says what it came to.
    async fn run(&self, run: &mut Run) -> Result<String, Failure>;

    /// Undoes whatever of it this run has done; says what that was, where there was anything.
    async fn undo(&self, _run: &mut Run) -> Result<Option<String>, UndoError> {
        Ok(None)
    }
}
