//! The member's log: its file, its last words, and what they mean.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use serde_json::Value;

use super::refuse;
use crate::Problem;

/// Written before each start, so that the last words of an earlier one are not taken for this one's.
const MARK: &str = "--- runner starts etcd";

/// How much of the file's end is read.
const TAIL: u64 = 64 * 1024;

/// The longest that one line is shown.
const WIDTH: usize = 400;

/// What etcd says when it cannot go on, and what it means. From etcd's sources, 3.4 to 3.7; a part of the line is enough.
const MEANINGS: &[(&str, &str)] = &[
    ("member count is unequal", "the cluster's member list changed while the member started, and it was given the old one"),
    (
        "no match found for existing member",
        "the cluster has a member whose peer URLs are not in the list that this one was given",
    ),
    (
        "incompatible with current running cluster",
        "this etcd's version may not join the cluster's, or no member told its version: take the cluster's minor version, or try again",
    ),
    (
        "has already been bootstrapped",
        "the cluster knows this member as one that has run before, but its data directory was empty",
    ),
    ("permanently removed from the cluster", "the member was removed from the cluster"),
    ("membership: ID removed", "the member was removed from the cluster"),
    (
        "too many learner members in cluster",
        "the cluster has as many learners as this etcd allows (--max-learners, one by default)",
    ),
    ("of the backend is missing", "the data directory has lost its database: it cannot be used any more"),
    (
        "is out of range [lastIndex",
        "the member was started before and has lost its log: remove it from the cluster and add it anew",
    ),
    ("failed to find local ID in cluster members", "the member is not in the member list that its own data holds"),
    ("couldn't find local name", "the member's name is not in the list of members that it was given"),
    (
        "cannot fetch cluster info from peer urls",
        "no member of the cluster answered at its peer URL: address, port or certificate",
    ),
    (
        "could not retrieve cluster information from the given URLs",
        "no member of the cluster answered at its peer URL: address, port or certificate",
    ),
    ("cluster ID mismatch", "the members that it was given belong to another cluster than its data"),
    ("address already in use", "one of its ports is in use by another program"),
    ("cannot assign requested address", "this node has no such address to listen on"),
    ("no space left on device", "the disk is full"),
    ("read-only file system", "the data directory is on a file system that cannot be written"),
    ("permission denied", "it may not read or write one of its files"),
    ("is not a valid flag", "it does not know one of the flags that it was given"),
    ("flag provided but not defined", "it does not know one of the flags that it was given"),
    ("conflicting environment variable", "an ETCD_… variable says again what a flag says"),
];

/// Opens the log for a new start: mode 0600, at its end, with a mark. Makes its folder; follows no link.
pub(super) fn open(path: &Path, version: &str, name: &str) -> Result<File, Problem> {
    let cannot = |e: std::io::Error| refuse(format!("cannot write the member's log {}: {e}", path.display()), &[]);
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(cannot)?;
    }
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o600).custom_flags(OFlags::NOFOLLOW.bits() as i32);
    let mut file = options.open(path).map_err(cannot)?;
    writeln!(file, "{MARK} {version} as {name} at {}", crate::clock::now()).map_err(cannot)?;
    Ok(file)
}

/// The last lines since the last start, readable, oldest first; none where it was never started.
pub(super) fn tail(path: &Path, lines: usize) -> Vec<String> {
    let Ok(bytes) = end_of(path) else { return Vec::new() };
    let text = String::from_utf8_lossy(&bytes);
    last(text.rfind(MARK).map_or(&*text, |at| text[at..].split_once('\n').map_or("", |(_, rest)| rest)), lines)
}

/// The last lines of a text that etcd wrote, readable, oldest first.
pub(super) fn last(text: &str, lines: usize) -> Vec<String> {
    let mut shown = Vec::new();
    let mut in_noise = false;
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        // Go prints a page of stack behind a panic, and the usage of all flags behind one that it does not know: what counts is the line
        // before.
        in_noise = (in_noise && !line.starts_with('{')) || line.starts_with("goroutine ") || line == "Usage:";
        if !in_noise {
            shown.push(readable(line));
        }
    }
    shown.drain(..shown.len().saturating_sub(lines));
    shown
}

/// What the last words mean, where that is known.
pub(super) fn meaning(lines: &[String]) -> Option<&'static str> {
    let told = |line: &String| MEANINGS.iter().find(|(part, _)| line.contains(part)).map(|(_, sentence)| *sentence);
    let grave = |line: &&String| ["fatal", "panic", "error"].iter().any(|level| line.starts_with(level));
    // What it died of first; a warning further up may be about something that healed.
    lines.iter().rev().filter(grave).find_map(told).or_else(|| lines.iter().rev().find_map(told))
}

/// The end of the file, at most 64 KiB.
pub(super) fn end_of(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// `{"level":"fatal","msg":"discovery failed","error":"…"}` becomes `fatal: discovery failed: …`. Other lines stay.
fn readable(line: &str) -> String {
    let Ok(Value::Object(entry)) = serde_json::from_str(line) else { return cut(line) };
    let text = |key: &str| entry.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let Some(message) = text("msg") else { return cut(line) };
    let parts = [text("level"), Some(message), text("error")];
    cut(&parts.into_iter().flatten().collect::<Vec<_>>().join(": "))
}

/// On one line and not too long, without what a terminal would obey.
fn cut(line: &str) -> String {
    let mut out: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).take(WIDTH).collect();
    if line.chars().nth(WIDTH).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// As 3.4 to 3.6 print it.
    #[test]
    fn a_flag_that_it_does_not_know_is_its_last_word() {
        let text = "{\"level\":\"info\",\"msg\":\"starts\"}\nflag provided but not defined: -no-such-flag\nUsage:\n\n  etcd [flags]\n    Start\n";
        assert_eq!(last(text, 5), ["info: starts", "flag provided but not defined: -no-such-flag"]);
    }

    #[test]
    fn only_the_last_start_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log/etcd.log");
        assert!(tail(&path, 20).is_empty());
        for word in ["first", "second"] {
            writeln!(open(&path, "3.6.16", "n1").unwrap(), "{{\"level\":\"info\",\"msg\":\"{word}\"}}").unwrap();
        }
        assert_eq!(tail(&path, 20), ["info: second"]);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_linked_log_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("etcd.log");
        symlink(folder.path().join("elsewhere"), &link).unwrap();
        assert!(open(&link, "3.6.16", "n1").is_err());
        assert!(!folder.path().join("elsewhere").exists());
    }

    #[test]
    fn last_words_are_readable_and_without_stacks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("etcd.log");
        let words = "\
{\"level\":\"warn\",\"ts\":\"x\",\"msg\":\"slow\",\"took\":\"1s\"}
panic: tocommit(7) is out of range [lastIndex(0)]. Was the raft log corrupted?

goroutine 1 [running]:
main.main()
\t/x.go:1
{\"level\":\"fatal\",\"msg\":\"discovery failed\",\"error\":\"member count is unequal\",\"stacktrace\":\"a\\nb\"}
plain \u{1b}[31mwords
";
        fs::write(&path, words).unwrap();
        insta::assert_snapshot!(tail(&path, 20).join("\n"), @r"
        warn: slow
        panic: tocommit(7) is out of range [lastIndex(0)]. Was the raft log corrupted?
        fatal: discovery failed: member count is unequal
        plain  [31mwords
        ");
        assert_eq!(tail(&path, 1).len(), 1);
        let long = format!("{{\"level\":\"info\",\"msg\":\"{}\"}}\n", "x".repeat(1000)).repeat(200);
        fs::write(&path, long).unwrap();
        assert!(tail(&path, 20).iter().all(|line| line.chars().count() <= WIDTH + 1));
    }

    #[test]
    fn the_gravest_line_gives_the_meaning() {
        let lines = |lines: &[&str]| lines.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>();
        let log = lines(&[
            "warn: permission denied",
            "fatal: discovery failed: member count is unequal",
            "info: bye: no space left on device",
        ]);
        assert!(meaning(&log).unwrap().contains("the old one"));
        assert_eq!(meaning(&lines(&["warn: open x: permission denied"])), Some("it may not read or write one of its files"));
        assert_eq!(meaning(&lines(&["info: fine"])), None);
    }
}
