//! The real `runner join`, as a process, with every check and the reference plugins.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use serde_json::Value;

use super::site::Site;
use super::{Bench, Measured, millis};

/// How often its memory is looked at. What counts is the kernel's own high-water mark, so only its last moments can be missed.
const LOOK: Duration = Duration::from_millis(5);

/// A runner that has ended.
struct Ended {
    events: Vec<Value>,
    command: f64,
    peak_resident: Option<u64>,
}

/// Runs it to its end, then reads through the new member.
pub(crate) async fn join(site: &Site, bench: &Bench, cache: &Path) -> Result<Measured> {
    let mut command = arguments(site, bench, cache);
    let began = Instant::now();
    let ended = tokio::task::spawn_blocking(move || run(&mut command)).await??;
    site.read_on_newcomer().await?;
    let command_and_read = millis(began);
    let add = at(&ended.events, "step-started", "add-learner")?;
    let since_add = |end: Timestamp| end.duration_since(add).as_secs_f64() * 1000.0;
    Ok(Measured {
        voter: since_add(at(&ended.events, "step-finished", "promote")?),
        // Its `verify` ends with a linearizable read through the new member.
        read: since_add(at(&ended.events, "step-finished", "verify")?),
        command: Some(ended.command),
        command_and_read: Some(command_and_read),
        steps: steps(&ended.events),
        peak_resident: ended.peak_resident,
    })
}

fn arguments(site: &Site, bench: &Bench, cache: &Path) -> Command {
    let newcomer = &site.newcomer;
    let mut command = Command::new(&bench.runner);
    command.args(["join", "--output", "json", "--name", &newcomer.name]);
    command.args(["--peer-url", &newcomer.peer_url, "--client-url", &newcomer.client_url]);
    command.args(["--metrics-url", &newcomer.metrics_url, "--endpoints", &site.cluster.endpoints().join(",")]);
    command.arg("--pki-dir").arg(site.cluster.scratch.join("pki"));
    command.arg("--data-dir").arg(&newcomer.data_dir);
    command.arg("--state-dir").arg(site.cluster.scratch.join("state"));
    command.arg("--etcd").arg(&newcomer.binary.path);
    command.env("RUNNER_CACHE_DIR", cache);
    command.arg("--plugins").args(&bench.plugins);
    command
}

fn run(command: &mut Command) -> Result<Ended> {
    let began = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let pid = child.id();
    let (stdout, stderr) = (reader(child.stdout.take()), reader(child.stderr.take()));
    let memory = std::thread::spawn(move || {
        let mut peak = None;
        while let Some(now) = peak_resident(pid) {
            peak = Some(now);
            std::thread::sleep(LOOK);
        }
        peak
    });
    let status = child.wait()?;
    let command = millis(began);
    let (stdout, stderr) = (text(stdout), text(stderr));
    if !status.success() {
        bail!("runner join failed ({status})\n{stdout}\n{stderr}");
    }
    let events = stdout.lines().map(serde_json::from_str).collect::<Result<_, _>>().context("its events are JSON lines")?;
    Ok(Ended { events, command, peak_resident: memory.join().ok().flatten() })
}

/// `VmHWM`; none once the process has let go of its memory.
fn peak_resident(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

fn at(events: &[Value], kind: &str, step: &str) -> Result<Timestamp> {
    let event = events.iter().find(|e| e["kind"] == kind && e["step"] == step);
    let at = event.and_then(|e| e["at"].as_str()).with_context(|| format!("no {kind} of {step} among the events"))?;
    Ok(at.parse()?)
}

/// How long each step took, between its two events.
fn steps(events: &[Value]) -> BTreeMap<String, f64> {
    let finished = events.iter().filter(|e| e["kind"] == "step-finished").filter_map(|e| e["step"].as_str());
    let took = finished.filter_map(|step| {
        let (start, end) = (at(events, "step-started", step).ok()?, at(events, "step-finished", step).ok()?);
        Some((step.to_owned(), end.duration_since(start).as_secs_f64() * 1000.0))
    });
    took.collect()
}

fn reader(from: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut from) = from {
            let _ = from.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn text(reader: JoinHandle<String>) -> String {
    reader.join().unwrap_or_default()
}
