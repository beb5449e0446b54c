//! Runs kubeadm's parts: its words passed on as they come, its end understood.

use std::collections::VecDeque;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use super::phases;
use super::plan::{Line, Part, shell};
use crate::pipeline::{Failure, Outcome};

/// How long kubeadm may take to end after it was asked to: it has no work of its own to do then.
const LAST: Duration = Duration::from_secs(10);
/// How long its output is waited for once it has ended.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How kubeadm's farewell begins.
const FAREWELL: &str = "This node has joined the cluster";
/// How much of its last words is kept, to find the phase that failed.
const KEPT: usize = 50;

/// Runs kubeadm, in a process group of its own: a Ctrl-C at the terminal reaches runner alone, which then decides.
pub struct Driver<'a> {
    /// Where its words go, a line each.
    pub tell: &'a (dyn Fn(&str) + Sync),
    /// Ends what is under way.
    pub interrupt: CancellationToken,
}

/// How kubeadm ended, if not well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Quit {
    /// It was interrupted.
    Interrupted,
    /// It failed: with which status, in which phase, and with which last word of its own.
    Failed {
        /// As the system says it.
        status: String,
        /// By its own word.
        phase: Option<String>,
        /// Its last line.
        last: String,
    },
    /// It could not be started.
    NotStarted(String),
}

impl Driver<'_> {
    /// Runs one of kubeadm's lines to its end.
    ///
    /// # Errors
    ///
    /// It did not end well; or this future's interrupt was cancelled, and then it has been ended.
    pub async fn run(&self, line: &Line) -> Result<(), Quit> {
        let Some((program, arguments)) = line.words.split_first() else { return Ok(()) };
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let spawned = command.process_group(0).kill_on_drop(true).spawn();
        let mut child = spawned.map_err(|error| Quit::NotStarted(format!("{program} cannot be run: {error}")))?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let whole = line.part == Part::Finish;
        let mut words = std::pin::pin!(async {
            let (out, err) = tokio::join!(self.pass_on(out, whole), self.pass_on(err, whole));
            if err.is_empty() { out } else { err }
        });
        let mut said = None;
        let status = loop {
            tokio::select! {
                status = child.wait() => break status,
                all = &mut words, if said.is_none() => said = Some(all),
                () = self.interrupt.cancelled() => {
                    end(&mut child).await;
                    return Err(Quit::Interrupted);
                }
            }
        };
        // What it has started may hold its output open for ever.
        let words = match said {
            Some(words) => words,
            None => tokio::time::timeout(LAST_WORDS, words).await.unwrap_or_default(),
        };
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(failed(status, &words)),
            Err(error) => Err(Quit::NotStarted(format!("{program} was lost sight of: {error}"))),
        }
    }

    /// Passes on what it writes, and keeps the last of it. Where it is not the `whole`, its farewell is kept back: kubeadm ends every
    /// part with the word that the node and a new etcd member have joined, which is not yet so.
    async fn pass_on(&self, from: Option<impl AsyncRead + Unpin>, whole: bool) -> VecDeque<String> {
        let mut kept = VecDeque::new();
        let mut farewell = false;
        let Some(from) = from else { return kept };
        let mut lines = BufReader::new(from);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            line.clear();
            farewell |= !whole && text.starts_with(FAREWELL);
            if !farewell {
                (self.tell)(&text);
            }
            if kept.len() == KEPT {
                kept.pop_front();
            }
            kept.push_back(text);
        }
        kept
    }
}

/// Asks it and all that it has started to end, and sees to it that they do.
async fn end(child: &mut Child) {
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let signal = |signal| group.map(|group| kill_process_group(group, signal));
    // Not SIGINT, which what a shell starts in the background does not hear.
    let _ = signal(Signal::TERM);
    if tokio::time::timeout(LAST, child.wait()).await.is_err() {
        let _ = signal(Signal::KILL);
        let _ = child.wait().await;
    }
}

fn failed(status: ExitStatus, words: &VecDeque<String>) -> Quit {
    let phase = words.iter().rev().find_map(|line| {
        let rest = line.split_once("error execution phase ")?.1;
        Some(rest.split([':', ' ']).next().unwrap_or_default().to_owned())
    });
    let said = |line: &&String| !line.trim().is_empty() && !line.starts_with("To see the stack trace");
    let last = words.iter().rev().find(said).map_or("it said nothing", String::as_str);
    // The phase is told apart.
    let why = last.split_once("error execution phase ").and_then(|(_, rest)| rest.split_once(": "));
    let last = why.map_or(last, |(_, why)| why).to_owned();
    Quit::Failed { status: status.to_string(), phase, last }
}

/// `kubeadm reset` takes a member's data away, and its vote out of the list only where the node is registered.
pub const DO_NOT_RESET: &str = "etcd is on this node, and its member may have a vote that the cluster counts on: do not `kubeadm reset` this node \
                                unless `etcdctl member list` on another control-plane node shows that it has none";

impl Quit {
    /// The failure of a command: what happened, how things stand, and what to run. `etcd_is_here`: the node has an etcd's manifest or data.
    pub fn failure(&self, line: &Line, again: &str, etcd_is_here: bool) -> Failure {
        let (outcome, what) = match self {
            Self::Interrupted => (Outcome::Interrupted, "kubeadm was interrupted".to_owned()),
            // It looks before it writes.
            Self::Failed { status, phase: Some(phase), .. } if phase == phases::PREFLIGHT => {
                (Outcome::CheckRefused, format!("kubeadm's preflight refused the node ({status})"))
            }
            Self::Failed { status, phase: Some(phase), last } => {
                (Outcome::Stuck, format!("kubeadm failed in its phase {phase} ({status}): {last}"))
            }
            Self::Failed { status, phase: None, last } => (Outcome::Stuck, format!("kubeadm failed ({status}): {last}")),
            Self::NotStarted(why) => (Outcome::BadInput, why.clone()),
        };
        let state = match line.part {
            Part::Prepare | Part::Check | Part::Kubelet | Part::Member if etcd_is_here => DO_NOT_RESET,
            Part::Prepare | Part::Check => {
                "nothing has joined, neither the node nor its etcd member; `kubeadm reset` takes away what kubeadm has written"
            }
            Part::Kubelet | Part::Member => {
                "etcd's member has not joined; the kubelet may run and the node may be registered, and `kubeadm reset` takes that back"
            }
            Part::Finish => {
                "etcd's member has joined and votes: do not remove it or its data; only kubeadm's last phases are missing"
            }
        };
        Failure::new(outcome, what)
            .hint(state)
            .hint(format!("once the cause is mended, `{again}` goes on from here"))
            .hint(format!("what was run: {}", shell(&line.words)))
    }
}
