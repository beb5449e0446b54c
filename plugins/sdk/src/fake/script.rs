//! Answers in the order in which they are to be given.

use std::collections::VecDeque;

use crate::Failure;

/// What one question is answered, time after time.
#[derive(Debug)]
pub(crate) struct Script<T>(VecDeque<(u32, Result<T, Failure>)>);

impl<T> Default for Script<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T: Clone> Script<T> {
    /// Adds an answer that takes so many milliseconds.
    pub(crate) fn add(&mut self, ms: u32, answer: Result<T, Failure>) {
        self.0.push_back((ms, answer));
    }

    /// The next answer; the last one stays.
    pub(crate) fn next(&mut self) -> Option<(u32, Result<T, Failure>)> {
        if self.0.len() > 1 { self.0.pop_front() } else { self.0.front().cloned() }
    }
}
