//! Why a project could not be made or built.

use std::fmt;

use crate::pipeline::{Failure, Outcome, PolicyError};

/// Why a project could not be made or built: the person's to mend, not a bug.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// One sentence.
    pub message: String,
    /// What to do about it, a line each.
    pub hints: Vec<String>,
}

impl Trouble {
    /// Trouble that nobody has advice for.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hints: Vec::new() }
    }

    /// With a line of advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Trouble with a file or folder: `cannot write src/lib.rs: permission denied`.
    pub(crate) fn file(deed: &str, path: &std::path::Path, error: &dyn fmt::Display) -> Self {
        Self::new(format!("cannot {deed} {}: {error}", path.display()))
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Trouble {}

impl From<PolicyError> for Trouble {
    fn from(PolicyError { message, hints }: PolicyError) -> Self {
        Self { message, hints }
    }
}

impl From<Trouble> for Failure {
    fn from(Trouble { message, hints }: Trouble) -> Self {
        let mut failure = Self::new(Outcome::BadInput, message);
        failure.hints = hints;
        failure
    }
}
