//! What went wrong, for a person.

/// One sentence that says what is wrong, and what to do about it. Where a program must tell problems apart, an enum holds them; this is
/// what all of them become in the end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// One sentence without a stop.
    pub message: String,
    /// What to do about it, a line each.
    pub hints: Vec<String>,
}

impl Problem {
    /// A problem that nobody has advice for.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hints: Vec::new() }
    }

    /// The same with one more line of advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}
