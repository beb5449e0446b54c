//! One static pod of the stand-in kubelet: what its manifest says, and its process.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Container, Pod, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::kubelet::program;

/// The longest piece of a line that a container runtime writes.
const PIECE: usize = 16 * 1024;

/// Asks as the kubelet does: any status from 200 to 399 passes. By bash's own sockets, so that it works behind any prefix.
const ASK: &str = r#"exec 3<>"/dev/tcp/$1/$2" && printf 'GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$3" "$1" >&3 && read -r _ status _ <&3 && [ "$status" -ge 200 ] && [ "$status" -lt 400 ]"#;

/// A pod that can be run.
pub(crate) struct Spec {
    pub(crate) text: String,
    pod: Value,
    container: Container,
    program: PathBuf,
}

impl Spec {
    /// Reads a manifest; refuses what a kubelet refuses, and what cannot run without containers.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let value: Value = serde_saphyr::from_str(text).map_err(|e| format!("not YAML: {e}"))?;
        if value["apiVersion"] != "v1" || value["kind"] != "Pod" {
            return Err("no v1 Pod".to_owned());
        }
        let pod: Pod = serde_json::from_value(value.clone()).map_err(|e| format!("no Pod: {e}"))?;
        let spec = pod.spec.ok_or("no spec")?;
        if pod.metadata.name.is_none() || pod.metadata.namespace.is_none() {
            return Err("no name or namespace".to_owned());
        }
        let [container] = spec.containers.as_slice() else { return Err("not one container".to_owned()) };
        if spec.host_network != Some(true) {
            return Err("without the host's network".to_owned());
        }
        for mount in container.volume_mounts.iter().flatten() {
            let volume = spec.volumes.iter().flatten().find(|volume| volume.name == mount.name);
            let host = volume.and_then(|v| v.host_path.as_ref()).ok_or_else(|| format!("no volume {}", mount.name))?;
            if host.path != mount.mount_path {
                return Err(format!("{} is mounted elsewhere", host.path));
            }
            if host.type_.as_deref() == Some("DirectoryOrCreate") {
                fs::create_dir_all(&host.path).map_err(|e| format!("{}: {e}", host.path))?;
            }
        }
        if container.command.as_ref().is_none_or(|command| command.first().map(String::as_str) != Some("etcd")) {
            return Err("its command is not etcd".to_owned());
        }
        let program = program(container.image.as_deref().unwrap_or_default())?;
        Ok(Self { text: text.to_owned(), pod: value, container: container.clone(), program })
    }
}

/// A pod and its process.
pub(crate) struct PodRun {
    pub(crate) spec: Spec,
    node: String,
    uid: String,
    logs: PathBuf,
    prefix: Vec<String>,
    hurry: u32,
    child: Option<Child>,
    starts: u64,
    next_start: Instant,
    since: Instant,
    started: bool,
    ready: bool,
    failures: [i32; 3],
    next_probe: [Instant; 3],
    told: Option<Value>,
}

impl PodRun {
    /// Starts nothing yet.
    pub(crate) fn new(spec: Spec, node: &str, pod_logs: &Path, prefix: &[String], hurry: u32) -> Self {
        let mut hasher = DefaultHasher::new();
        (&spec.text, node).hash(&mut hasher);
        let uid = format!("{:016x}", hasher.finish());
        let logs = pod_logs.join(format!("kube-system_etcd-{node}_{uid}/etcd"));
        // As the kubelet: what it has started before counts on.
        let entries = fs::read_dir(&logs).into_iter().flatten().flatten();
        let before = entries.filter_map(|e| e.file_name().to_str()?.strip_suffix(".log")?.parse::<u64>().ok()).max();
        let now = Instant::now();
        Self {
            spec,
            node: node.to_owned(),
            uid,
            logs,
            prefix: prefix.to_vec(),
            hurry,
            child: None,
            starts: before.map_or(0, |n| n + 1),
            next_start: now,
            since: now,
            started: false,
            ready: false,
            failures: [0; 3],
            next_probe: [now; 3],
            told: None,
        }
    }

    /// Does what is due; gives what is to complain about.
    pub(crate) fn tick(&mut self) -> Vec<String> {
        let now = Instant::now();
        if self.child.as_mut().is_some_and(|child| !matches!(child.try_wait(), Ok(None))) {
            self.child = None;
            self.ready = false;
            // The first restart comes when the kubelet looks at its containers again, which it does each second (kubelet 1.36, PLEG's
            // genericPlegRelistPeriod), the next after 10 s, then twice as long each time.
            let delay = match self.starts {
                0 | 1 => Duration::from_secs(1) / self.hurry,
                n => Duration::from_secs(10 << (n - 2).min(5)).min(Duration::from_secs(300)) / self.hurry,
            };
            self.next_start = now + delay;
        }
        if self.child.is_none() {
            if now >= self.next_start {
                self.spawn();
            }
            return Vec::new();
        }
        self.probe(now)
    }

    /// The mirror pod, where it has changed since the last time.
    pub(crate) fn news(&mut self) -> Option<Value> {
        let mirror = self.mirror();
        if self.told.as_ref() == Some(&mirror) {
            return None;
        }
        self.told = Some(mirror.clone());
        Some(mirror)
    }

    /// SIGTERM, SIGKILL after the pod's grace, and waits.
    pub(crate) fn end(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = kill_process(Pid::from_child(child), Signal::TERM);
            let deadline = Instant::now() + Duration::from_secs(30) / self.hurry;
            while matches!(child.try_wait(), Ok(None)) && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        self.kill();
    }

    /// SIGKILL, and waits.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub(crate) fn spawn(&mut self) {
        let arguments = self.spec.container.command.iter().flatten().skip(1);
        let mut command = self.behind_prefix(&self.spec.program.display().to_string());
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ETCD_")) {
            command.env_remove(name);
        }
        for variable in self.spec.container.env.iter().flatten() {
            command.env(&variable.name, variable.value.as_deref().unwrap_or_default());
        }
        fs::create_dir_all(&self.logs).expect("the pods' logs can be written");
        let log = File::create(self.logs.join(format!("{}.log", self.starts))).expect("the pods' logs can be written");
        let log = Arc::new(Mutex::new(log));
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{command:?} does not start: {e}"));
        copy(child.stdout.take(), "stdout", &log);
        copy(child.stderr.take(), "stderr", &log);
        let now = Instant::now();
        self.child = Some(child);
        self.starts += 1;
        (self.since, self.started, self.ready, self.failures) =
            (now, self.spec.container.startup_probe.is_none(), false, [0; 3]);
        self.next_probe = [now; 3];
    }

    /// Runs the probes that are due: the startup probe until it has passed, then the others.
    fn probe(&mut self, now: Instant) -> Vec<String> {
        let container = &self.spec.container;
        let probes = [&container.startup_probe, &container.liveness_probe, &container.readiness_probe].map(Clone::clone);
        for (number, probe) in probes.into_iter().enumerate() {
            let Some(probe) = probe else { continue };
            let delay = Duration::from_secs(probe.initial_delay_seconds.unwrap_or(0).unsigned_abs().into()) / self.hurry;
            if (number == 0) == self.started || now < self.next_probe[number] || now < self.since + delay {
                continue;
            }
            let period = Duration::from_secs(probe.period_seconds.unwrap_or(10).unsigned_abs().into()) / self.hurry;
            self.next_probe[number] = now + period;
            if self.passes(&probe) {
                self.failures[number] = 0;
                self.started |= number == 0;
                self.ready |= number == 2;
                continue;
            }
            self.failures[number] += 1;
            self.ready &= number != 2;
            if number != 2 && self.failures[number] >= probe.failure_threshold.unwrap_or(3) {
                let which = ["startup", "liveness"][number];
                let path = probe.http_get.as_ref().and_then(|get| get.path.clone()).unwrap_or_default();
                self.end();
                self.next_start = Instant::now();
                return vec![format!("killed: its {which} probe {path} failed {} times", self.failures[number])];
            }
        }
        Vec::new()
    }

    fn passes(&self, probe: &Probe) -> bool {
        let Some(get) = &probe.http_get else { return false };
        let port = match &get.port {
            IntOrString::Int(port) => *port,
            IntOrString::String(name) => {
                let ports = self.spec.container.ports.iter().flatten();
                ports.filter(|p| p.name.as_ref() == Some(name)).map(|p| p.container_port).next().unwrap_or(0)
            }
        };
        let mut command = self.behind_prefix("timeout");
        let seconds = format!("{}", probe.timeout_seconds.unwrap_or(1));
        let (host, path) = (get.host.as_deref().unwrap_or("127.0.0.1"), get.path.as_deref().unwrap_or("/"));
        command.args([&seconds, "bash", "-c", ASK, &self.logs.display().to_string(), host, &port.to_string(), path]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    fn behind_prefix(&self, program: &str) -> Command {
        let mut words = self.prefix.iter().map(String::as_str).chain([program]);
        let mut command = Command::new(words.next().expect("at least the program"));
        command.args(words);
        command
    }

    /// The pod as a kubelet registers it with the API server.
    fn mirror(&self) -> Value {
        let mut pod = self.spec.pod.clone();
        pod["metadata"]["name"] = format!("etcd-{}", self.node).into();
        for (name, value) in [("mirror", self.uid.as_str()), ("hash", &self.uid), ("source", "file")] {
            pod["metadata"]["annotations"][format!("kubernetes.io/config.{name}")] = value.into();
        }
        pod["spec"]["nodeName"] = self.node.clone().into();
        let runs = self.child.is_some();
        let state = if runs { json!({ "running": {} }) } else { json!({ "waiting": { "reason": "CrashLoopBackOff" } }) };
        let ready = if self.ready { "True" } else { "False" };
        pod["status"] = json!({
            "phase": if self.starts == 0 { "Pending" } else { "Running" },
            "conditions": [{ "type": "Ready", "status": ready }],
            "containerStatuses": [{
                "name": "etcd",
                "image": self.spec.container.image,
                "ready": self.ready,
                "started": self.started && runs,
                "restartCount": self.starts.saturating_sub(1),
                "state": state,
            }],
        });
        pod
    }
}

/// Copies a stream into a log in the CRI's format until it ends.
fn copy(from: Option<impl Read + Send + 'static>, stream: &'static str, log: &Arc<Mutex<File>>) {
    let (Some(from), log) = (from, Arc::clone(log)) else { return };
    std::thread::spawn(move || {
        let mut lines = BufReader::new(from);
        let mut line = Vec::new();
        while let Ok(1..) = lines.read_until(b'\n', &mut line) {
            let text = line.strip_suffix(b"\n").unwrap_or(&line);
            let mut pieces = text.chunks(PIECE).peekable();
            let mut out = Vec::new();
            while let Some(piece) = pieces.next() {
                let tag = if pieces.peek().is_some() { "P" } else { "F" };
                let _ = write!(out, "{} {stream} {tag} ", runner::clock::now());
                out.extend_from_slice(piece);
                out.push(b'\n');
            }
            let _ = log.lock().unwrap_or_else(PoisonError::into_inner).write_all(&out);
            line.clear();
        }
    });
}
