//! Real etcd servers: which are at hand, and how further ones are obtained.
//!
//! A server is a folder `target/tools/etcd/<version>/` with `etcd`, `etcdctl` where that came along, and `source`, which
//! says where it is from. In order: `RUNNER_ETCD` and `PATH`, Debian's packages, Go. A release line (3.5) that the first
//! of these covers is not obtained again.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use anyhow::{Context as _, Result, bail};

use super::{Item, Need, State, etcd_debian, etcd_go};
use crate::{
    context::Context,
    process, say,
    scratch::{self, Scratch},
};

/// The release lines that the full test run covers.
const LINES: [&str; 4] = ["3.4", "3.5", "3.6", "3.7"];
/// Names an etcd to use: the path of its program.
const GIVEN_VARIABLE: &str = "RUNNER_ETCD";
const SOURCE: &str = "source";
const GIVEN: &str = "given as ";

/// A server that is at hand and runs.
pub(crate) struct Server {
    /// As it reports it: `3.5.16`.
    pub(crate) version: String,
    /// Its program.
    pub(crate) program: PathBuf,
    source: String,
}

/// Something that can provide a server.
pub(crate) struct Source {
    /// The release line that it provides.
    pub(crate) line: &'static str,
    /// Kept in the server's folder: `Debian bookworm`, `tests/etcd/v3.6`.
    pub(crate) name: &'static str,
    /// Fetches or builds it, into the given scratch's parent.
    pub(crate) obtain: fn(&Context, &Source) -> Result<()>,
    /// What to type where it fails.
    pub(crate) fix: &'static str,
}

/// Obtains every server that is lacking; an item a release line.
pub(crate) fn obtain_all(context: &Context) -> Result<Vec<Item>> {
    adopt_given(context)?;
    let there = at_hand(context)?;
    let wanted = |source: &&Source| !there.iter().any(|server| server.answers(source));
    // Debian's are a download, Go's keep every core busy: side by side by kind, one after the other within Go.
    let obtain = |sources: &'static [Source]| -> Vec<(&Source, anyhow::Error)> {
        let missing = sources.iter().filter(wanted);
        missing.filter_map(|source| (source.obtain)(context, source).err().map(|error| (source, error))).collect()
    };
    let failures = thread::scope(|scope| {
        let halves = [etcd_debian::SOURCES, etcd_go::SOURCES].map(|sources| scope.spawn(move || obtain(sources)));
        halves.into_iter().flat_map(|half| half.join().unwrap_or_default()).collect::<Vec<_>>()
    });
    Ok(items(&at_hand(context)?, &failures))
}

/// What `RUNNER_ETCD` names, else the newest server at hand; where there is none, the one that is obtained fastest.
pub(crate) fn newest(context: &Context) -> Result<Server> {
    adopt_given(context)?;
    if let Some(program) = std::env::var_os(GIVEN_VARIABLE).map(PathBuf::from) {
        return Ok(Server { version: version(&program)?, program: program.canonicalize()?, source: String::new() });
    }
    let mut misses = Vec::new();
    // Debian's newest first: seconds, where a build takes more than a minute.
    for source in etcd_debian::SOURCES.iter().rev().chain(etcd_go::SOURCES.iter().rev()) {
        if let Some(newest) = at_hand(context)?.pop() {
            return Ok(newest);
        }
        if let Err(error) = (source.obtain)(context, source) {
            misses.push(format!("{}: {error:#}", source.name));
        }
    }
    at_hand(context)?.pop().with_context(|| {
        format!(
            "no etcd could be obtained; hint: set {GIVEN_VARIABLE} to the path of an etcd program\n  {}",
            misses.join("\n  ")
        )
    })
}

/// Every server under `target/tools/etcd` that runs, by version. A folder whose program does not run is removed.
pub(crate) fn at_hand(context: &Context) -> Result<Vec<Server>> {
    let Ok(entries) = fs::read_dir(folder(context)) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for place in entries.flatten().map(|entry| entry.path()) {
        let name = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        let program = place.join("etcd");
        match version(&program) {
            Ok(version) if version == name => {
                let source = fs::read_to_string(place.join(SOURCE)).unwrap_or_default();
                found.push(Server { version, program, source: source.trim().to_owned() });
            }
            _ => scratch::remove(&place)?,
        }
    }
    found.sort_by_key(|server| numbers(&server.version));
    Ok(found)
}

/// The newest server of this release line that was built with Go; builds it where there is none.
pub(crate) fn built(context: &Context, line: &str) -> Result<Server> {
    let newest = || anyhow::Ok(at_hand(context)?.into_iter().rev().find(|server| server.is_built(line)));
    if let Some(there) = newest()? {
        return Ok(there);
    }
    let source = etcd_go::SOURCES.iter().find(|source| source.line == line);
    let source = source.with_context(|| format!("no etcd {line} is built with Go"))?;
    (source.obtain)(context, source)?;
    newest()?.with_context(|| format!("etcd {line} is not there after it was built"))
}

/// Puts the programs found in `programs` into their folder, once `etcd` has said its version.
pub(crate) fn publish(context: &Context, source: &Source, scratch: &Scratch, programs: &Path) -> Result<()> {
    let version = version(&programs.join("etcd"))?;
    if line(&version) != source.line {
        bail!("{} gave etcd {version} where {} was expected", source.name, source.line);
    }
    fs::write(programs.join(SOURCE), source.name)?;
    scratch.publish(programs, &folder(context).join(version))
}

/// Asks the program for its version; errors where it does not run here.
pub(crate) fn version(program: &Path) -> Result<String> {
    let text = process::output(Command::new(program).arg("--version"))?;
    let version = text.lines().find_map(|line| line.strip_prefix("etcd Version: "));
    version.map(|version| version.trim().to_owned()).with_context(|| format!("{} is not an etcd", program.display()))
}

impl Server {
    /// Whether it is of this release line and was built with Go: a static program, which runs in an empty image.
    pub(crate) fn is_built(&self, line: &str) -> bool {
        etcd_go::SOURCES.iter().any(|source| source.line == line && source.name == self.source)
    }

    /// Whether this source has nothing to add: it gave this server, or the user gave one of its line.
    fn answers(&self, source: &Source) -> bool {
        self.source == source.name || (self.source.starts_with(GIVEN) && line(&self.version) == source.line)
    }
}

/// Links what `RUNNER_ETCD` and `PATH` name, and forgets links that they no longer name.
fn adopt_given(context: &Context) -> Result<()> {
    let named = std::env::var_os(GIVEN_VARIABLE).map(PathBuf::from);
    if let Some(program) = &named {
        version(program).with_context(|| format!("{GIVEN_VARIABLE} does not name a program that runs"))?;
    }
    let given: Vec<PathBuf> = [named, process::on_path("etcd")].into_iter().flatten().collect();
    let mut there = at_hand(context)?;
    there.retain(|server| {
        let stale =
            server.source.strip_prefix(GIVEN).is_some_and(|path| !given.iter().any(|given| given == Path::new(path)));
        // A link that cannot be removed is no worse than one that is kept.
        let removed = stale && server.program.parent().is_some_and(|place| scratch::remove(place).is_ok());
        !removed
    });
    for program in given {
        // One of the system's that does not run is not ours to complain about.
        let Ok(version) = version(&program) else { continue };
        if there.iter().any(|server| server.version == version) {
            continue;
        }
        let program = program.canonicalize()?;
        say::line(&format!("etcd {version}: using {}", program.display()));
        let scratch = Scratch::new(&folder(context), "given")?;
        symlink(&program, scratch.path().join("etcd"))?;
        if let Some(client) = program.parent().map(|folder| folder.join("etcdctl")).filter(|client| client.is_file()) {
            symlink(client, scratch.path().join("etcdctl"))?;
        }
        fs::write(scratch.path().join(SOURCE), format!("{GIVEN}{}", program.display()))?;
        scratch.publish(scratch.path(), &folder(context).join(version))?;
    }
    Ok(())
}

fn items(there: &[Server], failures: &[(&Source, anyhow::Error)]) -> Vec<Item> {
    let of_line = |name: &str| {
        let versions: Vec<&str> =
            there.iter().filter(|server| line(&server.version) == name).map(|s| s.version.as_str()).collect();
        let state = match failures.iter().find(|(source, _)| source.line == name) {
            _ if !versions.is_empty() => State::Here(versions.join(", ")),
            Some((source, error)) => State::lacks(error, source.fix.to_owned()),
            None => State::Lacks { why: "nothing provides it".to_owned(), fix: format!("{GIVEN_VARIABLE}=/path/to/etcd") },
        };
        Item::new(&format!("etcd {name}"), Need::Tests, state)
    };
    LINES.map(of_line).into()
}

fn folder(context: &Context) -> PathBuf {
    context.tools.join("etcd")
}

/// `3.5` of `3.5.16`.
fn line(version: &str) -> &str {
    let second_dot = version.match_indices('.').nth(1).map_or(version.len(), |(at, _)| at);
    &version[..second_dot]
}

fn numbers(version: &str) -> Vec<u64> {
    version.split(['.', '-']).map(|part| part.parse().unwrap_or(0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(version: &str, source: &str) -> Server {
        Server { version: version.to_owned(), program: PathBuf::new(), source: source.to_owned() }
    }

    #[test]
    fn versions_are_ordered_by_number() {
        assert!(numbers("3.10.1") > numbers("3.9.30"));
        assert_eq!((line("3.5.16"), line("3.6.0-rc.1")), ("3.5", "3.6"));
    }

    #[test]
    fn a_given_server_covers_its_line_and_no_other() {
        let [bookworm, trixie] = etcd_debian::SOURCES else { panic!("two suites") };
        assert!(server("3.4.30", "given as /usr/bin/etcd").answers(bookworm));
        assert!(!server("3.4.30", "given as /usr/bin/etcd").answers(trixie));
        assert!(server("3.5.16", trixie.name).answers(trixie));
        assert!(!server("3.5.35", "tests/etcd/v3.5").answers(trixie));
    }

    #[test]
    fn a_lacking_line_says_why_and_what_to_type() {
        let source = &etcd_go::SOURCES[1];
        let items = items(&[server("3.5.16", "Debian trixie")], &[(source, anyhow::anyhow!("there is no go on the PATH"))]);
        let shown: Vec<(&str, bool)> =
            items.iter().map(|item| (item.name.as_str(), matches!(item.state, State::Here(_)))).collect();
        assert_eq!(shown, [("etcd 3.4", false), ("etcd 3.5", true), ("etcd 3.6", false), ("etcd 3.7", false)]);
        let State::Lacks { why, fix } = &items[2].state else { panic!("3.6 is not there") };
        assert_eq!((why.as_str(), fix.as_str()), ("there is no go on the PATH", source.fix));
    }
}
