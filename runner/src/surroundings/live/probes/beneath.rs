//! Opening what lies in a granted path, so that no link leads out of it.
//!
//! The granted path itself is the operator's word: links in it are followed. What a plugin adds to it is resolved by the kernel
//! beneath it (`openat2`, Linux 5.6): links that stay inside are followed, links that lead out are refused, and so are the kernel's
//! own (`/proc/self/root`). Where the kernel cannot do that, no link is followed at all.

use std::path::{Component, Path};

use rustix::fd::OwnedFd;
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2};
use rustix::io::Errno;

use crate::surroundings::Refused;

/// How often the kernel may say that something was renamed meanwhile.
const TRIES: usize = 8;

/// Opens the directory `path`, which lies in `root`, as a place to open other things at.
pub(super) fn directory(root: &Path, path: &str) -> Result<OwnedFd, Refused> {
    open(root, path, OFlags::PATH | OFlags::DIRECTORY)
}

/// Opens `path`, which lies in `root` by its text.
pub(super) fn open(root: &Path, path: &str, flags: OFlags) -> Result<OwnedFd, Refused> {
    resolve(root, Path::new(path), flags).map_err(|errno| refused(path, errno))
}

fn resolve(root: &Path, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let below = path.strip_prefix(root).map_err(|_| Errno::XDEV)?;
    if below.as_os_str().is_empty() {
        return openat(CWD, root, flags | OFlags::CLOEXEC, Mode::empty());
    }
    let root = openat(CWD, root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    for _ in 0..TRIES {
        let inside = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        match openat2(&root, below, flags | OFlags::CLOEXEC, Mode::empty(), inside) {
            // A rename on the way: the kernel cannot say whether it stayed inside.
            Err(Errno::AGAIN) => {}
            // An old kernel, or a container that does not know the call.
            Err(Errno::NOSYS | Errno::PERM) => return walk(root, below, flags),
            other => return other,
        }
    }
    Err(Errno::AGAIN)
}

/// The same without the kernel's help, one component after another. Follows no link.
fn walk(root: OwnedFd, below: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let mut at = root;
    let mut parts = below.components().peekable();
    while let Some(part) = parts.next() {
        let Component::Normal(name) = part else { return Err(Errno::XDEV) };
        let last = parts.peek().is_none();
        let wanted = if last { flags } else { OFlags::PATH };
        at = openat(&at, name, wanted | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
        // `O_PATH` opens a link itself.
        if FileType::from_raw_mode(fstat(&at)?.st_mode) == FileType::Symlink {
            return Err(Errno::LOOP);
        }
    }
    Ok(at)
}

fn refused(path: &str, errno: Errno) -> Refused {
    match errno {
        Errno::NOENT => Refused::new("not-found", format!("{path:?} is not there")),
        Errno::XDEV => Refused::denied(format!("{path:?} leads out of the granted path by a link")),
        Errno::LOOP => Refused::denied(format!("{path:?} goes through a link that is not followed")),
        Errno::NOTDIR => Refused::invalid(format!("{path:?} is not a directory, or goes through a file")),
        other => Refused::new("failed", format!("{path:?} cannot be opened: {}", plain(other))),
    }
}

/// An error of the system in its own words, without its number.
pub(super) fn plain(errno: Errno) -> String {
    let text = std::io::Error::from(errno).to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use super::*;

    /// `granted/{file,folder/file,inside -> folder,out -> ../outside}` and `outside/file`.
    fn tree() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let granted = dir.path().join("granted");
        fs::create_dir_all(granted.join("folder")).unwrap();
        fs::create_dir(dir.path().join("outside")).unwrap();
        for file in ["granted/file", "granted/folder/file", "outside/file"] {
            fs::write(dir.path().join(file), "x").unwrap();
        }
        symlink("folder", granted.join("inside")).unwrap();
        symlink("../outside", granted.join("out")).unwrap();
        symlink(dir.path().join("outside"), granted.join("far-out")).unwrap();
        symlink("../outside/file", granted.join("file-out")).unwrap();
        (dir, granted)
    }

    fn kind(root: &Path, below: &str) -> String {
        let path = root.join(below);
        open(root, path.to_str().unwrap(), OFlags::RDONLY).map_or_else(|refused| refused.kind, |_| "opened".into())
    }

    fn walked(root: &Path, below: &str, flags: OFlags) -> Result<(), Errno> {
        let root = openat(CWD, root, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
        walk(root, Path::new(below), flags).map(drop)
    }

    #[test]
    fn what_lies_inside_is_opened_also_by_a_link() {
        let (dir, granted) = tree();
        for below in ["", "file", "folder/file", "inside/file"] {
            assert_eq!(kind(&granted, below), "opened", "{below}");
        }
        assert_eq!(kind(&granted, "none"), "not-found");
        assert_eq!(kind(&granted, "file/below"), "invalid");
        // The operator's own path may be a link.
        symlink("granted", dir.path().join("alias")).unwrap();
        assert_eq!(kind(&dir.path().join("alias"), "folder/file"), "opened");
    }

    #[test]
    fn a_link_out_of_a_granted_directory_is_refused() {
        let (_dir, granted) = tree();
        for below in ["out", "out/file", "far-out/file", "file-out"] {
            assert_eq!(kind(&granted, below), "denied", "{below}");
        }
    }

    #[test]
    fn the_kernels_own_links_are_refused_even_where_proc_is_granted() {
        let here = std::env::current_dir().unwrap();
        let below = format!("self/root{}", here.display());
        assert!(fs::metadata(Path::new("/proc").join(&below)).is_ok(), "the link leads there, if it is followed");
        assert_eq!(kind(Path::new("/proc"), &below), "denied");
        assert_eq!(kind(Path::new("/proc"), "self/cwd"), "denied");
        assert_eq!(kind(Path::new("/"), "proc/self/root/etc"), "denied");
    }

    #[test]
    fn without_the_kernels_help_no_link_is_followed() {
        let (_dir, granted) = tree();
        for flags in [OFlags::RDONLY, OFlags::PATH] {
            assert_eq!(walked(&granted, "folder/file", flags), Ok(()));
            for below in ["out/file", "inside/file", "file-out", "out"] {
                assert!(matches!(walked(&granted, below, flags), Err(Errno::LOOP | Errno::NOTDIR)), "{below}");
            }
            assert_eq!(walked(&granted, "folder/../file", flags), Err(Errno::XDEV));
            assert!(walked(Path::new("/proc"), "self/root/etc", flags).is_err());
        }
    }
}
