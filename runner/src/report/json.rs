//! Events for machines: one JSON object a line.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use crate::event::{Event, EventSink};

/// Writes every event as one line of JSON, whole and unthinned, and flushes it.
///
/// A reader that goes away (a closed pipe, a full disk) ends the writing and nothing else: a join is not aborted because nobody
/// watches it. A reader that is merely slow blocks [`emit`](EventSink::emit); put a [`Background`](super::Background) before it.
pub struct Json {
    out: Mutex<Option<Box<dyn Write + Send>>>,
}

impl Json {
    /// Writes to `out`.
    pub fn new(out: impl Write + Send + 'static) -> Self {
        Self { out: Mutex::new(Some(Box::new(out))) }
    }

    /// Writes to the process's stdout.
    pub fn stdout() -> Self {
        Self::new(io::stdout())
    }

    /// Whether the reader has gone away, so that events were lost.
    pub fn closed(&self) -> bool {
        self.out.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }
}

impl EventSink for Json {
    fn emit(&self, event: Event) {
        let Ok(mut line) = serde_json::to_vec(&event) else { return };
        line.push(b'\n');
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stream) = out.as_mut() {
            // One write, so that lines of several writers to the same pipe stay whole as far as the system allows.
            if stream.write_all(&line).and_then(|()| stream.flush()).is_err() {
                *out = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{self, Shared};
    use super::*;

    #[test]
    fn each_event_is_one_line_with_time_and_kind() {
        let shared = Shared::default();
        let json = Json::new(shared.clone());
        fixture::refused().into_iter().for_each(|e| json.emit(e));
        insta::assert_snapshot!(shared.text(), @r#"
        {"at":"2026-03-14T09:26:53.5Z","kind":"run-started","run":"0195936e-7c1c-7000-8000-0a1b2c3d4e5f","operation":"join","member":"cp-3"}
        {"at":"2026-03-14T09:26:53.5Z","kind":"plugin-loaded","plugin":"version-window","roles":["health-check"],"digest":"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","notes":[]}
        {"at":"2026-03-14T09:26:53.5Z","kind":"step-started","step":"discover"}
        {"at":"2026-03-14T09:26:53.512Z","kind":"step-finished","step":"discover","durationMs":12,"summary":"2 members, leader cp-1, etcd 3.6.4"}
        {"at":"2026-03-14T09:26:53.512Z","kind":"step-started","step":"check"}
        {"at":"2026-03-14T09:26:53.552Z","kind":"finding","source":"runner","severity":"error","code":"alarm-nospace","message":"the database of cp-2 has reached its quota (alarm NOSPACE)","remedy":"compact and defragment, then `etcdctl alarm disarm`","member":"cp-2"}
        {"at":"2026-03-14T09:26:53.552Z","kind":"plugin-verdict","plugin":"version-window","verdict":"pass","reason":"","usage":{"cpuUs":210,"wallUs":380,"memory":1179648,"hostCalls":9,"bytesIn":640,"bytesOut":96}}
        {"at":"2026-03-14T09:26:53.552Z","kind":"step-failed","step":"check","error":"1 of 16 checks found an error"}
        {"at":"2026-03-14T09:26:53.552Z","kind":"run-finished","outcome":"check-refused","exitStatus":10,"message":"the join was refused before anything was changed","hints":["fix what the checks found, then join again"],"durationMs":52}
        "#);
    }

    #[test]
    fn every_line_of_a_join_is_an_object_of_its_own() {
        let shared = Shared::default();
        let json = Json::new(shared.clone());
        let events = fixture::joined();
        events.iter().cloned().for_each(|e| json.emit(e));
        let lines: Vec<serde_json::Value> = shared.text().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(lines.len(), events.len());
        for (line, event) in lines.iter().zip(&events) {
            assert_eq!(line["kind"], event.name());
            assert_eq!(line["at"], event.at.to_string());
        }
        assert!(lines.iter().any(|l| l["kind"] == "sync-progress" && l["leaderIndex"].is_u64() && l["bytesTotal"].is_u64()));
    }

    #[test]
    fn a_closed_pipe_ends_the_writing_and_nothing_else() {
        let (reader, writer) = io::pipe().unwrap();
        let json = Json::new(writer);
        let mut events = fixture::joined().into_iter();
        json.emit(events.next().unwrap());
        assert!(!json.closed());
        drop(reader);
        events.for_each(|e| json.emit(e));
        assert!(json.closed());
    }
}
