//! A folder for one test, and the promise that nothing of it stays behind.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs, io};

use process_wrap::std::{ChildWrapper, CommandWrap, ProcessSession};
use tempfile::TempDir;

/// A temporary folder with a watchdog.
///
/// When it is dropped, or when the test process ends in whatever way (`kill -9` too), every process whose command line names
/// the folder is killed and the folder is removed. So: whatever a test starts must have the folder's path in its arguments.
/// `RUNNER_KEEP_SCRATCH=1` keeps the folder (not the processes), to look at after a failure.
pub struct Scratch {
    path: PathBuf,
    watchdog: Box<dyn ChildWrapper>,
}

/// Waits for the end of its standard input, which comes when the test process is gone. grep is told the folder by its standard
/// input: named in its arguments, it would find itself. Several passes, since a dying process may have forked. What it reads are names of
/// groups of control groups, which can be removed when nothing runs in them any more.
const WATCHDOG: &str = r#"
groups=
while read -r line; do groups="$groups $line"; done
pass=0
while [ $pass -lt 50 ]; do
  found=$(printf '%s\n' "$SCRATCH" | grep -alsF -f - /proc/[0-9]*/cmdline)
  # Not its status: that is an error as soon as one process has ended meanwhile.
  [ -n "$found" ] || break
  for line in $found; do
    process=${line#/proc/}
    kill -9 "${process%/cmdline}"
  done
  # What was in the middle of a write ends when that is done.
  [ $pass = 0 ] || sleep 0.1
  pass=$((pass + 1))
done
for group in $groups; do
  for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/*; do
    pass=0
    while [ -d "$hierarchy/$group" ] && [ $pass -lt 50 ]; do
      find "$hierarchy/$group" -depth -type d -exec rmdir {} + || sleep 0.1
      pass=$((pass + 1))
    done
  done
done
[ -n "$KEEP" ] || rm -rf "$SCRATCH"
"#;

impl Scratch {
    /// Makes the folder and starts its watchdog.
    pub fn new() -> Self {
        let path = TempDir::with_prefix("runner-test-").expect("a temporary folder").keep();
        let path = path.canonicalize().expect("it was just made");
        let watchdog = watch(&path).expect("sh runs");
        Self { path, watchdog }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes this folder from every hierarchy of control groups at the end, with those in it.
    pub(crate) fn ends_with_control_group(&mut self, name: &str) {
        let watchdog = self.watchdog.stdin().as_mut().expect("it reads until the end");
        writeln!(watchdog, "{name}").expect("it reads until the end");
    }

    /// A path in the folder.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file in the folder, with the folders on its way, and gives its path.
    pub fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        fs::create_dir_all(path.parent().expect("a path in the folder")).expect("the folder can be written");
        fs::write(&path, content).expect("the folder can be written");
        path
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(self.watchdog.stdin().take());
        let _ = self.watchdog.wait();
    }
}

fn watch(path: &Path) -> io::Result<Box<dyn ChildWrapper>> {
    let mut command = Command::new("sh");
    command.args(["-c", WATCHDOG]).current_dir("/");
    command.env("SCRATCH", path).env("KEEP", env::var_os("RUNNER_KEEP_SCRATCH").unwrap_or_default());
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // In its own session: Ctrl-C ends the tests, not the watchdog.
    CommandWrap::from(command).wrap(ProcessSession).spawn()
}
