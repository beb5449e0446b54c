//! Files that the program carries in itself (templates, SDKs, the contract), written where they are needed.

use std::fs;
use std::path::Path;

use crate::Problem;

include!(concat!(env!("OUT_DIR"), "/carried.rs"));

/// A file's path, below the folder that it is written to, and its text.
pub(crate) type Carried = (&'static str, &'static str);

/// Makes the files of a folder those that are carried. One that is the same already is left alone, so that tools which look at
/// the times of files (cargo does) have nothing to do.
///
/// # Errors
///
/// What cannot be written.
pub(crate) fn renew(folder: &Path, files: &[Carried]) -> Result<(), Problem> {
    files.iter().try_for_each(|(path, text)| write(&folder.join(path), text))
}

/// Writes a file, with the folders above it, unless it is the same already.
///
/// # Errors
///
/// What cannot be written.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Problem> {
    if fs::read(path).is_ok_and(|there| there == text.as_bytes()) {
        return Ok(());
    }
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, text));
    written.map_err(|e| problem("write", path, &e))
}

/// A problem with a file or folder: `cannot write src/lib.rs: permission denied`.
pub(crate) fn problem(deed: &str, path: &Path, error: &dyn std::fmt::Display) -> Problem {
    Problem::new(format!("cannot {deed} {}: {error}", path.display()))
}
