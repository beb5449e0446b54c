//! Texts with `*` in them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An expected text: taken whole, `*` stands for any run of characters, none included. A text with a star in it matches itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pattern(pub String);

impl Pattern {
    /// Whether the whole text fits.
    pub fn fits(&self, text: &str) -> bool {
        let parts: Vec<&str> = self.0.split('*').collect();
        let [first, middle @ .., last] = parts.as_slice() else { return self.0 == text };
        let Some(mut rest) = text.strip_prefix(first).and_then(|rest| rest.strip_suffix(last)) else { return false };
        for part in middle {
            let Some(at) = rest.find(part) else { return false };
            rest = &rest[at + part.len()..];
        }
        true
    }

    /// Whether a part of the text fits.
    pub fn is_in(&self, text: &str) -> bool {
        Self(format!("*{}*", self.0)).fits(text)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        let fits = |pattern: &str, text| Pattern(pattern.to_owned()).fits(text);
        assert!(fits("lag * > 100*", "lag 120 > 100 in 2 of the last 5"));
        assert!(fits("", "") && fits("*", "") && fits("a*", "a") && fits("a*b*c", "a-b-b-c"));
        assert!(!fits("a*a", "a") && !fits("lag", "lag 1") && !fits("*x", "xy") && !fits("a*b*c", "a-c-b"));
        assert!(Pattern("b*d".to_owned()).is_in("abcde") && !Pattern("b*d".to_owned()).is_in("dcb"));
    }
}
