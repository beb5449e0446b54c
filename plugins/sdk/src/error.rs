//! Why a plugin could not do its work.

use std::error::Error as StdError;
use std::fmt;

/// Why a plugin could not do its work: one text for the operator.
///
/// Any [`std::error::Error`] becomes one through `?`, its sources included. It goes through the plugin's failure policy: it
/// says "I cannot tell", not "no".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(String);

/// A result of plugin code.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of this text.
    pub fn new(message: impl fmt::Display) -> Self {
        Self(message.to_string())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: StdError> From<E> for Error {
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            // Many errors print their source themselves.
            if !text.contains(&cause_text) {
                text.push_str(": ");
                text.push_str(&cause_text);
            }
            source = cause.source();
        }
        Self(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Outer(std::num::ParseIntError, &'static str);

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.1)
        }
    }

    impl StdError for Outer {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn sources_are_told_once() {
        let inner = || "x".parse::<u8>().unwrap_err();
        assert_eq!(Error::from(Outer(inner(), "bad port")).to_string(), "bad port: invalid digit found in string");
        let said = "bad port: invalid digit found in string";
        assert_eq!(Error::from(Outer(inner(), said)).to_string(), said);
    }
}
