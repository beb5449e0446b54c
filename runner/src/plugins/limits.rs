//! What one call may use, and the meters that see to it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wasmtime::ResourceLimiter;

use super::text;

/// What one plugin call may use. Every number can be changed; the defaults carry their reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Limits {
    /// Processor time, of the guest's thread only: a busy machine does not eat it up. 1 s: a Rust guest needs less than a
    /// millisecond and a Python one about ten for a hundred members.
    pub cpu: Duration,
    /// Time in all, also while the guest waits in a host call. 10 s: longer than a loaded machine makes a good plugin take,
    /// shorter than a person's patience.
    pub wall: Duration,
    /// Linear memory in bytes, all memories of the component together. 128 MiB: a Python guest starts with about 30.
    pub memory: u64,
    /// Handles (members, clusters, streams) at one time. 10 000: a script that leaves the handles of a hundred members to its
    /// garbage collector for a hundred rounds.
    pub handles: usize,
    /// Bytes across the boundary, both directions together. 16 MiB: a notifier is told a few hundred KiB at most.
    pub bytes: u64,
    /// Findings of one check, or problems of one set of settings. 256: more than a person reads.
    pub findings: usize,
    /// Log lines that are shown. 200: what follows is counted, not shown.
    pub log_lines: usize,
    /// Bytes of log text that are shown. 64 KiB, for the same reason.
    pub log_bytes: usize,
}

/// A limit was reached: ends the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Hit {
    #[error("the processor time is used up")]
    Cpu,
    #[error("too many bytes crossed the boundary")]
    Bytes,
    #[error("too many findings were returned")]
    Findings,
    #[error("too many questions were asked")]
    Questions,
}

/// Calls and bytes across the boundary of one call.
#[derive(Debug)]
pub(super) struct Meter {
    limit: u64,
    /// Calls into the host. Those to WASI are not among them.
    pub(super) host_calls: u64,
    /// Bytes handed to the guest.
    pub(super) bytes_in: u64,
    /// Bytes taken from the guest.
    pub(super) bytes_out: u64,
    /// Questions to the world outside, each of which is kept for the record.
    questions: usize,
}

/// Memory of one call: its linear memories, and its tables, whose entries are the host's.
#[derive(Debug)]
pub(super) struct Memory {
    limit: u64,
    now: u64,
    /// What it had before the growth that was granted last: wasmtime asks before it tries, and tells where that failed.
    before: u64,
    /// The most that it had.
    pub(super) peak: u64,
    /// What it wanted in all when it was refused.
    pub(super) refused: Option<u64>,
}

/// Entries that one table of functions may have: ten times what a large guest has, and a MiB of ours.
const TABLE_ELEMENTS: usize = 1 << 17;

/// What an entry of a table is counted for: no entry of wasmtime's takes more (`vm/table.rs`).
const TABLE_ELEMENT_BYTES: u64 = 16;

/// Questions that one call may ask the world outside: a hundred for each of a hundred members. Each is kept for the record with what
/// was answered, some 300 bytes where it says nothing, and the bytes across the boundary do not count that.
const MOST_QUESTIONS: usize = 10_000;

impl Default for Limits {
    fn default() -> Self {
        Self {
            cpu: Duration::from_secs(1),
            wall: Duration::from_secs(10),
            memory: 128 << 20,
            handles: 10_000,
            bytes: 16 << 20,
            findings: 256,
            log_lines: 200,
            log_bytes: 64 << 10,
        }
    }
}

impl Limits {
    /// The limit that was hit, as the end of a sentence that begins with the plugin's name.
    pub(super) fn sentence(&self, hit: Hit) -> String {
        match hit {
            Hit::Cpu => format!("used more than its {:?} of processor time", self.cpu),
            Hit::Bytes => format!("moved more than its {} to and from the host", text::bytes(self.bytes)),
            Hit::Findings => format!("returned more than {} findings", self.findings),
            Hit::Questions => format!("asked more than {MOST_QUESTIONS} questions"),
        }
    }
}

impl Meter {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { limit: limits.bytes, host_calls: 0, bytes_in: 0, bytes_out: 0, questions: 0 }
    }

    /// How many bytes may still cross the boundary.
    pub(super) fn left(&self) -> usize {
        usize::try_from(self.limit.saturating_sub(self.bytes_in.saturating_add(self.bytes_out))).unwrap_or(usize::MAX)
    }

    /// Counts bytes that are handed to the guest.
    pub(super) fn give(&mut self, bytes: usize) -> Result<(), Hit> {
        self.bytes_in = self.bytes_in.saturating_add(bytes as u64);
        self.check()
    }

    /// Counts bytes that came from the guest.
    pub(super) fn take(&mut self, bytes: usize) -> Result<(), Hit> {
        self.bytes_out = self.bytes_out.saturating_add(bytes as u64);
        self.check()
    }

    /// Counts a question, whatever it weighs and whether or not it may be asked.
    pub(super) fn question(&mut self) -> Result<(), Hit> {
        self.questions += 1;
        if self.questions > MOST_QUESTIONS { Err(Hit::Questions) } else { Ok(()) }
    }

    fn check(&self) -> Result<(), Hit> {
        if self.bytes_in.saturating_add(self.bytes_out) > self.limit { Err(Hit::Bytes) } else { Ok(()) }
    }
}

impl Memory {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { limit: limits.memory, now: 0, before: 0, peak: 0, refused: None }
    }

    /// Takes something in place of what it was. What a guest asks for may be any number: nothing here may overflow.
    fn grow(&mut self, current: u64, desired: u64) -> bool {
        let wanted = self.now.saturating_sub(current).saturating_add(desired);
        self.before = self.now;
        if wanted > self.limit {
            self.refused = Some(wanted);
            return false;
        }
        self.now = wanted;
        self.peak = self.peak.max(wanted);
        true
    }

    /// What was granted last was not to be had.
    fn give_back(&mut self) {
        self.now = self.before;
    }
}

impl ResourceLimiter for Memory {
    // Refusing with `false` is what WebAssembly foresees: a guest with a garbage collector may still help itself.
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(current as u64, desired as u64))
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.give_back();
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let bytes = |entries: usize| (entries as u64).saturating_mul(TABLE_ELEMENT_BYTES);
        Ok(desired <= TABLE_ELEMENTS && self.grow(bytes(current), bytes(desired)))
    }

    fn table_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.give_back();
        Ok(())
    }

    // Components made by today's tools have at most a handful of each.
    fn instances(&self) -> usize {
        100
    }

    fn tables(&self) -> usize {
        20
    }

    fn memories(&self) -> usize {
        20
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_counted_over_all_memories() {
        let mut memory = Memory::new(&Limits { memory: 300, ..Limits::default() });
        assert!(memory.memory_growing(0, 100, None).unwrap());
        assert!(memory.memory_growing(0, 100, None).unwrap());
        assert!(memory.memory_growing(100, 200, None).unwrap());
        assert!(!memory.memory_growing(100, 101, None).unwrap());
        assert_eq!((memory.peak, memory.refused), (300, Some(301)));
    }

    #[test]
    fn no_number_that_a_guest_can_ask_for_gets_around_the_limit() {
        let limit = 128 << 20;
        let mut memory = Memory::new(&Limits { memory: limit, ..Limits::default() });
        assert!(memory.memory_growing(0, 64 << 10, None).unwrap());
        assert!(memory.memory_growing(0, 100 << 20, None).unwrap());
        let had = memory.now;
        // wasmtime clamps what a 64-bit memory asks for to the last whole page.
        for desired in [usize::MAX - 65_535, usize::MAX, (limit + 1) as usize] {
            assert!(!memory.memory_growing(100 << 20, desired, None).unwrap(), "{desired}");
            assert_eq!(memory.now, had, "{desired}");
        }
        assert!(!memory.memory_growing(0, 100 << 20, None).unwrap(), "the second large one does not fit");
    }

    #[test]
    fn what_was_not_to_be_had_is_given_back() {
        let mut memory = Memory::new(&Limits { memory: 300, ..Limits::default() });
        assert!(memory.memory_growing(0, 200, None).unwrap());
        assert!(memory.memory_growing(200, 250, None).unwrap());
        memory.memory_grow_failed(wasmtime::Error::msg("no memory")).unwrap();
        assert!(memory.memory_growing(0, 100, None).unwrap());
        assert!(!memory.memory_growing(0, 1, None).unwrap());
    }

    #[test]
    fn tables_are_counted_too() {
        let mut memory = Memory::new(&Limits { memory: 1 << 20, ..Limits::default() });
        assert!(!memory.table_growing(0, TABLE_ELEMENTS, None).unwrap());
        assert!(memory.table_growing(0, 1 << 15, None).unwrap());
        assert!(memory.memory_growing(0, 512 << 10, None).unwrap());
        assert!(!memory.table_growing(0, 1, None).unwrap());
    }

    #[test]
    fn questions_are_counted_whatever_they_weigh() {
        let mut meter = Meter::new(&Limits::default());
        assert!((0..MOST_QUESTIONS).all(|_| meter.question().is_ok()));
        assert_eq!(meter.question(), Err(Hit::Questions));
    }

    #[test]
    fn both_directions_share_one_budget() {
        let mut meter = Meter::new(&Limits { bytes: 10, ..Limits::default() });
        meter.give(6).unwrap();
        meter.take(4).unwrap();
        assert_eq!(meter.take(1), Err(Hit::Bytes));
        assert_eq!((meter.bytes_in, meter.bytes_out), (6, 5));
    }
}
