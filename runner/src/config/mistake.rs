//! A mistake in a file: where it is, what is wrong, what to do about it.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::text::one_line;

/// More characters of a file's own are not shown: a sentence about a value of a usual length has room.
const MOST: usize = 1_000;

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
        // Keys and values are the file's: they may be of any length, and hold what moves a terminal's cursor.
        if !self.path.is_empty() {
            write!(f, ": {}", one_line(&self.path, MOST))?;
        }
        write!(f, ": {}", one_line(&self.what, MOST))
    }
}

impl std::error::Error for Mistake {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_file_says_moves_no_cursor_and_fills_no_screen() {
        let mut mistake = Mistake::of_file(Path::new("a.yaml"), format!("there is no key `{}`", "x".repeat(5_000)));
        mistake.path = "loca\u{1b}[2J\u{1b}]0;owned\u{7}l".to_owned();
        let text = mistake.at(Place::START).to_string();
        assert!(text.starts_with("a.yaml:1:1: local: there is no key `xxx"), "{text}");
        assert!(text.chars().count() < 1_100 && text.ends_with('…'), "{}", text.len());
    }
}
