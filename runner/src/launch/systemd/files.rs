//! The two files on the disk: whose they are, writing and removing them.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::OFlags;

use super::unit::Files;
use crate::Problem;
use crate::launch::mark::{self, MARK};
use crate::launch::{data_dir, refuse};
use crate::pipeline::Identity;

/// Where a unit's files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Paths {
    pub(super) unit: PathBuf,
    /// Beside it, with everything that is specific to this node.
    pub(super) environment: PathBuf,
}

impl Paths {
    /// Refuses a name that systemd would not take.
    pub(super) fn of(dir: &Path, name: &str) -> Result<Self, Problem> {
        let usable = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || name.starts_with('.') || name.len() > 200 || !name.chars().all(usable) {
            let hint = "use letters, digits, `-`, `_` and `.`; `.service` is added";
            return Err(refuse(format!("{name:?} cannot be the name of a unit"), &[hint]));
        }
        Ok(Self { unit: dir.join(format!("{name}.service")), environment: dir.join(format!("{name}.env")) })
    }

    /// Refuses files of somebody else at their places, and a folder where they could not be written.
    pub(super) fn check(&self) -> Result<(), Problem> {
        let folder = self.unit.parent().unwrap_or(Path::new("/"));
        if !folder.is_dir() {
            let hint = "units are read from /etc/systemd/system; give --unit-dir only where yours are elsewhere";
            return Err(refuse(format!("there is no folder {}", folder.display()), &[hint]));
        }
        data_dir::writable(folder)?;
        for path in [&self.unit, &self.environment] {
            ours(path)?;
        }
        Ok(())
    }

    /// When the unit was written; none where there is none of ours.
    pub(super) fn since(&self) -> Option<SystemTime> {
        ours(&self.unit).ok().flatten()
    }

    /// Whose the unit is, by its first line; none where there is none of ours, or one that names no ids.
    pub(super) fn identity(&self) -> Option<Identity> {
        self.since()?;
        mark::identity(&fs::read_to_string(&self.unit).ok()?)
    }

    /// Writes both, each whole or not at all.
    pub(super) fn write(&self, files: &Files) -> Result<(), Problem> {
        // The environment first: a unit without it would start a member of its own.
        place(&self.environment, &files.environment)?;
        place(&self.unit, &files.unit)
    }

    /// Removes both where they are ours; nothing to remove is success.
    pub(super) fn remove(&self) -> Result<(), Problem> {
        for path in [&self.unit, &self.environment] {
            if ours(path)?.is_some() {
                fs::remove_file(path).map_err(|e| refuse(format!("cannot remove {}: {e}", path.display()), &[]))?;
            }
        }
        Ok(())
    }
}

/// When the file was written, where runner did; none where there is none; refuses what somebody else wrote. Follows no link.
fn ours(path: &Path) -> Result<Option<SystemTime>, Problem> {
    let name = path.display();
    let foreign = |what: &str| {
        let hint = "give the unit another name with --unit-name, or remove it if nobody needs it";
        refuse(format!("{name} is {what}"), &[hint])
    };
    let cannot = |e: std::io::Error| refuse(format!("cannot read {name}: {e}"), &[]);
    let found = match path.symlink_metadata() {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot(error)),
    };
    if !found.is_file() {
        return Err(foreign("a symbolic link, or no file"));
    }
    let mut options = OpenOptions::new();
    let file = options.read(true).custom_flags(OFlags::NOFOLLOW.bits() as i32).open(path).map_err(cannot)?;
    let mut begin = Vec::new();
    file.take(MARK.len() as u64).read_to_end(&mut begin).map_err(cannot)?;
    match begin == MARK.as_bytes() {
        true => found.modified().map(Some).map_err(cannot),
        false => Err(foreign("not written by runner")),
    }
}

/// Mode 0600: an environment may hold secrets, and systemd reads it as root.
fn place(path: &Path, text: &str) -> Result<(), Problem> {
    let cannot = |e: std::io::Error| refuse(format!("cannot write {}: {e}", path.display()), &[]);
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    // systemd reads only what ends like a unit.
    name.push(".new");
    let unfinished = path.with_file_name(name);
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(cannot(error)),
        _ => {}
    }
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    };
    write().map_err(|error| {
        let _ = fs::remove_file(&unfinished);
        cannot(error)
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn files(text: &str) -> Files {
        Files { unit: format!("{MARK}{text}\n"), environment: format!("{MARK}{text}\n") }
    }

    #[test]
    fn both_are_written_replaced_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::of(folder.path(), "etcd").unwrap();
        paths.check().unwrap();
        assert_eq!(paths.since(), None);
        paths.write(&files("n1")).unwrap();
        paths.write(&files("n2")).unwrap();
        assert!(paths.since().is_some());
        assert_eq!(fs::read_to_string(&paths.unit).unwrap(), format!("{MARK}n2\n"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        paths.remove().unwrap();
        paths.remove().unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_somebody_else_wrote_is_refused_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::of(folder.path(), "etcd").unwrap();
        fs::write(&paths.unit, "[Service]\n").unwrap();
        let said = format!("{} is not written by runner", paths.unit.display());
        assert_eq!(paths.check().unwrap_err().message, said);
        assert_eq!(paths.remove().unwrap_err().message, said);
        fs::remove_file(&paths.unit).unwrap();
        symlink("/elsewhere", &paths.environment).unwrap();
        assert!(paths.check().unwrap_err().message.ends_with("is a symbolic link, or no file"));
        assert_eq!(
            Paths::of(&folder.path().join("no"), "etcd").unwrap().check().unwrap_err().message,
            format!("there is no folder {}/no", folder.path().display())
        );
        for name in ["", ".hidden", "a/b", "a b", "../x"] {
            assert!(Paths::of(folder.path(), name).is_err(), "{name}");
        }
    }
}
