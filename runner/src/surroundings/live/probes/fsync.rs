//! How long small synchronous writes take: what etcd's write-ahead log will see of a disk.

use std::fs::File;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngCore as _, SeedableRng as _};
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Dir, FallocateFlags, FlockOperation, Mode, OFlags, fallocate, flock, openat, unlinkat};
use rustix::io::Errno;

use super::beneath::plain;
use super::latency;
use crate::surroundings::{Latency, Refused};

/// etcd's usual record, by its documentation on disks ("fio … --bs=2300").
const RECORD: usize = 2300;

/// How long it may take in all. Longer than a call may take by default: the call's own limit is told better.
const LONGEST: Duration = Duration::from_secs(60);

/// What our files are named like, with a random number after it.
const PREFIX: &str = ".runner-fsync-";

/// How many names of a directory are looked at for what was left there.
const LOOKED_AT: usize = 10_000;

/// A file of our own that goes with this value.
///
/// It has a name while it is written: some file systems (btrfs) do not sync a file without one, and would look faster than they are.
struct OwnFile<'a> {
    directory: &'a OwnedFd,
    name: String,
    file: File,
}

/// Writes and syncs this many records in a new file in the directory, and removes the file, however it ends.
///
/// The space is reserved first, as etcd does it, so that the writes alone are measured. `name` is the directory's, for messages.
pub(super) fn measure(directory: OwnedFd, name: &str, writes: u32, stop: &AtomicBool) -> Result<Latency, Refused> {
    let failed = |what: &str, why: String| Refused::new("failed", format!("cannot {what} in {name:?}: {why}"));
    sweep(&directory);
    let mut own = OwnFile::new(&directory).map_err(|e| failed("make a file", plain(e)))?;
    match fallocate(&own.file, FallocateFlags::empty(), 0, u64::from(writes) * RECORD as u64) {
        Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => {}
        Err(errno) => return Err(failed("reserve space", plain(errno))),
    }
    let sync = |file: &File| file.sync_all().map_err(|e| failed("sync", e.to_string()));
    sync(&own.file)?;

    let record = [0x5a; RECORD];
    let mut times = Vec::with_capacity(writes as usize);
    let began = Instant::now();
    while times.len() < writes as usize {
        if stop.load(Ordering::Relaxed) || began.elapsed() > LONGEST {
            let done = times.len();
            return Err(Refused::new(
                "timeout",
                format!("{done} of {writes} writes were synced in {:.1?}", began.elapsed()),
            ));
        }
        let start = Instant::now();
        own.file.write_all(&record).and_then(|()| own.file.sync_data()).map_err(|e| failed("write", e.to_string()))?;
        times.push(start.elapsed());
    }
    Ok(latency::of(times))
}

impl<'a> OwnFile<'a> {
    fn new(directory: &'a OwnedFd) -> Result<Self, Errno> {
        loop {
            let name = format!("{PREFIX}{:016x}", StdRng::from_os_rng().next_u64());
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            match openat(directory, &name, flags, Mode::RUSR | Mode::WUSR) {
                Ok(file) => {
                    // Says to others' sweeps that somebody is at it. Where there are no locks nothing is swept either.
                    let _ = flock(&file, FlockOperation::NonBlockingLockExclusive);
                    return Ok(Self { directory, name, file: file.into() });
                }
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno),
            }
        }
    }
}

impl Drop for OwnFile<'_> {
    fn drop(&mut self) {
        let _ = unlinkat(self.directory, &self.name, AtFlags::empty());
    }
}

/// Removes what a killed runner left here: files of our name that nobody holds.
fn sweep(directory: &OwnedFd) {
    // A place is not yet a directory that can be read.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(entries) = openat(directory, ".", flags, Mode::empty()).and_then(Dir::new) else { return };
    for entry in entries.take(LOOKED_AT).flatten() {
        if !entry.file_name().to_bytes().starts_with(PREFIX.as_bytes()) {
            continue;
        }
        let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let Ok(left) = openat(directory, entry.file_name(), flags, Mode::empty()) else { continue };
        if flock(&left, FlockOperation::NonBlockingLockExclusive).is_ok() {
            let _ = unlinkat(directory, entry.file_name(), AtFlags::empty());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::surroundings::live::probes::beneath;

    fn open(path: &Path) -> OwnedFd {
        beneath::directory(path, path.to_str().unwrap()).unwrap()
    }

    fn names(path: &Path) -> Vec<String> {
        fs::read_dir(path).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn writes_are_timed_and_nothing_stays() {
        let dir = tempfile::tempdir().unwrap();
        let latency = measure(open(dir.path()), "here", 20, &AtomicBool::new(false)).unwrap();
        assert_eq!(latency.count, 20);
        assert!(latency.min_us <= latency.median_us && latency.median_us <= latency.p90_us);
        assert!(latency.p90_us <= latency.p99_us && latency.p99_us <= latency.max_us);
        assert_eq!(names(dir.path()), Vec::<String>::new());
    }

    #[test]
    fn whoever_is_told_to_stop_stops_and_cleans_up() {
        let dir = tempfile::tempdir().unwrap();
        let refused = measure(open(dir.path()), "here", 1000, &AtomicBool::new(true)).unwrap_err();
        assert_eq!(refused.kind, "timeout");
        assert_eq!(names(dir.path()), Vec::<String>::new());
    }

    #[test]
    fn what_a_killed_runner_left_is_swept_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(".runner-fsync-left"), "x").unwrap();
        fs::write(dir.path().join("wal"), "x").unwrap();
        let held = fs::File::create(dir.path().join(".runner-fsync-held")).unwrap();
        flock(&held, FlockOperation::NonBlockingLockExclusive).unwrap();
        measure(open(dir.path()), "here", 1, &AtomicBool::new(false)).unwrap();
        let mut left = names(dir.path());
        left.sort();
        assert_eq!(left, [".runner-fsync-held", "wal"]);
    }

    #[test]
    fn a_directory_that_takes_no_file_is_named() {
        // Nobody, root included, makes files there.
        let refused = measure(open(Path::new("/proc/self")), "/proc/self", 1, &AtomicBool::new(false)).unwrap_err();
        assert_eq!(refused.kind, "failed");
        assert!(refused.message.starts_with("cannot make a file in \"/proc/self\": "), "{refused}");
    }
}
