//! Asking systemd, through its own programs: they are there wherever it is, and know its rights and protocols.

use std::collections::HashMap;
use std::process::{Output, Stdio};
use std::time::{Duration, SystemTime};

use tokio::process::Command;

use crate::Problem;
use crate::launch::refuse;

/// How long a question may take.
const ANSWER: Duration = Duration::from_secs(30);

/// How long a stop may take: systemd itself kills after 90 s.
const STOP: Duration = Duration::from_secs(120);

/// What systemd says about a unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::launch) struct Unit {
    /// `active`, `activating`, `inactive`, `failed`, …
    pub(in crate::launch) active: String,
    /// `running`, `auto-restart`, `dead`, …
    pub(super) sub: String,
    /// How often it was started again by itself.
    pub(super) restarts: u64,
    /// Where its file is; empty where there is none.
    pub(in crate::launch) file: String,
}

/// Asks about a unit. One that is not there is inactive and has no file.
pub(in crate::launch) async fn show(unit: &str) -> Result<Unit, Problem> {
    let properties = "--property=ActiveState,SubState,NRestarts,FragmentPath";
    let text = systemctl(&["show", properties, unit], ANSWER).await?;
    let said: HashMap<_, _> = text.lines().filter_map(|line| line.split_once('=')).collect();
    let of = |name: &str| said.get(name).copied().unwrap_or_default().to_owned();
    Ok(Unit {
        active: of("ActiveState"),
        sub: of("SubState"),
        restarts: of("NRestarts").parse().unwrap_or(0),
        file: of("FragmentPath"),
    })
}

/// Makes systemd read its units anew.
pub(super) async fn reload() -> Result<(), Problem> {
    systemctl(&["daemon-reload"], ANSWER).await.map(drop)
}

/// Starts the unit now and at each boot. Does not wait until it is ready.
pub(super) async fn start(unit: &str) -> Result<(), Problem> {
    systemctl(&["enable", unit], ANSWER).await?;
    systemctl(&["start", "--no-block", unit], ANSWER).await.map(drop)
}

/// Stops the unit, waits for its end, and does not start it at boot any more.
pub(super) async fn stop(unit: &str) -> Result<(), Problem> {
    systemctl(&["stop", unit], STOP).await?;
    systemctl(&["disable", unit], ANSWER).await.map(drop)
}

/// Ends the unit's program, waits for its end, and starts it again.
pub(in crate::launch) async fn restart(unit: &str) -> Result<(), Problem> {
    systemctl(&["restart", unit], STOP).await.map(drop)
}

/// Forgets that the unit had failed. That it does not know the unit any more is fine.
pub(super) async fn forget(unit: &str) {
    let _ = systemctl(&["reset-failed", unit], ANSWER).await;
}

/// What the unit's own program has logged since this moment, oldest first; nothing where the journal cannot be read.
pub(super) async fn log(unit: &str, since: SystemTime) -> String {
    let since = since.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let name = unit.strip_suffix(".service").unwrap_or(unit);
    // By the identifier, since systemd's own words about the unit are among the unit's otherwise.
    let arguments = [
        "--unit",
        unit,
        "--identifier",
        name,
        "--since",
        &format!("@{since}"),
        "-n",
        "100",
        "-o",
        "cat",
        "--no-pager",
        "-q",
    ];
    match run("journalctl", &arguments, ANSWER).await {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).into_owned(),
        _ => String::new(),
    }
}

async fn systemctl(arguments: &[&str], patience: Duration) -> Result<String, Problem> {
    let output = run("systemctl", arguments, patience).await?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let why = words.trim().lines().next().unwrap_or("it does not say why").to_owned();
    let hint = "is this node run by systemd, and is this root? `systemctl status` tells";
    Err(refuse(format!("`systemctl {}` failed: {why}", arguments.join(" ")), &[hint]))
}

async fn run(program: &str, arguments: &[&str], patience: Duration) -> Result<Output, Problem> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    // What it says is read: in the words that are known.
    command.env("LC_ALL", "C").env("SYSTEMD_COLORS", "0").env("SYSTEMD_PAGER", "");
    match tokio::time::timeout(patience, command.output()).await {
        Ok(Ok(output)) => Ok(output),
        Ok(Err(error)) => {
            let hint = "this launcher is for nodes with systemd: use another one with --launcher";
            Err(refuse(format!("cannot run {program}: {error}"), &[hint]))
        }
        Err(_) => {
            let text = format!("`{program} {}` gave no answer within {} s", arguments.join(" "), patience.as_secs());
            Err(refuse(text, &["see what systemd is doing: systemctl list-jobs"]))
        }
    }
}
