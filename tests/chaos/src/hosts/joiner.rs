//! A node that joins: its runner, started as often as it takes.

use std::cell::{Cell, RefCell};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::bail;
use runner_harness::{Finished, Host, Node, Spawned, running_on};

/// No call of the runner takes longer, with the limits that it is given here; one that does hangs.
const CALL: Duration = Duration::from_secs(240);

/// How often the runner is looked at: below what a step takes.
const LOOK: Duration = Duration::from_millis(2);

/// How a call of the runner ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// By a signal: ours.
    Killed,
    /// With this exit status.
    Status(i32),
}

/// The node and what is known of its runs.
pub(super) struct Joiner {
    pub(super) host: Host,
    pub(super) node: Node,
    endpoints: Vec<String>,
    /// The call that is under way.
    runner: RefCell<Option<Spawned>>,
    /// What its etcd was started with, as last seen.
    pub(super) etcd: RefCell<Vec<String>>,
    /// Its data was taken away when it had a vote already: nothing that a runner could have prevented.
    pub(super) spoiled: Cell<bool>,
    /// It was a voter before the last call.
    voter: Cell<bool>,
    /// What its last call said, for whoever wants to understand a violation.
    pub(super) said: RefCell<String>,
}

impl Joiner {
    pub(super) fn new(host: Host, node: Node, endpoints: &[String]) -> Self {
        let (runner, etcd, said) = (RefCell::default(), RefCell::default(), RefCell::default());
        Self {
            host,
            node,
            endpoints: endpoints.to_vec(),
            runner,
            etcd,
            spoiled: Cell::new(false),
            voter: Cell::new(false),
            said,
        }
    }

    /// `runner join`, with limits that let a run that cannot succeed end soon.
    pub(super) fn join(&self) -> Command {
        let mut command = self.node.join(&self.endpoints);
        command.args(["--kubernetes", "off", "--start-timeout", "30s", "--stall-timeout", "15s"]);
        command.args(["--lock-timeout", "2m", "--learner-timeout", "1m"]);
        command
    }

    /// `runner resume` or `runner rollback`.
    pub(super) fn go_on(&self, roll_back: bool) -> Command {
        let mut command = self.node.command(if roll_back { "rollback" } else { "resume" });
        command.args(["--output", "json"]);
        command
    }

    /// Runs a command of the runner on the host, to its end. Fails where it hangs, panics, or ends by a signal that is not ours.
    pub(super) async fn call(&self, command: &Command) -> anyhow::Result<Ended> {
        *self.runner.borrow_mut() = Some(Spawned::start(self.host.command(command)));
        let start = Instant::now();
        loop {
            self.see_etcd();
            if self.runner.borrow_mut().as_mut().is_none_or(Spawned::ended) {
                break;
            }
            if start.elapsed() > CALL {
                let events = self.runner.borrow().as_ref().map(Spawned::events).unwrap_or_default();
                bail!("{}: the runner hangs: it runs for {CALL:?}; last: {:?}", self.node.name, events.last());
            }
            tokio::time::sleep(LOOK).await;
        }
        let ended = self.runner.borrow_mut().take().expect("it was there");
        let Finished { status, stdout, stderr } = ended.finish(CALL).await;
        *self.said.borrow_mut() = format!("{stdout}\n{stderr}");
        if stderr.contains("panicked at") {
            bail!("{}: the runner panicked:\n{stderr}", self.node.name);
        }
        Ok(status.code().map_or(Ended::Killed, Ended::Status))
    }

    /// Whether the call that is under way has said this.
    pub(super) fn says(&self, kind: &str, step: &str) -> bool {
        let events = self.runner.borrow().as_ref().map(Spawned::events).unwrap_or_default();
        events.iter().any(|e| e["kind"] == kind && e["step"] == step)
    }

    /// SIGKILL to the call that is under way; whether there was one.
    pub(super) fn kill_runner(&self) -> bool {
        let mut runner = self.runner.borrow_mut();
        let Some(runner) = runner.as_mut() else { return false };
        if runner.ended() {
            return false;
        }
        runner.signal(rustix::process::Signal::KILL);
        true
    }

    /// The id of its etcd's process, where one runs.
    pub(super) fn process(&self) -> Option<u32> {
        running_on(&self.node.data_dir).first().map(|(id, _)| *id)
    }

    /// Whether the run that its journal tells of is over; yes where there is none.
    pub(super) fn finished(&self) -> bool {
        self.node.journal().last().is_none_or(|record| record == "finished")
    }

    /// Marks it as a voter.
    pub(super) fn is_voter(&self) {
        self.voter.set(true);
    }

    /// Whether it was marked.
    pub(super) fn was_voter(&self) -> bool {
        self.voter.get()
    }

    fn see_etcd(&self) {
        // Looking through all processes takes longer than anything else here: not again once it is known.
        if self.etcd.borrow().is_empty()
            && self.node.journal().iter().any(|r| r == "start-intended")
            && let Some((_, arguments)) = running_on(&self.node.data_dir).pop()
        {
            *self.etcd.borrow_mut() = arguments;
        }
    }
}
