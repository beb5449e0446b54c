//! What came of a scenario, for people and for machines.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::event::Usage;

/// What came of one scenario.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The file that it is in.
    pub file: String,
    /// Its name.
    pub name: String,
    /// Whether the plugin did what was expected.
    pub passed: bool,
    /// Where it did not.
    pub differences: Vec<Difference>,
    /// What it logged, as `level: text`.
    pub log: Vec<String>,
    /// What the call used; none where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// How long it took in all.
    #[serde(skip)]
    pub took: Duration,
}

/// Something that is otherwise than expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// What it is, in one sentence.
    pub what: String,
    /// What was expected and did not come, a line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expected: Vec<String>,
    /// What came in its place, a line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub got: Vec<String>,
}

impl Difference {
    /// One that is said in one sentence.
    pub(super) fn said(what: impl Into<String>) -> Self {
        Self { what: what.into(), expected: Vec::new(), got: Vec::new() }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.passed { "pass" } else { "FAIL" };
        write!(f, "{mark}  {}", self.name)?;
        if self.passed {
            return Ok(());
        }
        write!(f, "  ({})", self.file)?;
        for Difference { what, expected, got } in &self.differences {
            write!(f, "\n      {what}")?;
            for line in expected {
                write!(f, "\n        - expected  {line}")?;
            }
            for line in got {
                write!(f, "\n        + got       {line}")?;
            }
        }
        for line in &self.log {
            write!(f, "\n      it logged {line}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_shows_the_difference() {
        let difference = Difference {
            what: "it answered otherwise".into(),
            expected: vec!["verdict: approve".into()],
            got: vec!["verdict: wait: lag 120 > 100".into()],
        };
        let mut report = Report {
            file: "scenarios/lag.yaml".into(),
            name: "near enough".into(),
            passed: false,
            differences: vec![difference, Difference::said("unexpected host call: memory {}")],
            log: vec!["debug: 6 samples".into()],
            usage: None,
            took: Duration::ZERO,
        };
        insta::assert_snapshot!(report.to_string(), @r"
        FAIL  near enough  (scenarios/lag.yaml)
              it answered otherwise
                - expected  verdict: approve
                + got       verdict: wait: lag 120 > 100
              unexpected host call: memory {}
              it logged debug: 6 samples
        ");
        report.passed = true;
        assert_eq!(report.to_string(), "pass  near enough");
    }
}
