//! What this run intended and got back. The cluster is the truth; the journal only says which part of it is ours.
//!
//! One record a line, each with a checksum in front, synced to the disk before the mutation that it announces. A last line
//! without its end (the machine died while it was written) is dropped: what it announced had not begun. A whole line that does
//! not match its checksum is refused, the last one too: what it announced may have been done.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use rustix::fs::{FallocateFlags, FileType, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::{DataDir, Identity, JoinPlan};
use crate::clock;
use crate::cluster::{MemberId, MemberList};
use crate::owned::{ours, refused};
use crate::terms::Outcome;

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Record {
    /// The run began.
    Begun {
        /// What it is to do.
        plan: Box<JoinPlan>,
        /// What the command needs to build the same launcher, lock and plugins again; opaque to the pipeline.
        setup: serde_json::Value,
    },
    /// The member is about to be added.
    AddIntended {
        /// The member list before: what is in it is not ours.
        before: MemberList,
        /// The data directory before: what was in it is not ours.
        data_dir: DataDir,
    },
    /// The cluster's members, where the voters are reached elsewhere than before.
    Seen {
        /// The member list.
        list: MemberList,
    },
    /// The member was added, by etcd's answer or by what the list shows after a lost answer.
    Added {
        /// Its id.
        id: MemberId,
    },
    /// A learner that somebody had added for this node was taken over.
    Adopted {
        /// Its id.
        id: MemberId,
    },
    /// The member's process is about to be started.
    StartIntended {
        /// It ran already, whoever started it: then the undo leaves it running.
        #[serde(default)]
        running: bool,
    },
    /// The promotion is about to be asked for.
    PromoteIntended,
    /// The member is a voter.
    Promoted,
    /// The undo began: this run will not promote any more.
    UndoIntended,
    /// The undo found a voter: there is no way back, and the run goes on to verify it.
    UndoGivenUp,
    /// The run is over.
    Finished {
        /// How it ended.
        outcome: Outcome,
    },
}

/// What the records come to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JournalState {
    /// The plan and the command's own setup.
    pub begun: Option<(JoinPlan, serde_json::Value)>,
    /// The member list and the data directory before the add, once it was intended.
    pub before: Option<(MemberList, DataDir)>,
    /// The newest member list.
    pub members: Option<MemberList>,
    /// How many adds were sent, maybe.
    pub add_intents: usize,
    /// The id of the member that this run added.
    pub added: Option<MemberId>,
    /// The id of the member that this run took over.
    pub adopted: Option<MemberId>,
    /// The member's process was to be started.
    pub start_intended: bool,
    /// It ran before the run would have started it.
    pub was_running: bool,
    /// The promotion was asked for, maybe.
    pub promote_intended: bool,
    /// The member is a voter.
    pub promoted: bool,
    /// The undo began.
    pub undo_intended: bool,
    /// The run is over.
    pub finished: Option<Outcome>,
}

/// Where the lines are kept.
trait Store: Send + Sync {
    fn append(&mut self, line: &[u8]) -> io::Result<()>;
}

/// A journal, open for writing.
pub struct Journal {
    store: Box<dyn Store>,
    state: JournalState,
    place: String,
}

/// A journal, as somebody saw it who did not open it.
#[derive(Clone, Debug, PartialEq)]
pub struct Peeked {
    /// What its records come to.
    pub state: JournalState,
    /// Whether a runner is at work on it.
    pub busy: bool,
}

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It cannot be read or written.
    #[error("cannot use the journal {path}: {error}")]
    Io {
        /// Which file.
        path: String,
        /// The system's error.
        error: io::Error,
    },
    /// A line other than a torn last one does not match its checksum or cannot be read.
    #[error("the journal {path} is damaged in line {line}: {what}")]
    Damaged {
        /// Which file.
        path: String,
        /// Which line, from 1.
        line: usize,
        /// In which way.
        what: String,
    },
    /// It, or its folder, is a link, somebody else's, or open to others' writing: its words may not be ours.
    #[error("the journal {path} cannot be trusted: {why}")]
    Untrusted {
        /// Which file.
        path: String,
        /// Why not.
        why: String,
    },
    /// Another runner has it open.
    #[error("another runner is at work on this node: it holds {path}")]
    Busy {
        /// Which file.
        path: String,
    },
}

/// A record with its time.
#[derive(Serialize, Deserialize)]
struct Line {
    at: Timestamp,
    #[serde(flatten)]
    record: Record,
}

impl Journal {
    /// Opens the journal in this file, and reads what is in it; makes it (0600, its folder 0700) if there is none. Held by one
    /// process at a time.
    ///
    /// # Errors
    ///
    /// See [`JournalError`]. What others could have written is refused: the undo removes the member that the journal names.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let failed = |error| JournalError::Io { path: path.display().to_string(), error };
        let untrusted = |what: &str, error: io::Error| JournalError::Untrusted {
            path: path.display().to_string(),
            why: format!("{what}{error}"),
        };
        if let Some(folder) = path.parent() {
            make_folder(folder).map_err(failed)?;
            let folder = File::open(folder).map_err(failed)?;
            ours(&folder, FileType::Directory).map_err(|e| untrusted("of its folder: ", e))?;
        }
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o600).custom_flags(OFlags::NOFOLLOW.bits() as i32);
        let mut file = loop {
            let file = options.open(path).map_err(|error| match Errno::from_io_error(&error) {
                Some(Errno::LOOP) => untrusted("", refused("it is a link")),
                _ => failed(error),
            })?;
            ours(&file, FileType::RegularFile).map_err(|e| untrusted("", e))?;
            match patiently(&file) {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(JournalError::Busy { path: path.display().to_string() }),
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
            // Another runner may have put it aside between our opening and our lock: then the name means another file by now.
            match fs::symlink_metadata(path) {
                Ok(named) if same_file(&named, &file.metadata().map_err(failed)?) => break file,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed(error)),
            }
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let (state, good) = read(&bytes, &path.display().to_string())?;
        if good < bytes.len() {
            file.set_len(good as u64).map_err(failed)?;
            file.seek(SeekFrom::End(0)).map_err(failed)?;
        }
        Ok(Self { store: Box::new(FileStore::new(file, path, good as u64)), state, place: path.display().to_string() })
    }

    /// What the journal in this file comes to, without holding or changing it; none where there is none. For those who only look.
    ///
    /// # Errors
    ///
    /// See [`JournalError`]; never `Busy`.
    pub fn peek(path: &Path) -> Result<Option<Peeked>, JournalError> {
        let failed = |error| JournalError::Io { path: path.display().to_string(), error };
        let mut options = OpenOptions::new();
        let mut file = match options.read(true).custom_flags(OFlags::NOFOLLOW.bits() as i32).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let busy = matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let (state, _) = read(&bytes, &path.display().to_string())?;
        Ok(Some(Peeked { state, busy }))
    }

    /// A journal in memory; reads what `lines` holds. For the simulated cluster: a crash leaves the lines behind.
    pub fn in_memory(lines: &Arc<Mutex<Vec<u8>>>) -> Result<Self, JournalError> {
        let place = "(memory)".to_owned();
        let mut held = lines.lock().unwrap_or_else(PoisonError::into_inner);
        let (state, good) = read(&held, &place)?;
        held.truncate(good);
        drop(held);
        Ok(Self { store: Box::new(MemoryStore(Arc::clone(lines))), state, place })
    }

    /// What the records come to.
    pub fn state(&self) -> &JournalState {
        &self.state
    }

    /// Writes one record and waits until it is on the disk.
    pub fn write(&mut self, record: Record) -> Result<(), JournalError> {
        let line = encode(&Line { at: clock::now(), record: record.clone() });
        self.store.append(&line).map_err(|error| JournalError::Io { path: self.place.clone(), error })?;
        self.state.apply(record);
        Ok(())
    }
}

impl JournalState {
    fn apply(&mut self, record: Record) {
        match record {
            Record::Begun { plan, setup } => self.begun = Some((*plan, setup)),
            Record::AddIntended { before, data_dir } => {
                self.add_intents += 1;
                self.members = Some(before.clone());
                // The first one counts: a repeated intent comes after an add that may have been applied.
                self.before.get_or_insert((before, data_dir));
            }
            Record::Seen { list } => self.members = Some(list),
            Record::Added { id } => self.added = Some(id),
            Record::Adopted { id } => self.adopted = Some(id),
            Record::StartIntended { running } => {
                // The first one counts: whatever runs after it may be what this run started.
                self.was_running = if self.start_intended { self.was_running } else { running };
                self.start_intended = true;
            }
            Record::PromoteIntended => self.promote_intended = true,
            Record::Promoted => self.promoted = true,
            Record::UndoIntended => self.undo_intended = true,
            Record::UndoGivenUp => self.undo_intended = false,
            Record::Finished { outcome } => self.finished = Some(outcome),
        }
    }

    /// The client URLs of the voters, as far as they are known.
    pub fn endpoints(&self) -> impl Iterator<Item = &String> {
        self.members.iter().flat_map(MemberList::voters).flat_map(|member| &member.client_urls)
    }

    /// Our member's ids, as they stand in its log; none while it was not added.
    pub fn identity(&self) -> Option<Identity> {
        let (before, _) = self.before.as_ref()?;
        Some(Identity { cluster_id: before.cluster_id, member_id: self.member()? })
    }

    /// The member that this run works on: added or taken over.
    pub fn member(&self) -> Option<MemberId> {
        self.added.or(self.adopted)
    }

    /// Whether there is a run in it that has not come to its end.
    pub fn unfinished(&self) -> bool {
        self.begun.is_some() && !matches!(self.finished, Some(outcome) if outcome != Outcome::Stuck)
    }
}

/// `crc32 of the JSON in hex, a space, the JSON, a newline`.
fn encode(line: &Line) -> Vec<u8> {
    let json = serde_json::to_string(line).unwrap_or_default();
    format!("{:08x} {json}\n", crc32fast::hash(json.as_bytes())).into_bytes()
}

/// Reads all records; returns what they come to and how many bytes are good.
fn read(bytes: &[u8], path: &str) -> Result<(JournalState, usize), JournalError> {
    let mut state = JournalState::default();
    let mut good = 0;
    let mut number = 0;
    while good < bytes.len() {
        number += 1;
        let rest = &bytes[good..];
        let Some(end) = rest.iter().position(|b| *b == b'\n') else { break };
        match decode(&rest[..end]) {
            Ok(line) => state.apply(line.record),
            Err(what) => return Err(JournalError::Damaged { path: path.to_owned(), line: number, what }),
        }
        good += end + 1;
    }
    Ok((state, good))
}

fn decode(line: &[u8]) -> Result<Line, String> {
    let text = std::str::from_utf8(line).map_err(|_| "not UTF-8".to_owned())?;
    let (sum, json) = text.split_once(' ').ok_or("no checksum")?;
    let sum = u32::from_str_radix(sum, 16).map_err(|_| "no checksum".to_owned())?;
    if sum != crc32fast::hash(json.as_bytes()) {
        return Err("its checksum does not match".to_owned());
    }
    serde_json::from_str(json).map_err(|e| format!("written by another version of runner? {e}"))
}

struct FileStore {
    file: File,
    path: PathBuf,
    /// Up to where whole lines stand.
    good: u64,
    /// A torn line could not be cut off: another one behind it would make the journal unreadable.
    spoilt: bool,
}

/// Room that is kept from the beginning: a run's records take some 10 kB, and those of the undo must find room on a disk that the learner's
/// own database has filled.
const KEPT: u64 = 64 << 10;

impl FileStore {
    fn new(file: File, path: &Path, good: u64) -> Self {
        // Some file systems cannot; the run goes on without.
        let _ = rustix::fs::fallocate(&file, FallocateFlags::KEEP_SIZE, 0, good + KEPT);
        Self { file, path: path.to_owned(), good, spoilt: false }
    }

    /// Writes a line and waits until it is on the disk. What was not written whole is cut off.
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if self.spoilt {
            return Err(io::Error::other("an earlier line was written in part and cannot be taken back"));
        }
        let written = self.file.write_all(line).and_then(|()| self.file.sync_data());
        match &written {
            Ok(()) => self.good += line.len() as u64,
            Err(_) => self.spoilt = self.file.set_len(self.good).and_then(|()| self.file.sync_data()).is_err(),
        }
        written
    }
}

/// Makes the folder (0700) and those on its way; each new name is on the disk when this returns.
fn make_folder(folder: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = folder.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists()).collect();
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    for made in missing {
        if let Some(parent) = made.parent() {
            File::open(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })?.sync_all()?;
        }
    }
    Ok(())
}

/// Who only looks holds the journal for a moment; a runner holds it for as long as it lives.
fn patiently(file: &File) -> Result<(), TryLockError> {
    for _ in 0..20 {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(std::time::Duration::from_millis(10)),
            other => return other,
        }
    }
    file.try_lock()
}

fn same_file(a: &fs::Metadata, b: &fs::Metadata) -> bool {
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

impl Store for FileStore {
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        self.write(line)?;
        // The first line also needs its file to be in the folder after a power cut.
        if self.file.metadata()?.len() == line.len() as u64
            && let Some(folder) = self.path.parent()
        {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }
}

struct MemoryStore(Arc<Mutex<Vec<u8>>>);

impl Store for MemoryStore {
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(line);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn written(records: &[Record]) -> Vec<u8> {
        records.iter().flat_map(|r| encode(&Line { at: Timestamp::UNIX_EPOCH, record: r.clone() })).collect()
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/journal");
        let mut journal = Journal::open(&path).unwrap();
        journal.write(Record::AddIntended { before: MemberList::default(), data_dir: DataDir::Absent }).unwrap();
        journal.write(Record::Added { id: MemberId(0xabc) }).unwrap();
        assert!(matches!(Journal::open(&path), Err(JournalError::Busy { .. })));
        drop(journal);
        let journal = Journal::open(&path).unwrap();
        assert_eq!(journal.state().added, Some(MemberId(0xabc)));
        assert_eq!(journal.state().before, Some((MemberList::default(), DataDir::Absent)));
    }

    #[test]
    fn what_others_could_have_written_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let path = state.join("journal");
        drop(Journal::open(&path).unwrap());
        let refused = |said: &str| match Journal::open(&path) {
            Err(error @ JournalError::Untrusted { .. }) => {
                let words = error.to_string();
                assert!(words.ends_with(said), "{words}");
            }
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("taken, not {said}"),
        };
        let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        for open in [0o620, 0o602, 0o666] {
            mode(&path, open);
            refused("cannot be trusted: others may write to it");
        }
        mode(&path, 0o600);
        mode(&state, 0o777);
        refused("cannot be trusted: of its folder: others may write to it");
        mode(&state, 0o700);
        drop(Journal::open(&path).unwrap());
        let elsewhere = folder.path().join("elsewhere");
        fs::rename(&path, &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        refused("cannot be trusted: it is a link");
        fs::remove_file(&path).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, &path, FileType::Fifo, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR, 0)
            .unwrap();
        refused("cannot be trusted: it is not of the right type");
        // Only root can give a file away.
        if rustix::process::geteuid().is_root() {
            fs::remove_file(&path).unwrap();
            fs::rename(&elsewhere, &path).unwrap();
            std::os::unix::fs::chown(&path, Some(65_534), None).unwrap();
            refused("cannot be trusted: it belongs to somebody else");
        }
    }

    #[test]
    fn who_only_looks_changes_nothing_and_is_in_nobodys_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/journal");
        assert_eq!(Journal::peek(&path).unwrap(), None);
        assert!(!path.parent().unwrap().exists());
        let mut journal = Journal::open(&path).unwrap();
        journal.write(Record::PromoteIntended).unwrap();
        let seen = Journal::peek(&path).unwrap().unwrap();
        assert!(seen.busy && seen.state.promote_intended);
        drop(journal);
        assert!(!Journal::peek(&path).unwrap().unwrap().busy);
        // A torn line is not for the one who looks to cut off.
        fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"torn").unwrap();
        let length = fs::metadata(&path).unwrap().len();
        assert!(Journal::peek(&path).unwrap().unwrap().state.promote_intended);
        assert_eq!(fs::metadata(&path).unwrap().len(), length);
    }

    #[test]
    fn a_line_that_was_written_in_part_is_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut journal = Journal::open(&path).unwrap();
        journal.write(Record::PromoteIntended).unwrap();
        drop(journal);
        let good = fs::metadata(&path).unwrap().len();
        // Half a line is there, as a full disk leaves it, and the write has failed.
        let file = OpenOptions::new().read(true).append(true).open(&path).unwrap();
        (&file).write_all(b"0123").unwrap();
        let mut store = FileStore::new(OpenOptions::new().read(true).open(&path).unwrap(), &path, good);
        assert!(store.write(b"a whole line\n").is_err(), "the handle is for reading only");
        assert!(store.spoilt, "and cannot cut anything off either");
        assert!(store.write(b"another\n").unwrap_err().to_string().contains("cannot be taken back"));
        let mut store = FileStore { file, path: path.clone(), good, spoilt: false };
        store.file.set_len(good).unwrap();
        store.write(b"next\n").unwrap();
        assert_eq!(store.good, good + 5);
    }

    #[test]
    fn a_torn_tail_is_dropped_at_every_length() {
        let records = [Record::StartIntended { running: false }, Record::PromoteIntended];
        let whole = written(&records);
        let first = written(&records[..1]).len();
        for length in first..whole.len() {
            let (state, good) = read(&whole[..length], "j").unwrap();
            assert_eq!((state.start_intended, state.promote_intended, good), (true, false, first), "cut at {length}");
        }
    }

    #[test]
    fn a_flipped_bit_is_never_misread() {
        let whole = written(&[Record::StartIntended { running: false }, Record::PromoteIntended, Record::Promoted]);
        let (honest, _) = read(&whole, "j").unwrap();
        for place in 0..whole.len() {
            for bit in 0..8 {
                let mut damaged = whole.clone();
                damaged[place] ^= 1 << bit;
                if let Ok((state, _)) = read(&damaged, "j") {
                    // A flip may turn hex to upper case (the same checksum) or take the last line's end away (a torn line).
                    let promoted_lost = JournalState { promoted: false, ..honest.clone() };
                    assert!(state == honest || state == promoted_lost, "byte {place} bit {bit} was misread");
                }
            }
        }
    }

    #[test]
    fn damage_in_the_middle_is_refused_with_its_line() {
        let mut bytes = written(&[Record::StartIntended { running: false }, Record::PromoteIntended]);
        bytes[12] ^= 1;
        let error = read(&bytes, "journal").unwrap_err().to_string();
        assert_eq!(error, "the journal journal is damaged in line 1: its checksum does not match");
    }
}
