//! Which etcd a program is.

use std::fmt;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::thread;
use std::time::Duration;

use super::refuse;
use crate::Problem;

/// How long `etcd --version` may take: it does nothing but print.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often is looked whether it has.
const EVERY: Duration = Duration::from_millis(2);

/// An etcd release whose flags runner knows: 3.4 to 3.7.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EtcdVersion {
    /// The second number: 5 for 3.5.
    pub minor: u32,
    /// The third number: 16 for 3.5.16.
    pub patch: u32,
    text: String,
}

impl fmt::Display for EtcdVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for EtcdVersion {
    type Err = Problem;

    /// Reads `3.6.16` or `3.7.0-rc.0`. A release that runner does not know is refused: its flags may mean something else.
    fn from_str(text: &str) -> Result<Self, Problem> {
        let mut parts = text.split(['.', '-', '+']).map(str::parse::<u32>);
        match (parts.next(), parts.next(), parts.next()) {
            (Some(Ok(3)), Some(Ok(minor @ 4..=7)), Some(Ok(patch))) => Ok(Self { minor, patch, text: text.to_owned() }),
            (Some(Ok(_)), Some(Ok(_)), Some(Ok(_))) => {
                let hint = "use an etcd from 3.4 to 3.7, or a runner that knows this one";
                Err(refuse(format!("runner does not know the flags of etcd {text}"), &[hint]))
            }
            _ => Err(refuse(format!("`{text}` is not an etcd version"), &[])),
        }
    }
}

/// Asks the program. Blocks for the some 30 ms that takes, at most for 10 s.
pub(super) fn probe(etcd: &Path) -> Result<EtcdVersion, Problem> {
    let name = etcd.display();
    let hint = "give the path of an etcd server, for example --etcd /usr/local/bin/etcd";
    let mut command = Command::new(etcd);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    super::keep_environment_away(&mut command);
    let mut child = command.spawn().map_err(|e| refuse(format!("cannot run {name}: {e}"), &[hint]))?;
    let mut waited = Duration::ZERO;
    // It writes a few lines, which fit into the pipe: nothing blocks while nobody reads.
    while child.try_wait().map_err(|e| refuse(format!("cannot wait for {name}: {e}"), &[]))?.is_none() {
        if waited >= PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            return Err(refuse(format!("`{name} --version` gave no answer within {} s", PATIENCE.as_secs()), &[hint]));
        }
        thread::sleep(EVERY);
        waited += EVERY;
    }
    let mut answer = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        let _ = stdout.take(4096).read_to_end(&mut answer);
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    match answer.lines().find_map(|line| line.strip_prefix("etcd Version: ")) {
        Some(version) => version.trim().parse(),
        None => Err(refuse(format!("{name} is not an etcd server: `--version` does not say `etcd Version:`"), &[hint])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_versions_are_read_and_others_refused() {
        for (text, minor) in [("3.4.23", 4), ("3.5.16", 5), ("3.6.0", 6), ("3.7.0-rc.1", 7)] {
            assert_eq!(text.parse::<EtcdVersion>().unwrap().minor, minor);
        }
        let refusal = |text: &str| text.parse::<EtcdVersion>().unwrap_err().message;
        for text in ["3.3.25", "3.8.0", "4.0.0"] {
            assert_eq!(refusal(text), format!("runner does not know the flags of etcd {text}"));
        }
        for text in ["", "3", "3.5", "v3.5.1", "3.x.1", "99999999999.1.1"] {
            assert_eq!(refusal(text), format!("`{text}` is not an etcd version"));
        }
    }

    #[test]
    fn what_is_not_an_etcd_is_said() {
        let message = |path: &str| probe(Path::new(path)).unwrap_err().message;
        assert_eq!(message("/no/such/etcd"), "cannot run /no/such/etcd: No such file or directory (os error 2)");
        assert_eq!(message("/bin/true"), "/bin/true is not an etcd server: `--version` does not say `etcd Version:`");
    }
}
