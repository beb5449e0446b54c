//! The folder that the kubelet watches, and our manifest in it.
//!
//! Whoever may write there may run anything as root on this node. So the folder is held open once, and everything is done relative to
//! that handle: a link that is put in its place, or in the manifest's, is never followed.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::manifest::FILE;
use crate::Problem;
use crate::launch::mark::MARK;
use crate::launch::refuse;

/// The new manifest, until it is whole. The kubelet reads no file whose name begins with a dot.
const UNFINISHED: &str = ".etcd.yaml.runner";

/// No manifest is larger.
const MOST: u64 = 1 << 20;

/// The folder, held open.
#[derive(Debug)]
pub(super) struct Folder {
    handle: OwnedFd,
    path: PathBuf,
}

/// What is at the manifest's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing.
    Nothing,
    /// A manifest that runner wrote.
    Ours {
        /// All of it.
        text: String,
        /// When it was written.
        since: SystemTime,
    },
    /// Something else.
    Foreign {
        /// What, in a few words.
        what: &'static str,
    },
}

impl Folder {
    /// Opens the folder. Refuses one that is not there, is a link, or that others may write to.
    pub(super) fn open(path: &Path) -> Result<Self, Problem> {
        let name = path.display();
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
        let handle = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| match error {
            Errno::NOENT => {
                let hint = "kubeadm makes it; for another one give --manifests-dir";
                refuse(format!("there is no manifests folder {name}"), &[hint])
            }
            Errno::LOOP | Errno::NOTDIR => {
                refuse(format!("the manifests folder {name} is a symbolic link, or no folder"), &["give the folder itself"])
            }
            error => refuse(format!("cannot open the manifests folder {name}: {}", std::io::Error::from(error)), &[]),
        })?;
        let found = rustix::fs::fstat(&handle).map_err(|e| cannot("look at", path, e))?;
        let me = rustix::process::geteuid().as_raw();
        if found.st_uid != me && found.st_uid != 0 {
            let text = format!("the manifests folder {name} belongs to user {}, not to root or user {me}", found.st_uid);
            return Err(refuse(text, &["whoever writes there runs programs as root: see who made it"]));
        }
        if found.st_mode & 0o002 != 0 {
            let hint = format!("chmod o-w {name}: whoever writes there runs programs as root");
            return Err(refuse(format!("everybody may write to the manifests folder {name}"), &[&hint]));
        }
        Ok(Self { handle, path: path.to_owned() })
    }

    /// Where the manifest is, for messages.
    pub(super) fn manifest(&self) -> PathBuf {
        self.path.join(FILE)
    }

    /// Whether this process may write there.
    pub(super) fn writable(&self) -> Result<(), Problem> {
        use rustix::fs::Access;
        rustix::fs::accessat(&self.handle, ".", Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)
            .map_err(|e| cannot("write to", &self.path, e))
    }

    /// What is at the manifest's place.
    pub(super) fn found(&self) -> Result<Found, Problem> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let handle = match rustix::fs::openat(&self.handle, FILE, flags, Mode::empty()) {
            Ok(handle) => handle,
            Err(Errno::NOENT) => return Ok(Found::Nothing),
            Err(Errno::LOOP) => return Ok(Found::Foreign { what: "a symbolic link" }),
            Err(error) => return Err(cannot("read", &self.manifest(), error)),
        };
        let file = File::from(handle);
        let about = file.metadata().map_err(|e| failed("look at", &self.manifest(), &e))?;
        if !about.is_file() {
            return Ok(Found::Foreign { what: "no file" });
        }
        let mut text = Vec::new();
        file.take(MOST).read_to_end(&mut text).map_err(|e| failed("read", &self.manifest(), &e))?;
        match String::from_utf8(text) {
            Ok(text) if text.starts_with(MARK) => {
                let since = about.modified().map_err(|e| failed("look at", &self.manifest(), &e))?;
                Ok(Found::Ours { text, since })
            }
            _ => Ok(Found::Foreign { what: "a manifest that runner did not write" }),
        }
    }

    /// Puts the manifest there, whole or not at all, mode 0600. Replaces one of ours and no other: that is looked at last, since the caller may
    /// have looked minutes ago.
    pub(super) fn write(&self, text: &str) -> Result<(), Problem> {
        let unfinished = self.path.join(UNFINISHED);
        self.remove_file(UNFINISHED)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle = rustix::fs::openat(&self.handle, UNFINISHED, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|e| cannot("write", &unfinished, e))?;
        let mut file = File::from(handle);
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        let placed = written.map_err(|e| failed("write", &unfinished, &e)).and_then(|()| self.place());
        if placed.is_err() {
            let _ = self.remove_file(UNFINISHED);
        }
        placed.and_then(|()| self.sync())
    }

    /// Renames what was written to its place.
    fn place(&self) -> Result<(), Problem> {
        let flags = match self.found()? {
            Found::Nothing => RenameFlags::NOREPLACE,
            Found::Ours { .. } => RenameFlags::empty(),
            Found::Foreign { what } => return Err(self.replaced(what)),
        };
        let renamed = match rustix::fs::renameat_with(&self.handle, UNFINISHED, &self.handle, FILE, flags) {
            Err(Errno::EXIST) => return Err(self.replaced("there by now")),
            // A file system without that flag.
            Err(Errno::INVAL | Errno::NOSYS) => rustix::fs::renameat(&self.handle, UNFINISHED, &self.handle, FILE),
            other => other,
        };
        renamed.map_err(|e| cannot("write", &self.manifest(), e))
    }

    /// Takes our manifest away, and what a killed runner left of one; tells whether there was a manifest. Refuses one that is not ours: that is
    /// looked at last.
    pub(super) fn remove(&self) -> Result<bool, Problem> {
        self.remove_file(UNFINISHED)?;
        let there = match self.found()? {
            Found::Nothing => false,
            Found::Ours { .. } => self.remove_file(FILE)?,
            Found::Foreign { what } => return Err(self.replaced(what)),
        };
        self.sync().map(|()| there)
    }

    fn replaced(&self, what: &str) -> Problem {
        let text = format!("somebody else has written {} meanwhile: it is {what}", self.manifest().display());
        refuse(text, &["find out who makes this node's etcd"])
    }

    fn remove_file(&self, name: &str) -> Result<bool, Problem> {
        match rustix::fs::unlinkat(&self.handle, name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(cannot("remove", &self.path.join(name), error)),
        }
    }

    /// The file's name reaches the disk, too: after a power cut the journal and the folder must not tell different stories.
    fn sync(&self) -> Result<(), Problem> {
        rustix::fs::fsync(&self.handle).map_err(|e| cannot("write to", &self.path, e))
    }
}

fn cannot(act: &str, path: &Path, error: Errno) -> Problem {
    failed(act, path, &error.into())
}

fn failed(act: &str, path: &Path, error: &std::io::Error) -> Problem {
    refuse(format!("cannot {act} {}: {error}", path.display()), &[])
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn made() -> (tempfile::TempDir, PathBuf) {
        let above = tempfile::tempdir().unwrap();
        let path = above.path().join("manifests");
        fs::create_dir(&path).unwrap();
        (above, path)
    }

    #[test]
    fn a_manifest_is_written_recognised_replaced_and_removed() {
        let (_above, path) = made();
        let folder = Folder::open(&path).unwrap();
        folder.writable().unwrap();
        assert_eq!(folder.found().unwrap(), Found::Nothing);
        // What a runner that was killed in the middle of a write leaves.
        fs::write(path.join(UNFINISHED), "half").unwrap();
        for number in ["1", "2"] {
            let text = format!("{MARK}n{number}\n");
            folder.write(&text).unwrap();
            assert!(matches!(folder.found().unwrap(), Found::Ours { text: found, .. } if found == text));
        }
        assert_eq!(fs::metadata(path.join(FILE)).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
        assert!(folder.remove().unwrap());
        assert!(!folder.remove().unwrap());
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
    }

    #[test]
    fn what_is_not_ours_is_told() {
        let (above, path) = made();
        let folder = Folder::open(&path).unwrap();
        fs::write(path.join(FILE), "apiVersion: v1\n").unwrap();
        let what = || match folder.found().unwrap() {
            Found::Foreign { what } => what,
            other => panic!("{other:?}"),
        };
        assert_eq!(what(), "a manifest that runner did not write");
        fs::remove_file(path.join(FILE)).unwrap();
        let elsewhere = above.path().join("elsewhere");
        fs::write(&elsewhere, format!("{MARK}n1\n")).unwrap();
        symlink(&elsewhere, path.join(FILE)).unwrap();
        assert_eq!(what(), "a symbolic link");
        fs::remove_file(path.join(FILE)).unwrap();
        fs::create_dir(path.join(FILE)).unwrap();
        assert_eq!(what(), "no file");
        // A link in the unfinished file's place is removed, and its target stays as it is.
        fs::remove_dir(path.join(FILE)).unwrap();
        symlink(&elsewhere, path.join(UNFINISHED)).unwrap();
        folder.write(&format!("{MARK}n2\n")).unwrap();
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), format!("{MARK}n1\n"));
    }

    /// Whoever wrote it came after the caller had looked.
    #[test]
    fn what_is_not_ours_is_neither_replaced_nor_removed() {
        let (_above, path) = made();
        let folder = Folder::open(&path).unwrap();
        fs::write(path.join(FILE), "apiVersion: v1\n").unwrap();
        let refused = [folder.write(&format!("{MARK}n1\n")).unwrap_err(), folder.remove().unwrap_err()];
        for error in refused {
            assert!(error.message.ends_with("meanwhile: it is a manifest that runner did not write"), "{}", error.message);
        }
        assert_eq!(fs::read_to_string(path.join(FILE)).unwrap(), "apiVersion: v1\n");
        assert!(!path.join(UNFINISHED).exists());
    }

    #[test]
    fn a_folder_that_cannot_be_trusted_is_refused() {
        let (above, path) = made();
        let message = |path: &Path| Folder::open(path).unwrap_err().message.replace(above.path().to_str().unwrap(), "DIR");
        assert_eq!(message(&above.path().join("no")), "there is no manifests folder DIR/no");
        symlink(&path, above.path().join("link")).unwrap();
        assert_eq!(message(&above.path().join("link")), "the manifests folder DIR/link is a symbolic link, or no folder");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(message(&path), "everybody may write to the manifests folder DIR/manifests");
    }
}
