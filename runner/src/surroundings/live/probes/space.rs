//! The space of a file system.

use std::path::Path;

use rustix::fs::{OFlags, fstatvfs};

use super::beneath;
use crate::surroundings::{Refused, Space};

/// The space of the file system that holds this path. `available` is what a program without privileges may still use: the part that
/// file systems keep back for root is not in it.
pub(super) fn of(root: &Path, path: &str) -> Result<Space, Refused> {
    let file = beneath::open(root, path, OFlags::PATH)?;
    let told = fstatvfs(&file).map_err(|e| Refused::new("failed", format!("{path:?}: {}", beneath::plain(e))))?;
    let bytes = |blocks: u64| blocks.saturating_mul(told.f_frsize);
    Ok(Space { total: bytes(told.f_blocks), available: bytes(told.f_bavail) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_and_its_directory_have_the_same_space() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "x").unwrap();
        let of_file = of(dir.path(), file.to_str().unwrap()).unwrap();
        let of_directory = of(dir.path(), dir.path().to_str().unwrap()).unwrap();
        assert!(of_file.total > 0 && of_file.available <= of_file.total);
        assert_eq!(of_file.total, of_directory.total);
    }
}
