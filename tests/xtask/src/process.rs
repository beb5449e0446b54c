//! Runs other programs: streamed, quietly with a log, or for their output. None is given anything to read.
//!
//! Children stay in xtask's process group, so that Ctrl-C on a terminal ends them too.

use std::{
    ffi::OsStr,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

/// How many lines of a failed command's log are shown.
const LOG_TAIL: usize = 25;

/// Runs it with its output where ours goes. Errors name the command.
pub(crate) fn stream(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("failed to start {}", shown(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}

/// Runs it with its output in the file `log` and `stdin` as its input; it is killed after `limit`. Errors name the command
/// and show the log's end.
pub(crate) fn quiet(command: &mut Command, stdin: Stdio, log: &Path, limit: Duration) -> Result<()> {
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder).with_context(|| format!("failed to create {}", folder.display()))?;
    }
    let file = File::create(log).with_context(|| format!("failed to write {}", log.display()))?;
    command.stdin(stdin).stderr(file.try_clone()?).stdout(file);
    let mut child = command.spawn().with_context(|| format!("failed to start {}", shown(command)))?;
    let deadline = Instant::now() + limit;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            bail!("`{}` was stopped after {} s{}", shown(command), limit.as_secs(), tail(log));
        }
        thread::sleep(Duration::from_millis(10));
    };
    if !status.success() {
        bail!("`{}` failed ({status}){}", shown(command), tail(log));
    }
    Ok(())
}

/// Runs it and returns what it wrote to stdout. Errors name the command and hold what it wrote to stderr.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("failed to start {}", shown(command)))?;
    if !output.status.success() {
        bail!("`{}` failed ({}): {}", shown(command), output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The first executable of that name on `PATH`.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| is_executable(file))
}

/// Whether that is a file which somebody may execute.
pub(crate) fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// The command line as one would type it, without its environment.
fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

fn tail(log: &Path) -> String {
    let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let end = lines[lines.len().saturating_sub(LOG_TAIL)..].iter().map(|line| format!("\n    {line}")).collect::<String>();
    format!("; the end of {}:{end}", log.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("xtask-test-{}-{name}.log", std::process::id()))
    }

    #[test]
    fn a_quiet_failure_shows_the_end_of_its_log() {
        let log = log("fails");
        let error = quiet(
            Command::new("sh").args(["-c", "echo first; echo last >&2; exit 3"]),
            Stdio::null(),
            &log,
            Duration::from_secs(20),
        );
        let error = error.unwrap_err().to_string();
        fs::remove_file(&log).unwrap();
        assert!(error.contains("exit status: 3") && error.contains("first\n    last"), "{error}");
    }

    #[test]
    fn a_quiet_command_is_stopped_at_its_limit() {
        let (log, start) = (log("hangs"), Instant::now());
        let error =
            quiet(Command::new("sleep").arg("60"), Stdio::null(), &log, Duration::from_millis(50)).unwrap_err().to_string();
        fs::remove_file(&log).unwrap();
        assert!(error.contains("`sleep 60` was stopped"), "{error}");
        assert!(start.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = output(&mut Command::new("no-such-program-here")).unwrap_err().to_string();
        assert_eq!(error, "failed to start no-such-program-here");
    }
}
