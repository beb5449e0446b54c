//! A user's own files, read whole and with a limit.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::SupplyError;

/// The whole of a regular file that is at most so large. `what` is how a message about its size calls it.
///
/// # Errors
///
/// It cannot be read, is a folder or a pipe, or is larger.
pub fn read(path: &Path, limit: u64, what: &str) -> Result<Vec<u8>, SupplyError> {
    let failed = |reason: String| SupplyError::File { doing: "cannot read", path: path.to_owned(), reason };
    // Before it is opened: opening a pipe would wait for its writer.
    if !std::fs::metadata(path).map_err(|e| failed(e.to_string()))?.is_file() {
        return Err(failed("it is not a file".to_owned()));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|e| failed(e.to_string()))?;
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|e| failed(e.to_string()))?;
    let size = bytes.len() as u64;
    if size > limit {
        let what = format!("{what} {}", path.display());
        return Err(SupplyError::TooLarge { what, size, limit });
    }
    Ok(bytes)
}

/// Writes a whole file in one step: beside its place, then renamed.
///
/// # Errors
///
/// It cannot be written.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), SupplyError> {
    let failed = |reason: String| SupplyError::File { doing: "cannot write", path: path.to_owned(), reason };
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(failed("its folder is not there".to_owned()));
    }
    let draft = tempfile::NamedTempFile::new_in(folder).map_err(|e| failed(e.to_string()))?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::write(draft.path(), bytes)
        .and_then(|()| std::fs::set_permissions(draft.path(), mode))
        .map_err(|e| failed(e.to_string()))?;
    draft.persist(path).map_err(|e| failed(e.error.to_string()))?;
    Ok(())
}
