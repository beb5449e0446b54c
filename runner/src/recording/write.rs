//! Writing a recording: in a thread of its own, so that no run waits for a disk, and no full disk ends one.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::OFlags;
use serde::Serialize;
use serde_json::{Value, json};

use super::format::{CallLine, FORMAT, Left, Limited, PluginLine, Run, WindowLine};
use crate::clock;
use crate::cluster::View;
use crate::pipeline::{Sample, Verdict};
use crate::plugins::{Answered, CallRecord, Identity, Question, Recorder, Secrets};

/// Calls that wait to be written. A round of ten plugins is ten; the writer needs well under a millisecond for each.
const QUEUE: usize = 256;

/// From this size on, waits are only counted: they are what a long run has thousands of.
const WAITS_END: u64 = 32 << 20;

/// From this size on, nothing is written.
const END: u64 = 64 << 20;

/// Records calls in a file.
pub struct FileRecorder {
    queue: Mutex<Option<SyncSender<CallRecord>>>,
    /// Calls that found the queue full.
    lost: Arc<AtomicU64>,
    ended: Mutex<Receiver<Option<String>>>,
}

impl FileRecorder {
    /// Begins, or goes on with, the recording of a run in this file (0600).
    ///
    /// # Errors
    ///
    /// The file cannot be made or written.
    pub fn start(path: &Path, run: &str) -> io::Result<Self> {
        let mut file = open(path)?;
        let size = file.seek(SeekFrom::End(0))?;
        let (queue, calls) = mpsc::sync_channel::<CallRecord>(QUEUE);
        let (end, ended) = mpsc::channel();
        let lost = Arc::<AtomicU64>::default();
        let mut writer = Writer::new(file, size, lost.clone());
        let head =
            Run { format: FORMAT, run: run.to_owned(), runner: env!("CARGO_PKG_VERSION").to_owned(), at: clock::now() };
        writer.torn()?;
        writer.line("run", &head)?;
        std::thread::Builder::new().name("recorder".to_owned()).spawn(move || {
            // Nobody listens any more where the command did not want to wait for it.
            let _ = end.send(writer.write_all(&calls).err().map(|e| e.to_string()));
        })?;
        Ok(Self { queue: Mutex::new(Some(queue)), lost, ended: Mutex::new(ended) })
    }

    /// Ends the recording, and waits for at most so long until it is written. Says why it is not whole, if it is not.
    pub fn finish(&self, patience: Duration) -> Option<String> {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        match self.ended.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(patience) {
            Ok(error) => error,
            Err(_) => Some("the disk is too slow".to_owned()),
        }
    }
}

impl Recorder for FileRecorder {
    fn call(&self, call: CallRecord) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.as_ref().is_none_or(|queue| queue.try_send(call).is_err()) {
            self.lost.fetch_add(1, Relaxed);
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::CLOEXEC).bits();
    let mut options = OpenOptions::new();
    let file = options.read(true).append(true).create(true).mode(0o600).custom_flags(flags.cast_signed()).open(path)?;
    // One that is there already may have another mode.
    file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    Ok(file)
}

struct Writer {
    file: File,
    size: u64,
    /// See [`WAITS_END`] and [`END`].
    limits: (u64, u64),
    secrets: Secrets,
    plugins: Vec<Arc<Identity>>,
    ids: u64,
    view: Option<(u64, Arc<View>)>,
    window: Option<(u64, Arc<[Sample]>)>,
    left: u64,
    lost: Arc<AtomicU64>,
}

impl Writer {
    fn new(file: File, size: u64, lost: Arc<AtomicU64>) -> Self {
        Self {
            file,
            size,
            limits: (WAITS_END, END),
            secrets: Secrets::default(),
            plugins: Vec::new(),
            ids: 0,
            view: None,
            window: None,
            left: 0,
            lost,
        }
    }

    fn write_all(&mut self, calls: &Receiver<CallRecord>) -> io::Result<()> {
        let mut broken = None;
        // What cannot be written any more is taken all the same, and dropped: nobody is to wait.
        for call in calls {
            if broken.is_none() {
                broken = self.call(&call).err();
            }
        }
        match broken {
            Some(error) => Err(error),
            None => self.leave(),
        }
    }

    fn call(&mut self, call: &CallRecord) -> io::Result<()> {
        self.secrets.learn(call);
        let wait = matches!(call.result, Ok(Answered::Verdict(Verdict::Wait { .. })));
        if self.size >= self.limits.1 || (wait && self.size >= self.limits.0) {
            self.left += 1;
            return Ok(());
        }
        let plugin = self.plugin(&call.plugin)?;
        let mut line = CallLine {
            plugin,
            role: call.question.role(),
            now: call.now,
            view: None,
            newcomer: None,
            candidate: None,
            window: None,
            events: None,
            asked: call.asked.clone(),
            wasi_clock: call.wasi_clock.clone(),
            result: call.result.clone(),
            usage: call.usage,
        };
        match &call.question {
            Question::Settings => {}
            Question::HealthCheck { view, newcomer } => {
                line.view = Some(self.view(view)?);
                line.newcomer = Some((**newcomer).clone());
            }
            Question::Promotion { view, candidate, window } => {
                line.view = Some(self.view(view)?);
                line.candidate = Some(*candidate);
                line.window = Some(self.window(window)?);
            }
            Question::Notifier { events } => line.events = Some(events.to_vec()),
        }
        self.line("call", &line)
    }

    fn plugin(&mut self, plugin: &Arc<Identity>) -> io::Result<u64> {
        if let Some(id) = self.plugins.iter().position(|p| Arc::ptr_eq(p, plugin)) {
            return Ok(id as u64);
        }
        let id = self.plugins.len() as u64;
        self.plugins.push(plugin.clone());
        let Identity { name, path, digest, contract, settings, grants, limits } = &**plugin;
        let line = PluginLine {
            id,
            name: name.clone(),
            path: path.clone(),
            digest: digest.clone(),
            contract: contract.clone(),
            settings: serde_json::from_str(settings).unwrap_or_default(),
            grants: grants.clone(),
            limits: Limited::of(limits),
        };
        self.line("plugin", &line)?;
        Ok(id)
    }

    /// The plugins of one round share their view.
    fn view(&mut self, view: &Arc<View>) -> io::Result<u64> {
        if let Some((id, last)) = &self.view
            && Arc::ptr_eq(last, view)
        {
            return Ok(*id);
        }
        let id = self.next_id();
        self.line("view", &json!({ "id": id, "view": &**view }))?;
        self.view = Some((id, view.clone()));
        Ok(id)
    }

    fn window(&mut self, window: &Arc<[Sample]>) -> io::Result<u64> {
        let base = match &self.window {
            Some((id, last)) if **last == **window => return Ok(*id),
            Some((id, last)) if window.starts_with(last) => Some((*id, last.len())),
            _ => None,
        };
        let id = self.next_id();
        let samples = window[base.map_or(0, |(_, len)| len)..].to_vec();
        self.line("window", &WindowLine { id, base: base.map(|(id, _)| id), samples })?;
        self.window = Some((id, window.clone()));
        Ok(id)
    }

    fn leave(&mut self) -> io::Result<()> {
        let note = |calls, why: &str| Left { calls, why: why.to_owned() };
        if self.left > 0 {
            self.line("left", &note(self.left, "the recording is as large as it may be"))?;
        }
        match self.lost.load(Relaxed) {
            0 => Ok(()),
            lost => self.line("left", &note(lost, "the disk was too slow")),
        }
    }

    fn next_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    /// Ends a line that an earlier process could not.
    fn torn(&mut self) -> io::Result<()> {
        if self.size == 0 {
            return Ok(());
        }
        let mut last = [0];
        self.file.seek(SeekFrom::End(-1))?;
        self.file.read_exact(&mut last)?;
        if last != *b"\n" { self.file.write_all(b"\n") } else { Ok(()) }
    }

    /// One line, in one write.
    fn line(&mut self, kind: &str, content: &impl Serialize) -> io::Result<()> {
        let mut content = serde_json::to_value(content)?;
        self.secrets.blot(&mut content);
        let mut text = Value::Object([(kind.to_owned(), content)].into_iter().collect()).to_string();
        text.push('\n');
        self.size += text.len() as u64;
        self.file.write_all(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;
    use crate::cluster::MemberId;
    use crate::event::Usage;
    use crate::grants::Grants;
    use crate::plugins::{Limits, PluginConfig, PluginSource};
    use crate::recording::read;
    use crate::scenario::ClusterFacts;

    fn identity() -> Arc<Identity> {
        let config = PluginConfig::new(PluginSource { path: "/x/p.wasm".into(), name: None });
        Arc::new(Identity {
            name: config.name,
            path: config.path,
            digest: "sha256:00".into(),
            contract: None,
            settings: "{}".into(),
            grants: Grants::default(),
            limits: Limits::default(),
        })
    }

    fn call(plugin: &Arc<Identity>, window: &Arc<[Sample]>, answer: Verdict) -> CallRecord {
        let view = Arc::new(ClusterFacts::usual().view(clock::now()).unwrap());
        let question = Question::Promotion { view, candidate: MemberId(3), window: window.clone() };
        CallRecord::new(plugin.clone(), question, Ok(Answered::Verdict(answer)), Usage::default())
    }

    fn samples(n: u64) -> Arc<[Sample]> {
        let at = |i: u64| jiff::Timestamp::from_millisecond(1_800_000_000_000 + i as i64).unwrap();
        let sample = |i| Sample { at: at(i), leader_index: i, applied_index: 0, leader: None, term: 1, reachable: true };
        (0..n).map(sample).collect()
    }

    fn wait() -> Verdict {
        Verdict::Wait { reason: "not yet".into(), retry_after: None }
    }

    #[test]
    fn a_growing_window_is_written_as_what_it_grows_by() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.jsonl");
        let (recorder, plugin) = (FileRecorder::start(&path, "r").unwrap(), identity());
        let mut size = 0;
        for n in [100, 101, 102, 102, 50] {
            recorder.call(call(&plugin, &samples(n), wait()));
            size += n;
        }
        assert_eq!(recorder.finish(Duration::from_secs(10)), None);
        let text = std::fs::read_to_string(&path).unwrap();
        let written = text.matches("\"leaderIndex\"").count() as u64;
        assert_eq!(written, 100 + 1 + 1 + 50, "of {size}");
        let recording = read(&path).unwrap();
        let lens = recording.calls.iter().map(|c| match &c.question {
            Question::Promotion { window, .. } => window.len(),
            _ => 0,
        });
        assert_eq!(lens.collect::<Vec<_>>(), [100, 101, 102, 102, 50]);
        assert_eq!(recording.missing, Vec::<String>::new());
    }

    #[test]
    fn a_torn_line_is_ended_and_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.jsonl");
        for _ in 0..2 {
            let (recorder, plugin) = (FileRecorder::start(&path, "r").unwrap(), identity());
            recorder.call(call(&plugin, &samples(3), Verdict::Approve));
            assert_eq!(recorder.finish(Duration::from_secs(10)), None);
            // As a kill in the middle of a line leaves it.
            OpenOptions::new().append(true).open(&path).unwrap().write_all(br#"{"call":{"plug"#).unwrap();
        }
        let recording = read(&path).unwrap();
        assert_eq!((recording.calls.len(), recording.missing.as_slice()), (2, ["2 damaged lines".to_owned()].as_slice()));
    }

    #[test]
    fn a_large_recording_leaves_waits_out_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.jsonl");
        let mut writer = Writer::new(open(&path).unwrap(), 0, Arc::new(AtomicU64::new(2)));
        writer.line("run", &Run { format: FORMAT, run: "r".into(), runner: "t".into(), at: clock::now() }).unwrap();
        writer.limits = (writer.size + 1, u64::MAX);
        let plugin = identity();
        for answer in [wait(), wait(), wait(), Verdict::Approve] {
            writer.call(&call(&plugin, &samples(2), answer)).unwrap();
        }
        writer.leave().unwrap();
        let recording = read(&path).unwrap();
        assert_eq!(recording.calls.len(), 2, "the first wait, and the approval");
        assert_eq!(recording.missing[0], "2 calls: the recording is as large as it may be");
        assert_eq!(recording.missing[1], "2 calls: the disk was too slow");
    }

    #[test]
    fn a_full_disk_is_said_at_the_end_and_stops_nobody() {
        let file = OpenOptions::new().read(true).append(true).open("/dev/full").unwrap();
        let mut writer = Writer::new(file, 0, Arc::default());
        let (queue, calls) = mpsc::sync_channel(4);
        let plugin = identity();
        (0..3).for_each(|_| queue.send(call(&plugin, &samples(1), Verdict::Approve)).unwrap());
        drop(queue);
        let error = writer.write_all(&calls).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn what_does_not_fit_in_the_queue_is_counted_and_nobody_waits() {
        let folder = tempfile::tempdir().unwrap();
        let recorder = FileRecorder::start(&folder.path().join("d.jsonl"), "r").unwrap();
        let plugin = identity();
        let window = samples(1);
        recorder.finish(Duration::from_secs(10));
        recorder.call(call(&plugin, &window, Verdict::Approve));
        assert_eq!(recorder.lost.load(Relaxed), 1);
    }
}
