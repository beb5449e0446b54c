//! From a path to documents: what cannot even be read is said here, in the same words for every kind of file.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::tree::{self, Node};
use crate::config::mistake::{Mistake, Place};

/// The largest file. A policy with a hundred plugins has some 50 KiB, kubeadm's documents a few.
pub const MAX_SIZE: u64 = 1 << 20;

/// A file's content, at most a byte more than [`MAX_SIZE`] of it.
pub(in crate::config) fn read(path: &Path) -> Result<Vec<u8>, Mistake> {
    let unreadable = |error: std::io::Error| Mistake::of_file(path, format!("cannot be read: {error}"));
    // Before it is opened: opening a pipe would wait for its writer.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(Mistake::of_file(path, "is not a file"));
    }
    let mut bytes = Vec::new();
    File::open(path).map_err(unreadable)?.take(MAX_SIZE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

/// The documents of a file's content; empty ones are left out. `noun` is what messages call such a file.
pub(in crate::config) fn documents_of(path: &Path, bytes: &[u8], noun: &str) -> Result<Vec<Node>, Mistake> {
    let text = text_of(path, bytes, noun)?;
    tree::documents(text, noun).map_err(|not| {
        let mistake = Mistake::of_file(path, &not.what).at(not.place);
        let tab = indented_by_tab(text, not.place.line);
        if tab { mistake.hint("YAML does not take tabs for indentation: use spaces") } else { mistake }
    })
}

/// A file's content as text, where it is some and not too much.
pub(in crate::config) fn text_of<'a>(path: &Path, bytes: &'a [u8], noun: &str) -> Result<&'a str, Mistake> {
    let mistake = |what: &str| Mistake::of_file(path, what);
    if bytes.len() as u64 > MAX_SIZE {
        let what = format!("is larger than 1 MiB, which no {noun} needs");
        return Err(mistake(&what).hint("is it the right file?"));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let place = place_of(&bytes[..error.valid_up_to()]);
        mistake("is not text in UTF-8").at(place).hint("save it as UTF-8")
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// The place after this text.
fn place_of(before: &[u8]) -> Place {
    let text = String::from_utf8_lossy(before);
    let line = text.lines().last().filter(|_| !text.ends_with('\n')).unwrap_or_default();
    Place { line: text.matches('\n').count() as u64 + 1, column: line.chars().count() as u64 + 1 }
}

/// Whether this line, or the one before it, begins with a tab: the parser stumbles there or a line later.
fn indented_by_tab(text: &str, line: u64) -> bool {
    let line = usize::try_from(line).unwrap_or(usize::MAX);
    text.lines().take(line).skip(line.saturating_sub(2)).any(|l| l.trim_start_matches(' ').starts_with('\t'))
}
