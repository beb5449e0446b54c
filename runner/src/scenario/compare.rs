//! What is expected, held against what came.

use crate::pipeline::{Fault, Finding, Verdict};
use crate::plugins::{Answered, SettingProblem};

use super::expect::{Expect, ExpectedVerdict, FindingFields, ProblemFields};
use super::report::Difference;

/// Where the answer is another one than expected.
///
/// `member` says the name of the member of an id.
pub(super) fn answer(
    expect: &Expect,
    result: &Result<Answered, Fault>,
    member: &dyn Fn(&str) -> Option<String>,
) -> Vec<Difference> {
    let same = match (expect, result) {
        (Expect { verdict: Some(expected), .. }, Ok(Answered::Verdict(verdict))) => fits(expected, verdict),
        (Expect { findings: Some(expected), .. }, Ok(Answered::Findings(found))) => {
            return all("findings", expected, found, |e, f| finding_fits(&e.0, f, member), |e| finding(&e.0), seen_finding);
        }
        (Expect { problems: Some(expected), .. }, Ok(Answered::Problems(found))) => {
            return all("problems", expected, found, |e, p| problem_fits(&e.0, p), |e| problem(&e.0), seen_problem);
        }
        (Expect { told: Some(true), .. }, Ok(Answered::Told)) => true,
        (Expect { error: Some(expected), .. }, Err(fault)) => {
            fault.kind == crate::pipeline::FaultKind::Error && expected.fits(&fault.message)
        }
        (Expect { fault: Some(expected), .. }, Err(fault)) => fault.kind == *expected,
        _ => false,
    };
    if same {
        return Vec::new();
    }
    vec![Difference { what: "it answered otherwise".to_owned(), expected: expected_lines(expect), got: lines(result) }]
}

/// An answer, a line each.
pub(super) fn lines(result: &Result<Answered, Fault>) -> Vec<String> {
    match result {
        Ok(Answered::Told) => vec!["told: true".to_owned()],
        Ok(Answered::Verdict(Verdict::Approve)) => vec!["verdict: approve".to_owned()],
        Ok(Answered::Verdict(Verdict::Wait { reason, retry_after })) => {
            let again = retry_after.map(|time| format!(" (again after {} ms)", time.as_millis())).unwrap_or_default();
            vec![format!("verdict: wait: {reason}{again}")]
        }
        Ok(Answered::Verdict(Verdict::Reject { reason })) => vec![format!("verdict: reject: {reason}")],
        Ok(Answered::Findings(found)) if found.is_empty() => vec!["findings: none".to_owned()],
        Ok(Answered::Findings(found)) => found.iter().map(|f| format!("finding: {}", seen_finding(f))).collect(),
        Ok(Answered::Problems(found)) if found.is_empty() => vec!["problems: none".to_owned()],
        Ok(Answered::Problems(found)) => found.iter().map(|p| format!("problem: {}", seen_problem(p))).collect(),
        Err(fault) if fault.kind == crate::pipeline::FaultKind::Error => vec![format!("error: {}", fault.message)],
        Err(fault) => vec![format!("fault: {}: {}", kebab(&fault.kind), fault.message)],
    }
}

fn expected_lines(expect: &Expect) -> Vec<String> {
    let line = |text: String| vec![text];
    match expect {
        Expect { verdict: Some(ExpectedVerdict::Approve), .. } => line("verdict: approve".to_owned()),
        Expect { verdict: Some(ExpectedVerdict::Wait(wait)), .. } => {
            let reason = wait.reason.as_ref().map_or("*".to_owned(), ToString::to_string);
            let again = wait.retry_after_ms.map(|ms| format!(" (again after {ms} ms)")).unwrap_or_default();
            line(format!("verdict: wait: {reason}{again}"))
        }
        Expect { verdict: Some(ExpectedVerdict::Reject(reason)), .. } => line(format!("verdict: reject: {reason}")),
        Expect { findings: Some(found), .. } if found.is_empty() => line("findings: none".to_owned()),
        Expect { findings: Some(found), .. } => found.iter().map(|e| format!("finding: {}", finding(&e.0))).collect(),
        Expect { problems: Some(found), .. } if found.is_empty() => line("problems: none".to_owned()),
        Expect { problems: Some(found), .. } => found.iter().map(|e| format!("problem: {}", problem(&e.0))).collect(),
        Expect { error: Some(error), .. } => line(format!("error: {error}")),
        Expect { fault: Some(kind), .. } => line(format!("fault: {}", kebab(kind))),
        Expect { refused: Some(refused), .. } => line(format!("refused: {refused}")),
        _ => line("told: true".to_owned()),
    }
}

fn fits(expected: &ExpectedVerdict, verdict: &Verdict) -> bool {
    match (expected, verdict) {
        (ExpectedVerdict::Approve, Verdict::Approve) => true,
        (ExpectedVerdict::Wait(wait), Verdict::Wait { reason, retry_after }) => {
            wait.reason.as_ref().is_none_or(|pattern| pattern.fits(reason))
                && wait.retry_after_ms.is_none_or(|ms| retry_after.is_some_and(|time| time.as_millis() == u128::from(ms)))
        }
        (ExpectedVerdict::Reject(pattern), Verdict::Reject { reason }) => pattern.fits(reason),
        _ => false,
    }
}

fn finding_fits(expected: &FindingFields, found: &Finding, member: &dyn Fn(&str) -> Option<String>) -> bool {
    let text = |pattern: &Option<super::Pattern>, text: &str| pattern.as_ref().is_none_or(|p| p.fits(text));
    expected.severity.is_none_or(|severity| severity == found.severity)
        && text(&expected.code, &found.code)
        && text(&expected.message, &found.message)
        && expected.remedy.as_ref().is_none_or(|p| found.remedy.as_deref().is_some_and(|remedy| p.fits(remedy)))
        && expected
            .member
            .as_ref()
            .is_none_or(|named| found.member.as_ref().is_some_and(|id| id == named || member(id).as_ref() == Some(named)))
}

fn problem_fits(expected: &ProblemFields, found: &SettingProblem) -> bool {
    expected.path.as_ref().is_none_or(|p| p.fits(&found.path))
        && expected.message.as_ref().is_none_or(|p| p.fits(&found.message))
}

/// Each expected one must be found once, and nothing else: the order does not matter.
fn all<E, F>(
    what: &str,
    expected: &[E],
    found: &[F],
    fits: impl Fn(&E, &F) -> bool,
    wanted: impl Fn(&E) -> String,
    seen: impl Fn(&F) -> String,
) -> Vec<Difference> {
    let mut left: Vec<&F> = found.iter().collect();
    let mut missing = Vec::new();
    for e in expected {
        match left.iter().position(|f| fits(e, f)) {
            Some(i) => drop(left.remove(i)),
            None => missing.push(wanted(e)),
        }
    }
    if missing.is_empty() && left.is_empty() {
        return Vec::new();
    }
    let what = format!("it answered with other {what}");
    vec![Difference { what, expected: missing, got: left.into_iter().map(seen).collect() }]
}

fn finding(expected: &FindingFields) -> String {
    let star = |pattern: &Option<super::Pattern>| pattern.as_ref().map_or("*".to_owned(), ToString::to_string);
    let severity = expected.severity.map_or("*".to_owned(), |s| kebab(&s));
    let mut text = format!("{severity} {}: {}", star(&expected.code), star(&expected.message));
    if let Some(remedy) = &expected.remedy {
        text += &format!(" (remedy: {remedy})");
    }
    if let Some(member) = &expected.member {
        text += &format!(" (member: {member})");
    }
    text
}

fn seen_finding(found: &Finding) -> String {
    let mut text = format!("{} {}: {}", kebab(&found.severity), found.code, found.message);
    if let Some(remedy) = &found.remedy {
        text += &format!(" (remedy: {remedy})");
    }
    if let Some(member) = &found.member {
        text += &format!(" (member: {member})");
    }
    text
}

fn problem(expected: &ProblemFields) -> String {
    let star = |pattern: &Option<super::Pattern>| pattern.as_ref().map_or("*".to_owned(), ToString::to_string);
    format!("{}: {}", star(&expected.path), star(&expected.message))
}

fn seen_problem(found: &SettingProblem) -> String {
    format!("{}: {}", found.path, found.message)
}

/// A unit variant's name, as in files.
fn kebab(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::{FaultKind, Severity};
    use crate::scenario::{ExpectedFinding, Pattern};

    fn found(code: &str) -> Finding {
        let message = format!("{code} is the case");
        Finding { severity: Severity::Error, code: code.into(), message, remedy: None, member: Some("ff".into()) }
    }

    fn expected(fields: FindingFields) -> ExpectedFinding {
        ExpectedFinding(fields)
    }

    fn nobody(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn findings_are_told_apart_by_what_is_said_of_them() {
        let code = |code: &str| expected(FindingFields { code: Some(Pattern(code.into())), ..Default::default() });
        let check = |expect: Vec<ExpectedFinding>| {
            let expect = Expect { findings: Some(expect), ..Expect::default() };
            answer(&expect, &Ok(Answered::Findings(vec![found("a"), found("b")])), &|id| (id == "ff").then(|| "cp-1".into()))
        };
        assert!(check(vec![code("b"), code("a")]).is_empty(), "in any order");
        let less = check(vec![code("a")]);
        assert_eq!(
            (less[0].expected.len(), less[0].got.as_slice()),
            (0, ["error b: b is the case (member: ff)".to_owned()].as_slice())
        );
        assert_eq!(check(vec![code("a"), code("b"), code("c")])[0].expected, ["* c: *"]);
        let about = |member: &str| expected(FindingFields { member: Some(member.into()), ..Default::default() });
        assert!(check(vec![about("cp-1"), about("ff")]).is_empty());
        assert!(!check(vec![about("cp-2"), about("ff")]).is_empty());
    }

    #[test]
    fn another_kind_of_answer_is_shown_beside_the_expected() {
        let fault = Fault { kind: FaultKind::Trap, message: "trapped: unreachable".into(), log: Vec::new() };
        let expect = Expect { verdict: Some(ExpectedVerdict::Approve), ..Expect::default() };
        let difference = answer(&expect, &Err(fault.clone()), &nobody).remove(0);
        assert_eq!(difference.expected, ["verdict: approve"]);
        assert_eq!(difference.got, ["fault: trap: trapped: unreachable"]);
        let trap = Expect { fault: Some(FaultKind::Trap), ..Expect::default() };
        assert!(answer(&trap, &Err(fault.clone()), &nobody).is_empty());
        let error = Expect { error: Some(Pattern("*".into())), ..Expect::default() };
        assert!(!answer(&error, &Err(fault), &nobody).is_empty(), "a trap is no error that it says itself");
        let told = Expect { told: Some(true), ..Expect::default() };
        assert!(answer(&told, &Ok(Answered::Told), &nobody).is_empty());
    }
}
