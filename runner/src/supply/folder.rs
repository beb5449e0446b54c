//! A private folder: ours alone, written in whole files, never through a link.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, flock, fsync, open, openat, renameat, unlinkat};

use crate::owned::{ours, refused};

/// Held while the folder is changed; one process at a time.
const BUSY: &str = ".busy";

/// What half-written files are named after; nobody ever reads one.
const DRAFT: &str = ".draft-";

/// A folder that only we can write to.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    handle: File,
}

/// While it lives, no other process changes the folder. The kernel lets go of it when the process ends in whatever way.
#[derive(Debug)]
pub(super) struct Held(#[expect(dead_code, reason = "holding it is its use")] File);

impl Folder {
    /// Opens the folder, and makes it (0700) where it is not there.
    ///
    /// # Errors
    ///
    /// It cannot be made, is a link, belongs to somebody else, or may be written by others.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        match std::fs::DirBuilder::new().mode(0o700).create(path) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(e),
            _ => Self::open(path),
        }
    }

    /// Opens the folder. Errors as [`create`](Self::create); of kind `NotFound` where it is not there.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
        let handle = open(path, flags, Mode::empty()).map_err(|e| match e {
            rustix::io::Errno::LOOP | rustix::io::Errno::NOTDIR => refused("it is a link or not a folder"),
            other => other.into(),
        })?;
        let handle = File::from(handle);
        ours(&handle, FileType::Directory)?;
        Ok(Self { path: path.to_owned(), handle })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps other processes from changing it; none where one does so now.
    pub(super) fn hold(&self) -> io::Result<Option<Held>> {
        let flags = OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDWR | OFlags::CREATE;
        let file = File::from(openat(&self.handle, BUSY, flags, Mode::RUSR | Mode::WUSR)?);
        ours(&file, FileType::RegularFile)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Held(file))),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// The whole of a file that is ours alone and at most so large.
    pub(super) fn read(&self, name: &str, limit: u64) -> io::Result<Vec<u8>> {
        // Not blocking: a pipe that somebody put there would make us wait for its writer.
        let flags = OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY | OFlags::NONBLOCK;
        let file = openat(&self.handle, name, flags, Mode::empty()).map_err(|e| match e {
            rustix::io::Errno::LOOP => refused("it is a link"),
            other => other.into(),
        })?;
        let file = File::from(file);
        ours(&file, FileType::RegularFile)?;
        let mut content = Vec::with_capacity(file.metadata()?.len().min(limit) as usize + 1);
        file.take(limit + 1).read_to_end(&mut content)?;
        if content.len() as u64 > limit {
            return Err(refused("it is too large"));
        }
        Ok(content)
    }

    /// Writes a whole file (0600) in one step, and makes sure that it is on the disk.
    pub(super) fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let draft = format!("{DRAFT}{}", uuid::Uuid::now_v7());
        let written = self.write_draft(&draft, content).and_then(|()| {
            renameat(&self.handle, &draft, &self.handle, name)?;
            Ok(fsync(&self.handle)?)
        });
        if written.is_err() {
            // Best effort: a leftover is never read.
            let _ = self.remove(&draft);
        }
        written
    }

    /// Removes a file; none there is fine.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        match unlinkat(&self.handle, name, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    /// The names of the files in it.
    pub(super) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.handle)? {
            names.extend(entry?.file_name().to_str().ok().map(str::to_owned));
        }
        Ok(names)
    }

    fn write_draft(&self, draft: &str, content: &[u8]) -> io::Result<()> {
        let flags = OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let mut file = File::from(openat(&self.handle, draft, flags, Mode::RUSR | Mode::WUSR)?);
        file.write_all(content)?;
        file.sync_all()
    }
}

/// Whether a file in the folder is one that was never finished.
pub(super) fn is_draft(name: &str) -> bool {
    name.starts_with(DRAFT)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn files_are_private_whole_and_never_behind_a_link() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("a/store");
        let folder = Folder::create(&path).unwrap();
        folder.write("x", b"one").unwrap();
        folder.write("x", b"two").unwrap();
        assert_eq!(folder.read("x", 3).unwrap(), b"two");
        assert_eq!((mode(&path), mode(&path.join("x"))), (0o700, 0o600));
        assert_eq!(folder.names().unwrap().iter().filter(|n| is_draft(n)).count(), 0);
        assert!(folder.read("x", 2).unwrap_err().to_string().contains("too large"));

        fs::write(scratch.path().join("aside"), "theirs").unwrap();
        symlink(scratch.path().join("aside"), path.join("y")).unwrap();
        assert!(folder.read("y", 10).unwrap_err().to_string().contains("link"));
        folder.write("y", b"ours").unwrap();
        assert_eq!(fs::read(scratch.path().join("aside")).unwrap(), b"theirs", "the link was replaced, not followed");

        fs::set_permissions(path.join("x"), fs::Permissions::from_mode(0o666)).unwrap();
        assert!(folder.read("x", 10).unwrap_err().to_string().contains("others may write"));
    }

    #[test]
    fn a_folder_that_others_may_change_and_a_link_to_one_are_refused() {
        let scratch = tempfile::tempdir().unwrap();
        let open = scratch.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(Folder::create(&open).unwrap_err().to_string().contains("others may write"));
        let good = scratch.path().join("good");
        Folder::create(&good).unwrap();
        symlink(&good, scratch.path().join("link")).unwrap();
        assert!(Folder::create(&scratch.path().join("link")).unwrap_err().to_string().contains("link"));
        assert_eq!(Folder::open(&scratch.path().join("gone")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn one_process_at_a_time() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = Folder::create(&scratch.path().join("s")).unwrap();
        let held = folder.hold().unwrap();
        assert!(held.is_some());
        assert!(folder.hold().unwrap().is_none());
        drop(held);
        assert!(folder.hold().unwrap().is_some());
    }
}
