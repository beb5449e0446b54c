//! The member's data directory: what is in it, making it, emptying it.

use std::fs::{self, DirBuilder, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::wal::{self, WalError};
use super::{blocking, refuse};
use crate::Problem;
use crate::cluster::MemberId;
use crate::pipeline::{DataDir, Discard, Guarded, Identity};

/// Never a data directory, even where empty: a mistake here costs too much. The home directory is added to these.
const NEVER: &[&str] = &[
    "/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/mnt", "/opt", "/proc", "/root", "/run", "/sbin",
    "/srv", "/sys", "/tmp", "/usr", "/var", "/var/lib", "/var/log",
];

/// What mkfs leaves in the root of a disk: etcd's own disk, mounted as the data directory, is empty all the same.
const NOT_COUNTED: &str = "lost+found";

/// What etcd makes in its data directory: the member's data, and a file to try whether it may write.
const ETCDS: &[&str] = &["member", ".touch"];

/// The path as it is kept: absolute, and free of links and dots up to its last part.
pub(super) fn normal(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match (path.parent().map(Path::canonicalize), path.file_name()) {
        (Some(Ok(parent)), Some(name)) => parent.join(name),
        _ => path,
    }
}

/// [`inspect`], beside the runtime.
pub(super) async fn inspected(path: &Path) -> Result<DataDir, Problem> {
    let path = path.to_owned();
    blocking(move || inspect(&path)).await
}

/// [`size`], beside the runtime.
pub(super) async fn sized(path: &Path) -> u64 {
    let path = path.to_owned();
    blocking(move || size(&path)).await
}

/// What the directory holds. Follows no link.
pub(super) fn inspect(path: &Path) -> Result<DataDir, Problem> {
    match look(path)? {
        None => return Ok(DataDir::Absent),
        Some(found) if !found.is_dir() => {
            return Ok(DataDir::Foreign { what: if found.is_symlink() { "a symbolic link" } else { "a file" }.to_owned() });
        }
        Some(_) => {}
    }
    let names = names(path)?;
    if names.is_empty() {
        return Ok(DataDir::Empty);
    }
    if !names.iter().any(|name| name == "member") {
        return Ok(DataDir::Foreign { what: format!("no etcd data, but {}", some(&names)) });
    }
    Ok(match wal::read_header(&path.join("member/wal")) {
        Ok(header) => DataDir::Member { cluster_id: header.cluster_id, member_id: MemberId(header.member_id) },
        // What an etcd leaves that ended before it had a place in a cluster. Or data whose log is elsewhere: not to be touched.
        Err(WalError::None) => DataDir::Foreign { what: "etcd data without a write-ahead log".to_owned() },
        Err(error) => DataDir::Foreign { what: format!("etcd data, but {error}") },
    })
}

/// Whose the data in a directory is, for one member that asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// Nobody's: there is none, or no more than an etcd writes before it has a log.
    Nobodys,
    /// That member's.
    Its,
    /// Another member's, or not to be told. Says what is there, as a clause.
    Others(String),
}

/// [`claim`], beside the runtime.
pub(super) async fn claimed(path: &Path, whose: &Identity) -> Result<Claim, Problem> {
    let (path, whose) = (path.to_owned(), *whose);
    blocking(move || claim(&path, &whose)).await
}

/// Looks whose the data is. A log that is elsewhere (`--wal-dir`) tells nothing, so such data is never taken for this member's.
fn claim(path: &Path, whose: &Identity) -> Result<Claim, Problem> {
    let name = path.display();
    Ok(match inspect(path)? {
        DataDir::Absent | DataDir::Empty => Claim::Nobodys,
        DataDir::Member { cluster_id, member_id } if (Identity { cluster_id, member_id }) == *whose => Claim::Its,
        DataDir::Member { cluster_id, member_id } => {
            Claim::Others(format!("{name} holds the data of member {member_id} of cluster {cluster_id:x}"))
        }
        DataDir::Foreign { .. } if unborn(path)? => Claim::Nobodys,
        DataDir::Foreign { what } => Claim::Others(format!("{name} holds {what}")),
        DataDir::Unknown => Claim::Others(format!("{name} cannot be seen from here")),
    })
}

/// Whether there is no more in it than etcd writes before its log: a database without the tables of a member, and no snapshot
/// (`bootstrapBackend` comes before the log in server/etcdserver/bootstrap.go). A member whose log is elsewhere has its tables.
fn unborn(path: &Path) -> Result<bool, Problem> {
    if !look(path)?.is_some_and(|found| found.is_dir()) {
        return Ok(false);
    }
    let member = path.join("member");
    match look(&member)? {
        None => return Ok(true),
        Some(found) if !found.is_dir() => return Ok(false),
        Some(_) => {}
    }
    match wal::read_header(&member.join("wal")) {
        Err(WalError::None) => {}
        _ => return Ok(false),
    }
    let snap = member.join("snap");
    if look(&snap)?.is_none() {
        return Ok(true);
    }
    let database = snap.join("db");
    if names(&snap)?.iter().any(|name| name != "db") || size(path) > LARGEST_UNBORN {
        return Ok(false);
    }
    match fs::read(&database) {
        Ok(bytes) => Ok(!bytes.windows(TABLE.len()).any(|window| window == TABLE)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Err(error) => Err(refuse(format!("cannot read {}: {error}", database.display()), &[])),
    }
}

/// A bucket that every member has from its start on (`MembersRemoved`, server/storage/schema/bucket.go; 3.4:
/// etcdserver/api/membership/store.go), and a database from before that has not. Seen on 3.4 to 3.7: `tests/e2e/tests/engine/launch.rs`.
const TABLE: &[u8] = b"members_removed";

/// A new database's file has 16 MiB from 3.5 on, since bbolt makes it that large at once; one that is larger is not read for it.
const LARGEST_UNBORN: u64 = 20 << 20;

/// Refuses a path that must not be anybody's data directory, or is not ours to use. Says nothing about what is in it.
pub(super) fn guard(path: &Path) -> Result<(), Problem> {
    let name = path.display();
    let home = std::env::var_os("HOME").map(|home| normal(Path::new(&home)));
    if path.file_name().is_none() || NEVER.iter().any(|never| path == Path::new(never)) || home.is_some_and(|h| h == path) {
        return Err(refuse(
            format!("{name} cannot be a data directory"),
            &["give a directory of its own, /var/lib/etcd for example"],
        ));
    }
    let Some(found) = look(path)? else { return Ok(()) };
    if found.is_symlink() {
        return Err(refuse(format!("{name} is a symbolic link"), &["give the directory that it points to"]));
    }
    if !found.is_dir() {
        return Err(refuse(format!("{name} is not a directory"), &[]));
    }
    let me = rustix::process::geteuid().as_raw();
    if found.uid() != me {
        let hint = "run as that user, or give the directory to this one with chown";
        return Err(refuse(format!("{name} belongs to user {}, not to user {me}", found.uid()), &[hint]));
    }
    Ok(())
}

/// Refuses a file or directory that could not be made or written at this path. Changes nothing.
pub(super) fn writable(path: &Path) -> Result<(), Problem> {
    let there = path.ancestors().find(|p| p.symlink_metadata().is_ok()).unwrap_or(Path::new("/"));
    let want = if there.is_dir() { Access::WRITE_OK | Access::EXEC_OK } else { Access::WRITE_OK };
    if !there.is_dir() && there != path {
        return Err(refuse(format!("cannot make {}: {} is not a directory", path.display(), there.display()), &[]));
    }
    access(there, want).map_err(|e| refuse(format!("cannot write to {}: {}", there.display(), std::io::Error::from(e)), &[]))
}

/// Makes the directory with mode 0700, and those on its way; tells whether it was missing.
pub(super) fn ensure(path: &Path) -> Result<bool, Problem> {
    let cannot = |e: std::io::Error| refuse(format!("cannot make {}: {e}", path.display()), &[]);
    if look(path)?.is_some() {
        return Ok(false);
    }
    if let Some(parent) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(cannot)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(cannot(error)),
    }
}

/// Removes or moves this member's data, and nobody else's; see [`discard`] and [`set_aside`].
pub(super) fn discard_its(path: &Path, whose: &Identity, how: Discard) -> Result<Guarded<Option<PathBuf>>, Problem> {
    if let Claim::Others(what) = claim(path, whose)? {
        return Ok(Guarded::NotOurs(what));
    }
    if how.keep { set_aside(path, how.folder) } else { discard(path, how.folder).map(|()| None) }.map(Guarded::Done)
}

/// Removes what etcd writes into its data directory, and with `folder` the directory. What else is in there stays, and then the
/// directory does too, with an error. Directories above it stay. Nothing to remove is success; follows no link.
pub(super) fn discard(path: &Path, folder: bool) -> Result<(), Problem> {
    guard(path)?;
    if look(path)?.is_none() {
        return Ok(());
    }
    for name in ETCDS {
        let doomed = path.join(name);
        let removed = match look(&doomed)? {
            None => Ok(()),
            Some(found) if found.is_symlink() => {
                return Err(refuse(format!("{} is a symbolic link: not removed", doomed.display()), &[]));
            }
            Some(found) if found.is_dir() => fs::remove_dir_all(&doomed),
            Some(_) => fs::remove_file(&doomed),
        };
        removed.map_err(|e| refuse(format!("cannot remove {}: {e}", doomed.display()), &[]))?;
    }
    if !folder {
        return Ok(());
    }
    let left = names(path)?;
    if !left.is_empty() {
        return Err(refuse(format!("{} also holds {}, which is not etcd's: not removed", path.display(), some(&left)), &[]));
    }
    fs::remove_dir(path).map_err(|e| refuse(format!("cannot remove {}: {e}", path.display()), &[]))
}

/// Puts what etcd has written aside, into `<path>.undone-<time>` beside the directory, and with `folder` removes the directory;
/// tells where it is now. What [`discard`] leaves stays here too.
///
/// Only the newest is kept: a join that is tried again and again must not fill the disk. Where the directory is a file system of its own
/// there is no room beside it, and a copy of a database may not fit anywhere: then the data is removed, and nothing is told.
fn set_aside(path: &Path, folder: bool) -> Result<Option<PathBuf>, Problem> {
    guard(path)?;
    let member = path.join("member");
    let aside = match look(&member)? {
        Some(found) if found.is_dir() => beside(path),
        _ => None,
    };
    if let Some(aside) = &aside {
        let cannot =
            |e: std::io::Error| refuse(format!("cannot move {} to {}: {e}", member.display(), aside.display()), &[]);
        let older = put_aside_before(path);
        DirBuilder::new().mode(0o700).create(aside).map_err(cannot)?;
        if let Err(error) = fs::rename(&member, aside.join("member")) {
            let _ = fs::remove_dir(aside);
            if error.kind() != ErrorKind::CrossesDevices {
                return Err(cannot(error));
            }
            return discard(path, folder).map(|()| None);
        }
        for old in older {
            if let Err(error) = fs::remove_dir_all(&old) {
                tracing::warn!("an older copy stays at {}: {error}", old.display());
            }
        }
    }
    discard(path, folder).map(|()| aside)
}

/// What earlier undos have put aside: directories of that name with a member's data in them and nothing else.
fn put_aside_before(path: &Path) -> Vec<PathBuf> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Vec::new();
    };
    let prefix = format!("{name}.undone-");
    let named = |entry: &fs::DirEntry| entry.file_name().to_str().is_some_and(|name| name.starts_with(&prefix));
    let entries = fs::read_dir(parent).into_iter().flatten().flatten().filter(named).map(|entry| entry.path());
    entries
        .filter(|path| look(path).is_ok_and(|found| found.is_some_and(|found| found.is_dir())))
        .filter(|path| names(path).is_ok_and(|names| names == ["member"]))
        .collect()
}

/// A name beside the directory that nobody has.
fn beside(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let time = crate::clock::now().strftime("%Y%m%dT%H%M%S.%3fZ");
    Some(path.with_file_name(format!("{name}.undone-{time}")))
}

/// Bytes of the database and of snapshots that come in; zero where there is none. What cannot be read, or goes away meanwhile, is
/// not counted. Neither is the write-ahead log: etcd makes its files 64 MB large before there is anything in them.
pub(super) fn size(path: &Path) -> u64 {
    files(&path.join("member/snap"))
}

fn files(path: &Path) -> u64 {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let sizes = entries.filter_map(|entry| {
        let found = entry.metadata().ok()?;
        Some(if found.is_dir() { files(&entry.path()) } else { found.len() })
    });
    sizes.sum()
}

fn look(path: &Path) -> Result<Option<Metadata>, Problem> {
    match path.symlink_metadata() {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(refuse(format!("cannot look at {}: {error}", path.display()), &[])),
    }
}

fn names(path: &Path) -> Result<Vec<String>, Problem> {
    let cannot = |e: std::io::Error| refuse(format!("cannot read {}: {e}", path.display()), &[]);
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(cannot)? {
        names.push(entry.map_err(cannot)?.file_name().to_string_lossy().into_owned());
    }
    names.retain(|name| name != NOT_COUNTED);
    names.sort();
    Ok(names)
}

fn some(names: &[String]) -> String {
    match names {
        [] => "nothing".to_owned(),
        [one] => format!("`{one}`"),
        [one, rest @ ..] => format!("`{one}` and {} more", rest.len()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn made(files: &[&str]) -> (tempfile::TempDir, PathBuf) {
        let above = tempfile::tempdir().unwrap();
        let dir = normal(&above.path().join("data"));
        fs::create_dir(&dir).unwrap();
        for file in files {
            let path = dir.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        (above, dir)
    }

    fn foreign(files: &[&str]) -> String {
        let (_above, dir) = made(files);
        match inspect(&dir).unwrap() {
            DataDir::Foreign { what } => what,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_put_aside_is_whole_and_leaves_the_directory_as_it_was() {
        for folder in [true, false] {
            let (above, dir) = made(&["member/wal/0.wal", "member/snap/db"]);
            let aside = set_aside(&dir, folder).unwrap().expect("it tells where");
            assert_eq!(aside.parent(), dir.parent());
            assert!(aside.file_name().unwrap().to_string_lossy().starts_with("data.undone-"), "{}", aside.display());
            assert!(aside.join("member/snap/db").is_file());
            assert_eq!(fs::metadata(&aside).unwrap().permissions().mode() & 0o777, 0o700);
            assert_eq!(inspect(&dir).unwrap(), if folder { DataDir::Absent } else { DataDir::Empty });
            // Nothing to put aside is told as nothing, and leaves nothing.
            assert_eq!(set_aside(&dir, folder).unwrap(), None);
            assert_eq!(fs::read_dir(above.path()).unwrap().count(), if folder { 1 } else { 2 });
        }
        // A link in the data's place is not followed.
        let (above, dir) = made(&[]);
        symlink(above.path(), dir.join("member")).unwrap();
        assert!(set_aside(&dir, true).unwrap_err().message.ends_with("is a symbolic link: not removed"));
    }

    #[test]
    fn what_is_not_a_members_data_is_said() {
        assert_eq!(inspect(Path::new("/no/such/dir")).unwrap(), DataDir::Absent);
        let (_above, dir) = made(&["lost+found/x"]);
        assert_eq!(inspect(&dir).unwrap(), DataDir::Empty);
        assert_eq!(foreign(&["b", "a", "c"]), "no etcd data, but `a` and 2 more");
        assert_eq!(foreign(&["member/snap/db"]), "etcd data without a write-ahead log");
        let what = foreign(&["member/wal/0000000000000000-0000000000000000.wal"]);
        assert_eq!(what, "etcd data, but the write-ahead log's header is damaged: it is cut short");
    }

    #[test]
    fn dangerous_directories_are_refused() {
        let message = |path: &Path| guard(path).unwrap_err().message;
        assert_eq!(message(Path::new("/")), "/ cannot be a data directory");
        assert_eq!(message(Path::new("/var/lib")), "/var/lib cannot be a data directory");
        assert_eq!(message(Path::new("/a/..")), "/a/.. cannot be a data directory");
        if let Some(home) = std::env::var_os("HOME") {
            assert!(guard(&normal(Path::new(&home))).is_err());
        }
        let (above, dir) = made(&["a"]);
        assert_eq!(guard(&dir), Ok(()));
        let link = normal(&above.path().join("link"));
        symlink(&dir, &link).unwrap();
        assert!(message(&link).ends_with("is a symbolic link"));
        assert!(matches!(inspect(&link).unwrap(), DataDir::Foreign { what } if what == "a symbolic link"));
        assert!(message(&dir.join("a")).ends_with("is not a directory"));
    }

    #[test]
    fn another_users_directory_is_refused() {
        // The kernel's own: root's where we are not root, and where we are, one that was given away.
        let (_above, dir) = made(&[]);
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&dir, Some(12345), None).unwrap();
            assert!(guard(&dir).unwrap_err().message.ends_with("belongs to user 12345, not to user 0"));
        } else {
            assert!(guard(Path::new("/proc/sys")).unwrap_err().message.contains("belongs to user 0"));
        }
    }

    #[test]
    fn a_new_directory_is_private_and_can_be_discarded() {
        let above = tempfile::tempdir().unwrap();
        let dir = normal(&above.path().join("a/b"));
        assert_eq!(writable(&dir), Ok(()));
        assert!(ensure(&dir).unwrap());
        assert!(!ensure(&dir).unwrap());
        assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(discard(&dir, true), Ok(()));
        assert!(!dir.exists() && dir.parent().unwrap().exists());
        assert_eq!(discard(&dir, true), Ok(()), "twice is once");
    }

    #[test]
    fn only_what_etcd_wrote_is_discarded() {
        let (_above, dir) = made(&["member/snap/db", "member/wal/x.wal", "precious"]);
        assert_eq!(size(&dir), 1, "the log's preallocated files are not counted");
        let message = discard(&dir, true).unwrap_err().message;
        assert!(message.ends_with("also holds `precious`, which is not etcd's: not removed"), "{message}");
        assert!(dir.join("precious").exists() && !dir.join("member").exists());
        assert_eq!(discard(&dir, false), Ok(()));
    }

    #[test]
    fn discarding_follows_no_link() {
        let (_other, elsewhere) = made(&["member/snap/db"]);
        let (_above, dir) = made(&["member/snap/db"]);
        symlink(&elsewhere, dir.join("member/wal")).unwrap();
        assert_eq!(discard(&dir, false), Ok(()));
        symlink(elsewhere.join("member"), dir.join("member")).unwrap();
        assert!(discard(&dir, true).unwrap_err().message.ends_with("is a symbolic link: not removed"));
        assert!(elsewhere.join("member/snap/db").exists());
    }
}
