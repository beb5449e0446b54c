//! Whether a file is ours alone to write: what others could have written is not believed.

use std::fs::File;
use std::io;

use rustix::fs::{FileType, fstat};
use rustix::process::geteuid;

/// Fails unless this is of that type, belongs to us and can be written by nobody else.
///
/// Looks at the open file, not at a path: it cannot be exchanged in between. Does *not* look at the folders above.
///
/// # Errors
///
/// Of kind `PermissionDenied`, with the reason in words.
pub fn ours(file: &File, expected: FileType) -> io::Result<()> {
    let stat = fstat(file)?;
    if FileType::from_raw_mode(stat.st_mode) != expected {
        return Err(refused("it is not of the right type"));
    }
    if stat.st_uid != geteuid().as_raw() {
        return Err(refused("it belongs to somebody else"));
    }
    if stat.st_mode & 0o022 != 0 {
        return Err(refused("others may write to it"));
    }
    Ok(())
}

/// The error of what is not ours.
pub fn refused(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}
