//! Writing files whole or not at all, and never over others.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use super::PkiError;

/// Mode of keys.
pub(super) const PRIVATE: u32 = 0o600;
/// Mode of certificates, as kubeadm writes them.
pub(super) const PUBLIC: u32 = 0o644;
/// Mode of folders that are made, as kubeadm makes them.
const FOLDER: u32 = 0o755;

/// Writes a new file with this mode, durably. A file that exists by then is left alone and is an error.
pub(super) fn write(path: &Path, content: &[u8], mode: u32) -> Result<(), PkiError> {
    write_new(path, content, mode).map_err(|source| PkiError::Write { path: path.into(), source })
}

fn write_new(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(FOLDER).create(folder)?;
    // Made with mode 0600, so that a key is never readable by others, not even for a moment.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(content)?;
    fs::set_permissions(file.path(), Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|e| e.error)?;
    File::open(folder)?.sync_all()
}
