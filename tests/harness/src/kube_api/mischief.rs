//! What comes instead of the usual answer, or of any answer at all.

use std::time::Duration;

/// What comes for a request instead of the usual answer.
#[derive(Clone, Debug)]
pub enum Mischief {
    /// The usual answer, later.
    Slow(Duration),
    /// What was asked for is done at once; the answer comes later.
    SlowAfter(Duration),
    /// This status, with this body; nothing is done.
    Status(u16, String),
    /// Status 200 and a body without an end.
    Endless,
    /// The connection is closed before anything is done.
    HangUp,
    /// What was asked for is done; then the connection is closed without an answer.
    HangUpAfter,
    /// What was asked for is done; then half of the answer is sent and the connection is closed.
    HalfAnswer,
    /// Nothing is done and nothing is answered, and the connection stays.
    Hang,
}

/// Which requests a mischief is for.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    /// `""` for every method.
    pub(super) method: String,
    /// A path without its query. With a `*` at its end: everything that begins so.
    pub(super) path: String,
    pub(super) mischief: Mischief,
    /// How often it is still done; none for always.
    pub(super) times: Option<usize>,
}

/// The rules; the newest that fits counts.
#[derive(Debug, Default)]
pub(super) struct Rules(Vec<Rule>);

impl Rules {
    pub(super) fn add(&mut self, rule: Rule) {
        self.0.push(rule);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The mischief for a request, which counts as done.
    pub(super) fn take(&mut self, method: &str, path: &str) -> Option<Mischief> {
        let rule = self.0.iter_mut().rev().find(|rule| rule.fits(method, path) && rule.times != Some(0))?;
        if let Some(times) = &mut rule.times {
            *times -= 1;
        }
        Some(rule.mischief.clone())
    }
}

impl Rule {
    fn fits(&self, method: &str, path: &str) -> bool {
        let path_fits = match self.path.strip_suffix('*') {
            Some(beginning) => path.starts_with(beginning),
            None => path == self.path,
        };
        path_fits && (self.method.is_empty() || self.method == method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_rule_that_fits_counts_as_often_as_it_says() {
        let mut rules = Rules::default();
        let rule = |method: &str, path: &str, code, times| Rule {
            method: method.into(),
            path: path.into(),
            mischief: Mischief::Status(code, String::new()),
            times,
        };
        rules.add(rule("", "/api/*", 500, None));
        rules.add(rule("PUT", "/api/v1/nodes/a", 503, Some(1)));
        let mut code = |method, path| match rules.take(method, path) {
            Some(Mischief::Status(code, _)) => code,
            _ => 0,
        };
        assert_eq!(code("GET", "/api/v1/nodes/a"), 500);
        assert_eq!(code("PUT", "/api/v1/nodes/a"), 503);
        assert_eq!(code("PUT", "/api/v1/nodes/a"), 500, "once was enough");
        assert_eq!(code("GET", "/apis"), 0);
    }
}
