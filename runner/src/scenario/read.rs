//! Reading scenario files, with errors that say where.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde_saphyr::Options;

use super::file::Scenario;
use crate::text::one_line;

/// Largest scenario file.
const MAX_SIZE: usize = 4 << 20;

/// More characters of a file's own are not shown: a list of all keys has room.
const MOST: usize = 1_000;

/// Nobody means a known key by a longer one, and comparing takes the product of the lengths.
const LONGEST_KEY: usize = 100;

/// The scenarios of a file, in its order.
///
/// # Errors
///
/// One sentence with file, line and column, and the nearest valid key where one is unknown.
pub fn read(path: &Path) -> Result<Vec<Scenario>, String> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MAX_SIZE as u64 + 1).read_to_string(&mut text));
    read.map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    parse(&text, &path.display().to_string())
}

/// The scenarios of this text, which is that of `file`.
///
/// # Errors
///
/// As of [`read`].
pub fn parse(text: &str, file: &str) -> Result<Vec<Scenario>, String> {
    if text.len() > MAX_SIZE {
        return Err(format!("{file} is larger than 4 MiB, which no scenario file is"));
    }
    let options = Options { with_snippet: false, ..Options::default() };
    let found: Vec<Scenario> =
        serde_saphyr::from_multiple_with_options(text, options).map_err(|e| explain(&e, text, file))?;
    if found.is_empty() {
        return Err(format!("{file} holds no scenario"));
    }
    for (n, scenario) in found.iter().enumerate() {
        if found[..n].iter().any(|other| other.name == scenario.name) {
            return Err(format!("{file}: two scenarios are named {:?}", scenario.name));
        }
        scenario.check().map_err(|what| format!("{file}: scenario {:?}: {what}", scenario.name))?;
    }
    Ok(found)
}

fn explain(error: &serde_saphyr::Error, source: &str, file: &str) -> String {
    let place = error.location().map(|at| (at.line(), at.column())).or_else(|| place_of_key(&error.to_string(), source));
    let place = place.map(|(line, column)| format!(":{line}:{column}")).unwrap_or_default();
    let text = match error.without_snippet() {
        serde_saphyr::Error::Message { msg, .. } => msg.clone(),
        other => other.to_string(),
    };
    format!("{file}{place}: {}", one_line(&nearest(&text).unwrap_or(text), MOST))
}

/// Where an unknown key stands; serde does not say. None where it stands in several places.
fn place_of_key(text: &str, source: &str) -> Option<(u64, u64)> {
    let key = text.split_once("unknown field `")?.1.split('`').next()?;
    // To look for a key takes time for its length, too: not in a line that cannot hold it.
    let lines = source.lines().zip(1..).filter(|(line, _)| !key.is_empty() && line.len() >= key.len());
    let mut places = lines.flat_map(|(line, number)| {
        let starts = line.match_indices(key).map(move |(at, _)| (line, at, number));
        starts.filter(|(line, at, _)| {
            let (before, after) = (&line[..*at], &line[at + key.len()..]);
            after.trim_start().starts_with(':') && before.ends_with(|c: char| " {,-".contains(c)) | before.is_empty()
        })
    });
    let (line, at, number) = places.next()?;
    let column = line[..at].chars().count() as u64 + 1;
    places.next().is_none().then_some((number, column))
}

/// serde's message about an unknown key, with the nearest known one in the place of all.
fn nearest(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("unknown field `").or_else(|| text.split_once("unknown variant `"))?;
    let mut quoted = rest.split('`').step_by(2);
    let unknown = quoted.next().filter(|unknown| unknown.len() <= LONGEST_KEY)?;
    let known: Vec<&str> = rest.split('`').skip(2).step_by(2).collect();
    let near = known.iter().map(|k| (strsim::damerau_levenshtein(&unknown.to_lowercase(), &k.to_lowercase()), k)).min()?;
    Some(match near {
        (distance, key) if distance <= 1 + unknown.len() / 3 => {
            format!("there is no `{unknown}` here; did you mean `{key}`?")
        }
        _ => format!("there is no `{unknown}` here; it may be {}", known.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::super::expect::{ExpectedVerdict, ExpectedWait};
    use super::super::pattern::Pattern;
    use super::*;

    fn one(text: &str) -> Scenario {
        parse(text, "s.yaml").unwrap().remove(0)
    }

    fn wrong(text: &str) -> String {
        parse(text, "s.yaml").unwrap_err()
    }

    #[test]
    fn short_and_long_forms_are_read() {
        let text = "name: a\nsamples: {lag: [5000, 0], every: 500ms}\nexpect: {verdict: approve}\n---\n\
                    name: b\ncluster:\n  healthy: 3.6.1 x 2\n  members:\n    - {name: x, role: learner, dbSize: 8 GiB, roundTrip: 2ms}\n\
                    samples:\n  - {lag: 3, after: 1s}\n  - {reachable: false}\n\
                    expect: {verdict: {wait: 'steady *'}, log: [hello]}\n";
        let both = parse(text, "s.yaml").unwrap();
        assert_eq!(both.len(), 2);
        assert_eq!(both[0].expect.verdict, Some(ExpectedVerdict::Approve));
        assert_eq!(both[1].cluster.members[0].db_size.0, 8 << 30);
        let reason = Some(Pattern("steady *".to_owned()));
        assert_eq!(both[1].expect.verdict, Some(ExpectedVerdict::Wait(ExpectedWait { reason, retry_after_ms: None })));
        let long = one("name: c\nexpect: {verdict: {wait: {retryAfterMs: 50}}}\n");
        let wait = ExpectedWait { reason: None, retry_after_ms: Some(50) };
        assert_eq!(long.expect.verdict, Some(ExpectedVerdict::Wait(wait)));
        let found = one(
            "name: d\ncluster: 3.4.3 x 1\nexpect:\n  findings:\n    - version-skew\n    - {severity: warning, code: x}\n",
        );
        assert_eq!(found.expect.findings.map(|f| f.len()), Some(2));
        assert_eq!(one("name: e\ngrants: {random: true}\nexpect: {fault: trap}\n").grants.map(|g| g.random), Some(true));
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        insta::assert_snapshot!(wrong("name: a\nexpects: {}\n"), @"s.yaml:2:1: there is no `expects` here; did you mean `expect`?");
        let nam = wrong("name: a\ncluster:\n  members:\n    - nam: x\nexpect: {}\n");
        insta::assert_snapshot!(nam, @"s.yaml:4:7: there is no `nam` here; did you mean `name`?");
        assert!(wrong("name: a\ncluster: three\nexpect: {}\n").contains("`three` is not of the form `3.5.16 x 3`"));
        assert!(wrong("name: a\nexpect: {verdict: aprove}\n").contains("`aprove` is no verdict"));
        assert!(wrong("name: a\nsamples: {lags: [1]}\nexpect: {verdict: wait}\n").contains("did you mean `lag`?"));
        assert!(wrong("name: a\nexpect: {findings: [{sevrity: error}]}\n").contains("did you mean `severity`?"));
        assert!(wrong("name: a\nexpect: {fault: crash}\n").contains("there is no `crash` here"));
        assert!(wrong("name: [a\n").starts_with("s.yaml:"));
        let long = wrong(&format!("name: a\nname{}: 1\n", "e".repeat(1_000)));
        assert!(long.starts_with("s.yaml:2:1: unknown field `nameee") && long.len() < 1_100, "{long:.200}");
        let began = std::time::Instant::now();
        let long = wrong(&format!("name: a\n{}: 1\n{}", "e".repeat(1 << 20), "\n".repeat(1 << 20)));
        assert!(long.starts_with("s.yaml:2:") && long.len() < 1_100, "{long:.300}");
        assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
        insta::assert_snapshot!(wrong("# nothing\n"), @"s.yaml holds no scenario");
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let two = "name: a\nexpect: {told: true}\n---\nname: a\nexpect: {told: true}\n";
        insta::assert_snapshot!(wrong(two), @r#"s.yaml: two scenarios are named "a""#);
        assert!(wrong("name: a\nexpect: {log: [x]}\n").contains("must have exactly one of"));
        assert!(wrong("name: a\nexpect: {told: true, error: x}\n").contains("must have exactly one of"));
        let call = |call: &str| wrong(&format!("name: a\nhostCalls: [{{{call}}}]\nexpect: {{told: true}}\n"));
        assert!(call("ask: memory").contains("needs either a `reply` or a `refused`"));
        assert!(call("ask: memory, reply: {mtu: 5}").contains("`mtu` does not answer memory {}; `space` does"));
        assert!(call("ask: memroy, reply: {mtu: 5}").contains("did you mean `memory`?"));
        assert!(call("ask: {fsync: {dir: /x}}, reply: {mtu: 5}").contains("there is no `dir` here"));
    }
}
