//! Why a capability gave no answer.

use std::error::Error as StdError;
use std::fmt;

/// Why a capability gave no answer: what kind of trouble, and one sentence. It never ends the plugin; `?` makes an
/// [`Error`](crate::Error) of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind, to decide by.
    pub kind: FailureKind,
    /// What happened, for people.
    pub message: String,
}

/// What kind of trouble.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// Not granted, or not for this target.
    Denied,
    /// Nobody answers there.
    Unavailable,
    /// It took too long.
    Timeout,
    /// There is no such thing.
    NotFound,
    /// The answer is larger than what may be taken.
    TooLarge,
    /// The question makes no sense.
    Invalid,
    /// Everything else.
    Failed,
    /// A kind of a later release, by its name.
    Other(String),
}

impl Failure {
    /// A failure of this kind.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// Whether the same question may be answered later: [`Unavailable`](FailureKind::Unavailable) or
    /// [`Timeout`](FailureKind::Timeout).
    pub fn may_pass(&self) -> bool {
        matches!(self.kind, FailureKind::Unavailable | FailureKind::Timeout)
    }
}

impl FailureKind {
    /// The contract's name for it: `not-found`.
    pub fn name(&self) -> &str {
        match self {
            Self::Denied => "denied",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::NotFound => "not-found",
            Self::TooLarge => "too-large",
            Self::Invalid => "invalid",
            Self::Failed => "failed",
            Self::Other(name) => name,
        }
    }
}

impl From<String> for FailureKind {
    fn from(name: String) -> Self {
        match name.as_str() {
            "denied" => Self::Denied,
            "unavailable" => Self::Unavailable,
            "timeout" => Self::Timeout,
            "not-found" => Self::NotFound,
            "too-large" => Self::TooLarge,
            "invalid" => Self::Invalid,
            "failed" => Self::Failed,
            _ => Self::Other(name),
        }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

impl StdError for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_keep_their_names() {
        for name in ["denied", "unavailable", "timeout", "not-found", "too-large", "invalid", "failed", "of-a-later-release"]
        {
            assert_eq!(FailureKind::from(name.to_owned()).name(), name);
        }
        assert_eq!(FailureKind::from("x".to_owned()), FailureKind::Other("x".to_owned()));
    }

    #[test]
    fn it_becomes_the_plugins_error() {
        fn work() -> crate::Result<()> {
            Err(Failure::new(FailureKind::Timeout, "no answer within 2s"))?
        }
        assert_eq!(work().unwrap_err().to_string(), "timeout: no answer within 2s");
    }
}
