//! Where runs keep their journal, log and record on this node.

use std::path::{Path, PathBuf};

use super::bad_input;
use super::cluster_args::absolute;
use super::defaults::Defaults;
use crate::pipeline::{Failure, Journal, JournalError, Peeked};

/// The state folder.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "This node")]
pub(super) struct StateArgs {
    /// Where runs keep their journal, log and record [default: /var/lib/runner, or ~/.local/state/runner where one is not root]
    #[arg(long, value_name = "DIR", env = "RUNNER_STATE_DIR")]
    state_dir: Option<PathBuf>,
}

/// A recording of what a run's plugins were asked.
#[derive(Clone, Debug)]
pub(super) struct RecordingFile {
    pub(super) run: String,
    pub(super) member: String,
    pub(super) path: PathBuf,
}

/// One member's folder in the state folder.
#[derive(Clone, Debug)]
pub(super) struct MemberState {
    folder: PathBuf,
}

impl StateArgs {
    /// The state folder, absolute.
    pub(super) fn folder(&self, defaults: &Defaults) -> Result<PathBuf, Failure> {
        self.state_dir.clone().map_or_else(|| defaults.state_dir(), Ok).map(absolute)
    }

    /// The folder of the member of this name.
    pub(super) fn member(&self, defaults: &Defaults, name: &str) -> Result<MemberState, Failure> {
        Ok(MemberState { folder: self.folder(defaults)?.join(name) })
    }

    /// The members with a journal in the state folder.
    pub(super) fn members(&self, defaults: &Defaults) -> Result<Vec<String>, Failure> {
        let Ok(entries) = std::fs::read_dir(self.folder(defaults)?) else { return Ok(Vec::new()) };
        let mut names: Vec<String> = entries
            .flatten()
            .filter(|e| e.path().join("journal").is_file())
            .filter_map(|e| e.file_name().into_string().ok())
            .collect();
        names.sort();
        Ok(names)
    }
}

impl StateArgs {
    /// The recordings in the state folder, oldest first: a run's id begins with its time.
    pub(super) fn recordings(&self, defaults: &Defaults) -> Result<Vec<RecordingFile>, Failure> {
        let Ok(members) = std::fs::read_dir(self.folder(defaults)?) else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for member in members.flatten() {
            let Ok(files) = std::fs::read_dir(member.path()) else { continue };
            for file in files.flatten() {
                let name = file.file_name().to_string_lossy().into_owned();
                let run = name.strip_prefix("decisions-").and_then(|rest| rest.strip_suffix(".jsonl"));
                if let Some(run) = run.map(str::to_owned) {
                    let member = member.file_name().to_string_lossy().into_owned();
                    found.push(RecordingFile { run, member, path: file.path() });
                }
            }
        }
        found.sort_by(|a, b| a.run.cmp(&b.run));
        Ok(found)
    }
}

impl MemberState {
    pub(super) fn journal_path(&self) -> PathBuf {
        self.folder.join("journal")
    }

    /// What `runner kubeadm-join` has done on this node.
    pub(super) fn kubeadm_record(&self) -> PathBuf {
        self.folder.join("kubeadm-join.json")
    }

    pub(super) fn log_file(&self) -> PathBuf {
        self.folder.join("etcd.log")
    }

    pub(super) fn record_file(&self, run: &str) -> PathBuf {
        self.folder.join(format!("run-{run}.json"))
    }

    /// What the run's plugins were asked and answered.
    pub(super) fn recording_file(&self, run: &str) -> PathBuf {
        self.folder.join(format!("decisions-{run}.jsonl"))
    }

    /// What the journal comes to, without opening it; none where there is none.
    pub(super) fn peek(&self) -> Result<Option<Peeked>, Failure> {
        Journal::peek(&self.journal_path()).map_err(|error| unusable(&error))
    }

    /// Opens the journal, whatever is in it.
    pub(super) fn journal(&self) -> Result<Journal, Failure> {
        open(&self.journal_path())
    }

    /// Opens the journal for a new run: one that is at its end is kept under its run's id, an unfinished one refuses.
    pub(super) fn fresh_journal(&self) -> Result<Journal, Failure> {
        let path = self.journal_path();
        let journal = self.journal()?;
        let state = journal.state();
        let Some((plan, _)) = &state.begun else { return Ok(journal) };
        if state.unfinished() {
            return Err(bad_input(format!("an earlier join of {} has not come to its end ({})", plan.name, path.display()))
                .hint("`runner resume` goes on with it, `runner rollback` undoes it"));
        }
        let kept = self.folder.join(format!("journal-{}", plan.run));
        std::fs::rename(&path, &kept).map_err(|e| bad_input(format!("cannot rename {}: {e}", path.display())))?;
        drop(journal);
        open(&path)
    }

    /// Opens the journal of an unfinished run.
    pub(super) fn unfinished_journal(&self) -> Result<Journal, Failure> {
        let journal = self.journal()?;
        if journal.state().unfinished() {
            return Ok(journal);
        }
        Err(bad_input(match (&journal.state().begun, journal.state().finished) {
            (Some((plan, _)), Some(outcome)) => format!("the run of {} has come to its end: {outcome}", plan.name),
            _ => format!("{} holds no run", self.journal_path().display()),
        }))
    }
}

fn open(path: &Path) -> Result<Journal, Failure> {
    Journal::open(path).map_err(|error| unusable(&error))
}

fn unusable(error: &JournalError) -> Failure {
    let failure = bad_input(error.to_string());
    match error {
        JournalError::Busy { .. } => failure.hint("wait for it to end"),
        JournalError::Untrusted { .. } => failure.hint(
            "look who made it (`ls -ld`); if it is what runner wrote, compare with `etcdctl member list`, then make it and its folder yours \
             alone (chown, chmod go-w)",
        ),
        JournalError::Io { .. } => failure.hint("give another --state-dir, or run as root"),
        JournalError::Damaged { .. } => failure
            .hint("compare `etcdctl member list` with the readable lines, set right what is left over, then move the file aside"),
    }
}
