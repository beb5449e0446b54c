//! Finding the member's process by what it is, and ending it.
//!
//! There is no file with a process id: it would lie after a reboot, and be missing after a `kill -9` between start and note.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::io::Errno;
use rustix::param::clock_ticks_per_second;
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitIdStatus, pidfd_open, pidfd_send_signal, waitid};
use rustix::time::{ClockId, clock_gettime};
use tokio::io::unix::AsyncFd;

use super::refuse;
use crate::Problem;
use crate::pipeline::Identity;

/// The variable that runner sets for a member which it starts: before it has a log, nothing else tells whose the process is.
pub(super) const MARK: &str = "RUNNER_MEMBER";

/// How long it may take to end by itself: a leader hands over first, a follower syncs its database.
const GENTLE: Duration = Duration::from_secs(10);

/// How long the kernel may take to end it. Only a process that hangs in a disk's driver needs longer.
const HARD: Duration = Duration::from_secs(10);

/// A process, held so that its id cannot come to mean another one.
pub(super) struct Process {
    pid: Pid,
    handle: AsyncFd<OwnedFd>,
}

/// The mark of this member's process.
pub(super) fn mark(whose: &Identity) -> String {
    format!("{} of cluster {:x}", whose.member_id, whose.cluster_id)
}

/// The ids of every living etcd that uses this data directory, whoever started it. A dead one that nobody has waited for
/// (a zombie) has no command line and is not among them.
pub(super) fn find(data_dir: &Path, program: &Path) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
    ids.filter(|pid| uses(*pid, data_dir, program)).collect()
}

/// The arguments of every living process of this program, itself first.
pub(super) fn arguments(program: &str) -> Vec<Vec<String>> {
    of_program(program).into_iter().map(|(_, arguments)| arguments).collect()
}

/// The processes of this program, as folders of /proc, that are of this machine as runner sees it: those in containers with processes of their
/// own are not.
fn of_program(program: &str) -> Vec<(PathBuf, Vec<String>)> {
    let namespace = |folder: &Path| fs::read_link(folder.join("ns/pid")).ok();
    let own = namespace(Path::new("/proc/self"));
    // What may not be looked at counts.
    let is_here = |folder: &Path| namespace(folder).is_none_or(|theirs| own.as_ref().is_none_or(|own| *own == theirs));
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.path());
    let with_arguments = entries.map(|folder| {
        let line = fs::read(folder.join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        (folder, line.split_terminator('\0').map(str::to_owned).collect::<Vec<_>>())
    });
    let is_it = |arguments: &[String]| {
        arguments.first().is_some_and(|first| Path::new(first).file_name().is_some_and(|name| name == program))
    };
    with_arguments.filter(|(folder, arguments)| is_it(arguments) && is_here(folder)).collect()
}

/// When every living process of this program was started, whoever did it; to 10 ms.
pub(super) fn started(program: &str) -> Vec<SystemTime> {
    let (now, up) = both_clocks();
    let began = |folder: PathBuf| {
        let stat = fs::read_to_string(folder.join("stat")).ok()?;
        // The program's name is in parentheses and may hold anything; the start, in ticks since the boot, is the 22nd field of proc(5).
        let ticks: u64 = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
        let since_boot = Duration::from_millis(ticks * 1000 / clock_ticks_per_second());
        Some(now - up.checked_sub(since_boot)?)
    };
    of_program(program).into_iter().filter_map(|(folder, _)| began(folder)).collect()
}

/// The time of day and the time since the boot at one moment: of several readings the one with the least between. What is between makes a start
/// look earlier than it was, never later.
fn both_clocks() -> (SystemTime, Duration) {
    let since_boot = || {
        let boot = clock_gettime(ClockId::Boottime);
        Duration::new(boot.tv_sec.unsigned_abs(), u32::try_from(boot.tv_nsec).unwrap_or(0))
    };
    let read = |_| {
        let (before, now, after) = (since_boot(), SystemTime::now(), since_boot());
        (after.saturating_sub(before), now, after)
    };
    let (_, now, up) = (1..10).map(read).fold(read(0), |best, other| if other.0 < best.0 { other } else { best });
    (now, up)
}

impl Process {
    /// Takes hold of it; none where it is gone or has become another one. Must be called within the runtime.
    pub(super) fn hold(pid: Pid, data_dir: &Path, program: &Path) -> Result<Option<Self>, Problem> {
        let cannot = |e: std::io::Error| refuse(format!("cannot watch the member's process {pid}: {e}"), &[]);
        let handle = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(handle) => handle,
            Err(Errno::SRCH) => return Ok(None),
            Err(error) => return Err(cannot(error.into())),
        };
        // Only now: from here on the id stays this process's.
        if !uses(pid, data_dir, program) {
            return Ok(None);
        }
        #[expect(
            deprecated,
            reason = "its successor is unsafe for types that could close the descriptor; an OwnedFd does not"
        )]
        let handle = AsyncFd::new(handle).map_err(cannot)?;
        Ok(Some(Self { pid, handle }))
    }

    /// Sends a signal. To a process that is gone: nothing.
    pub(super) fn signal(&self, signal: Signal) -> Result<(), Problem> {
        match pidfd_send_signal(self.handle.get_ref(), signal) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(Errno::PERM) => {
                let hint = "run as root, or as the user that etcd runs as";
                Err(refuse(format!("the member's etcd (process {}) belongs to another user", self.pid), &[hint]))
            }
            Err(error) => {
                let error = std::io::Error::from(error);
                Err(refuse(format!("cannot signal the member's etcd (process {}): {error}", self.pid), &[]))
            }
        }
    }

    /// Whether it was started by a runner for this member, by the mark in its environment. A process of another user cannot be asked.
    pub(super) fn marked(&self, whose: &Identity) -> bool {
        let wanted = format!("{MARK}={}", mark(whose));
        let environment = fs::read(format!("/proc/{}/environ", self.pid)).unwrap_or_default();
        environment.split(|b| *b == 0).any(|variable| variable == wanted.as_bytes())
    }

    /// Its process id, for messages.
    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// Waits until it has ended and let go of its files and ports.
    pub(super) async fn ended(&self) {
        // The handle becomes readable at the end and stays so. An error cannot come but with the runtime's own end.
        let _ = self.handle.readable().await;
    }

    /// How it ended, once it has; none where it is not a child of this process, or was waited for already.
    pub(super) fn status(&self) -> Option<WaitIdStatus> {
        let which = WaitId::PidFd(self.handle.get_ref().as_fd());
        waitid(which, WaitIdOptions::EXITED | WaitIdOptions::NOHANG).ok().flatten()
    }

    /// Asks it to end, and makes it end if it does not within 10 s.
    pub(super) async fn end(&self) -> Result<(), Problem> {
        self.signal(Signal::TERM)?;
        // A stopped process does not hear anything else.
        self.signal(Signal::CONT)?;
        if tokio::time::timeout(GENTLE, self.ended()).await.is_ok() {
            return Ok(());
        }
        tracing::warn!(pid = %self.pid, "etcd did not end within {} s of SIGTERM: SIGKILL", GENTLE.as_secs());
        self.signal(Signal::KILL)?;
        tokio::time::timeout(HARD, self.ended()).await.map_err(|_| {
            let hint = "it may hang in the kernel: look at the disk";
            refuse(format!("the member's etcd (process {}) did not end, not even after SIGKILL", self.pid), &[hint])
        })
    }
}

fn uses(pid: Pid, data_dir: &Path, program: &Path) -> bool {
    let proc = PathBuf::from(format!("/proc/{pid}"));
    let Ok(line) = fs::read(proc.join("cmdline")) else { return false };
    let arguments: Vec<String> = line.split(|b| *b == 0).map(|a| String::from_utf8_lossy(a).into_owned()).collect();
    if !arguments.first().is_some_and(|name| is_etcd(&proc, name, program)) {
        return false;
    }
    // As etcd does: a flag comes before the variable. (With `--config-file` it reads neither, and such an etcd is not seen here.)
    let theirs = data_dir_of(&arguments).map(str::to_owned).or_else(|| data_dir_variable(&proc));
    theirs.is_some_and(|theirs| same_dir(&proc, Path::new(&theirs), data_dir))
}

/// The value of `ETCD_DATA_DIR`, by which distributions' units and kubespray give it.
fn data_dir_variable(proc: &Path) -> Option<String> {
    let environment = fs::read(proc.join("environ")).ok()?;
    let value = environment.split(|b| *b == 0).find_map(|variable| variable.strip_prefix(b"ETCD_DATA_DIR="))?;
    Some(String::from_utf8_lossy(value).into_owned())
}

/// The value of `--data-dir`; the last, as etcd takes it.
fn data_dir_of(arguments: &[String]) -> Option<&str> {
    let mut found = None;
    let mut rest = arguments.iter().skip(1);
    while let Some(argument) = rest.next() {
        let Some(flag) = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-')) else { continue };
        if let Some(value) = flag.strip_prefix("data-dir=") {
            found = Some(value);
        } else if flag == "data-dir" {
            found = rest.next().map(String::as_str);
        }
    }
    found
}

/// A runner has a `--data-dir` too, and so has a child of it before it becomes etcd: the program's name decides.
fn is_etcd(proc: &Path, argument: &str, program: &Path) -> bool {
    let named_so = |path: &Path| {
        let name = path.file_name().unwrap_or_default();
        let text = name.to_string_lossy();
        program.file_name() == Some(name)
            || text
                .strip_prefix("etcd")
                .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphabetic() || c == '-') || release(rest))
    };
    named_so(Path::new(argument)) || fs::read_link(proc.join("exe")).is_ok_and(|exe| named_so(&exe))
}

/// What follows the name of a program that is a release of etcd: `-3.6`, `-v3.5.16`. `etcdctl`, `etcdutl`, `etcdbr` and
/// `etcd-backup-restore` are programs beside it, with a `--data-dir` of their own.
fn release(rest: &str) -> bool {
    rest.strip_prefix("-v")
        .or_else(|| rest.strip_prefix('-'))
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// Whether their path means our directory. In a container the same path is another directory, so the directory itself is
/// compared, as that process sees it.
fn same_dir(proc: &Path, theirs: &Path, ours: &Path) -> bool {
    let absolute = match theirs.is_absolute() {
        true => theirs.to_owned(),
        false => fs::read_link(proc.join("cwd")).unwrap_or_default().join(theirs),
    };
    let seen = proc.join("root").join(absolute.strip_prefix("/").unwrap_or(&absolute));
    let identity = |path: &Path| fs::metadata(path).map(|found| (found.dev(), found.ino()));
    match (identity(&seen), identity(ours)) {
        (Ok(a), Ok(b)) => a == b,
        // Removed under it, or not for us to look at: the name is all there is. Else the one is there and the other is not.
        (Err(a), Err(_)) if a.kind() == std::io::ErrorKind::NotFound => absolute == ours,
        (Err(a), _) if a.kind() == std::io::ErrorKind::PermissionDenied => absolute == ours,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_program_is_found_by_its_name_with_its_start() {
        let before = SystemTime::now();
        let folder = tempfile::tempdir().unwrap();
        // A name of its own, with what could be taken for the end of the name in `stat`.
        let program = folder.path().join("nap) 1 2");
        std::os::unix::fs::symlink("/bin/sleep", &program).unwrap();
        let mut child = Command::new(&program).arg("60").spawn().unwrap();
        // For a moment after `exec` it has no command line: the kernel releases the parent first.
        while fs::read(format!("/proc/{}/cmdline", child.id())).unwrap().is_empty() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let found = started("nap) 1 2");
        child.kill().unwrap();
        child.wait().unwrap();
        let &[start] = &*found else { panic!("{found:?}") };
        let early = before - Duration::from_millis(50);
        assert!(start >= early && start <= SystemTime::now(), "{start:?}, and not before {before:?}");
        assert!(started("nap) 1 2").is_empty());
    }

    #[test]
    fn the_data_directory_is_read_off_the_command_line() {
        let of = |line: &str| {
            let arguments: Vec<_> = line.split(' ').map(str::to_owned).collect();
            data_dir_of(&arguments).map(str::to_owned)
        };
        assert_eq!(of("etcd --data-dir=/a").as_deref(), Some("/a"));
        assert_eq!(of("etcd -data-dir /a --name x").as_deref(), Some("/a"));
        assert_eq!(of("etcd --data-dir=/a --data-dir=/b").as_deref(), Some("/b"));
        assert_eq!(of("etcd --data-dir"), None);
        assert_eq!(of("etcd --data-dir2=/a --name data-dir=/b"), None);
        assert_eq!(of(""), None);
    }

    /// A shell under another name stands for programs that are and are not etcd.
    fn pretend(name: &str, folder: &Path, data_dir: &str) -> std::process::Child {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "read -r line", "sh", &format!("--data-dir={data_dir}")]);
        std::os::unix::process::CommandExt::arg0(&mut command, folder.join(name));
        command.current_dir(folder).stdin(Stdio::piped()).spawn().unwrap()
    }

    #[test]
    fn an_etcd_that_is_told_its_directory_by_a_variable_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let data = super::super::data_dir::normal(&folder.path().join("data"));
        fs::create_dir(&data).unwrap();
        let started = |name: &str| {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", "read -r line"]).env("ETCD_DATA_DIR", &data).stdin(Stdio::piped());
            std::os::unix::process::CommandExt::arg0(&mut command, folder.path().join(name));
            command.spawn().unwrap()
        };
        let (mut etcd, mut other) = (started("etcd"), started("etcdctl"));
        let (pid, until) = (Pid::from_child(&etcd), std::time::Instant::now() + Duration::from_secs(10));
        while find(&data, Path::new("/usr/bin/etcd")) != [pid] && std::time::Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        let found = find(&data, Path::new("/usr/bin/etcd"));
        for child in [&mut etcd, &mut other] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert_eq!(found, [pid]);
    }

    #[tokio::test]
    async fn only_an_etcd_on_exactly_this_directory_is_found_and_ended() {
        let folder = tempfile::tempdir().unwrap();
        let data = super::super::data_dir::normal(&folder.path().join("data"));
        let other = folder.path().join("data2");
        fs::create_dir(&data).unwrap();
        fs::create_dir(&other).unwrap();
        let program = Path::new("/usr/bin/etcd");
        let mut running = [
            pretend("runner", folder.path(), data.to_str().unwrap()),
            pretend("etcdctl", folder.path(), data.to_str().unwrap()),
            pretend("etcd-backup-restore", folder.path(), data.to_str().unwrap()),
            pretend("etcd", folder.path(), other.to_str().unwrap()),
        ];
        assert!(find(&data, program).is_empty());
        let mut ours = [pretend("etcd-3.6", folder.path(), data.to_str().unwrap()), pretend("etcd", folder.path(), "data")];
        // For a moment after its `exec` a process has no command line.
        let found = (0..1000).map(|_| find(&data, program)).find(|found| {
            std::thread::sleep(Duration::from_millis(5));
            found.len() == ours.len()
        });
        let found = found.expect("both are found");
        let expected: Vec<_> = ours.iter().map(Pid::from_child).collect();
        assert!(expected.iter().all(|pid| found.contains(pid)), "{found:?}, {expected:?}");
        for pid in found {
            let process = Process::hold(pid, &data, program).unwrap().unwrap();
            process.end().await.unwrap();
        }
        // Nobody has waited for them yet: they are zombies, and do not run.
        assert!(find(&data, program).is_empty());
        assert!(Process::hold(expected[0], &data, program).unwrap().is_none());
        for child in ours.iter_mut().chain(&mut running) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
