//! A mistake in a file: where it is, what is wrong, what to do about it.

use std::fmt;
use std::path::{Path, PathBuf};

/// A place in a file. Both numbers count from 1; the column counts characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: u64,
    /// The column.
    pub column: u64,
}

/// Something in a file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Which file.
    pub file: PathBuf,
    /// Where in it; none where it is the file as a whole.
    pub place: Option<Place>,
    /// Path into the document, for example `spec.plugins[1].grants.http`; empty where it is about no value.
    pub path: String,
    /// What is wrong, in one sentence.
    pub what: String,
    /// What to do about it, a line each.
    pub hints: Vec<String>,
}

impl Place {
    /// Where every file begins.
    pub(super) const START: Self = Self { line: 1, column: 1 };
}

impl Mistake {
    /// A mistake of the file as a whole.
    pub(super) fn of_file(file: &Path, what: impl Into<String>) -> Self {
        Self { file: file.to_owned(), place: None, path: String::new(), what: what.into(), hints: Vec::new() }
    }

    /// The same, at this place.
    #[must_use]
    pub(super) fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// The same, with a way out.
    #[must_use]
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(Place { line, column }) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        if !self.path.is_empty() {
            write!(f, ": {}", self.path)?;
        }
        write!(f, ": {}", self.what)
    }
}

impl std::error::Error for Mistake {}
