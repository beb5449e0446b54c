//! The tools of the languages: found on the `PATH` or in the project, run with their words kept, and told how to get.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Problem;

/// How many of a failed tool's last lines are shown.
const SHOWN_LINES: usize = 40;

/// The first executable of that name on the `PATH`.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| is_executable(file))
}

/// Whether that is a file which somebody may execute.
pub fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// That tool on the `PATH`.
///
/// # Errors
///
/// It is not there: says what it is for, and how to get it.
pub fn need(name: &str, purpose: &str, get: &[&str]) -> Result<PathBuf, Problem> {
    let missing = || {
        let trouble = Problem::new(format!("there is no `{name}` on the PATH; {purpose}"));
        get.iter().fold(trouble, |trouble, hint| trouble.hint(*hint))
    };
    on_path(name).ok_or_else(missing)
}

/// Runs a tool and returns what it wrote to stdout. It gets nothing to read.
///
/// # Errors
///
/// It cannot be started, or fails: with the end of what it said.
pub fn run(command: &mut Command) -> Result<String, Problem> {
    let name = name(command);
    let output = command.stdin(Stdio::null()).output().map_err(|e| Problem::new(format!("cannot start {name}: {e}")))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(stdout);
    }
    let words = format!("{}\n{stdout}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<&str> = words.lines().filter(|line| !line.trim().is_empty()).collect();
    let end =
        lines[lines.len().saturating_sub(SHOWN_LINES)..].iter().map(|line| format!("\n    {line}")).collect::<String>();
    Err(Problem::new(format!("{name} failed ({}):{end}", output.status)))
}

/// A tool's file name.
fn name(command: &Command) -> String {
    Path::new(command.get_program()).file_name().map(OsStr::to_string_lossy).unwrap_or_default().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_keeps_the_tools_words() {
        let failed = run(Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"])).unwrap_err();
        assert_eq!(failed.message, "sh failed (exit status: 3):\n    err\n    out");
        assert_eq!(run(Command::new("sh").args(["-c", "echo out"])).unwrap(), "out\n");
    }

    #[test]
    fn a_missing_tool_says_how_to_get_it() {
        let missing = need("no-such-tool-here", "it makes tea", &["apt-get install tea"]).unwrap_err();
        assert_eq!(missing.message, "there is no `no-such-tool-here` on the PATH; it makes tea");
        assert_eq!(missing.hints, ["apt-get install tea"]);
    }
}
