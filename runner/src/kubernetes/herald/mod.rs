//! Tells Kubernetes about a run: Events on the Node, and the node's entry in the progress ConfigMap. In the background, so that
//! neither a slow API nor a dead one holds up a join; at its end it is waited for once, and not long.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::events::v1::Event as NodeEvent;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{Api, ApiError, Change, Names, Notices};
use crate::clock;
use crate::event::{Event, EventSink};
pub use entry::Entry;
use story::Story;

mod entry;
mod notes;
mod story;

/// So many Events wait for an API that does not answer; then the oldest go. A run makes five.
const QUEUE: usize = 16;

/// How soon after a write the next may come: a step of some milliseconds is no news.
const BETWEEN: Duration = Duration::from_millis(300);

/// How soon an API that failed is asked again.
const AGAIN: Duration = Duration::from_secs(5);

/// What it means that the API did not answer at the end.
const NOT_TOLD: &str = "Kubernetes was not told how the run ended";

/// What tells Kubernetes. Takes a run's events, and drops nothing but what is out of date.
pub(super) struct Herald {
    shared: Arc<Shared>,
    task: Mutex<Option<JoinHandle<()>>>,
    notices: Notices,
}

struct Shared {
    inbox: Mutex<Inbox>,
    changed: Notify,
    node: String,
}

/// What is still to be written.
struct Inbox {
    notes: VecDeque<NodeEvent>,
    story: Story,
    /// Whether the story has gone on since it was written.
    news: bool,
    /// Whether the entry is, or may be, in the ConfigMap.
    written: bool,
    /// Set at the end: whether the run was left unfinished.
    end: Option<bool>,
}

/// Who writes, and what it has found out.
struct Writer {
    shared: Arc<Shared>,
    api: Arc<Api>,
    names: Names,
    notices: Notices,
    events_refused: bool,
    progress_refused: bool,
}

impl Herald {
    /// Starts for a run. `resumed`: an earlier runner of this run may have left its entry.
    pub(super) fn start(api: Arc<Api>, names: Names, node: &str, run: &str, resumed: bool, notices: Notices) -> Self {
        let inbox =
            Inbox { notes: VecDeque::new(), story: Story::new(run, clock::now()), news: false, written: resumed, end: None };
        let shared = Arc::new(Shared { inbox: Mutex::new(inbox), changed: Notify::new(), node: node.to_owned() });
        let writer = Writer {
            shared: Arc::clone(&shared),
            api,
            names,
            notices: notices.clone(),
            events_refused: false,
            progress_refused: false,
        };
        let task = Mutex::new(Some(tokio::spawn(writer.run())));
        Self { shared, task, notices }
    }

    /// Writes what is left, for no longer than `patience`. `unfinished`: the node's entry stays, and says how the run was left.
    pub(super) async fn close(&self, unfinished: bool, patience: Duration) {
        self.shared.lock().end = Some(unfinished);
        self.shared.changed.notify_one();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut task) = task else { return };
        if timeout(patience, &mut task).await.is_err() {
            task.abort();
            let reason = format!("no answer within {}", humantime::format_duration(patience));
            self.notices.trouble(NOT_TOLD, &ApiError::Unreachable { reason });
        }
    }
}

impl EventSink for Herald {
    fn emit(&self, event: Event) {
        let note = notes::of(&event, &self.shared.node);
        let mut inbox = self.shared.lock();
        let news = inbox.story.take(&event);
        inbox.news |= news;
        if let Some(note) = note {
            if inbox.notes.len() == QUEUE {
                inbox.notes.pop_front();
            }
            inbox.notes.push_back(note);
        }
        drop(inbox);
        if news {
            self.shared.changed.notify_one();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ending(&self) -> bool {
        self.lock().end.is_some()
    }

    /// Waits so long, or until the end begins.
    async fn pause(&self, time: Duration) {
        let ending = async {
            while !self.ending() {
                self.changed.notified().await;
            }
        };
        let _ = timeout(time, ending).await;
    }
}

impl Writer {
    async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        while !shared.ending() {
            // Events first: they are few, and those of a run that is killed must not be lost.
            let told = self.write_notes().await;
            match (told, self.write_progress().await) {
                (Ok(()), Ok(true)) => shared.pause(BETWEEN).await,
                (Ok(()), Ok(false)) => shared.changed.notified().await,
                // Whether it matters is seen at the end.
                _ => shared.pause(AGAIN).await,
            }
        }
        self.api.try_anew();
        // The entry first: others go by it.
        let shown = self.write_progress().await.map(drop);
        let told = self.write_notes().await;
        if let Err(error) = shown.and(told) {
            self.notices.trouble(NOT_TOLD, &error);
        }
    }

    /// Writes the entry, or removes it; false where it is as it should be.
    async fn write_progress(&mut self) -> Result<bool, ApiError> {
        let Some(value) = self.next_entry() else { return Ok(false) };
        let written = self.write_entry(value.as_deref()).await;
        if self.judge(&written, "the progress of the join is not shown in Kubernetes") {
            self.progress_refused = true;
            return Ok(false);
        }
        if written.is_err() {
            // To be written again, unless something newer is by then.
            self.shared.lock().news = true;
        }
        written.map(|()| true)
    }

    /// Writes the Events that wait.
    async fn write_notes(&mut self) -> Result<(), ApiError> {
        while !self.events_refused {
            let note = self.shared.lock().notes.pop_front();
            let Some(note) = note else { break };
            let written = match self.api.create(Some(notes::NAMESPACE), &note).await {
                // An earlier try has arrived after all.
                Ok(_) | Err(ApiError::Conflict { .. }) => Ok(()),
                Err(error) => Err(error),
            };
            if self.judge(&written, "there are no Events of the join in Kubernetes") {
                self.events_refused = true;
            } else if written.is_err() {
                self.shared.lock().notes.push_front(note);
                return written;
            }
        }
        Ok(())
    }

    /// The entry to write now; none inside where it is to be removed.
    fn next_entry(&self) -> Option<Option<String>> {
        let mut inbox = self.shared.lock();
        if self.progress_refused {
            return None;
        }
        if inbox.end == Some(false) {
            // What was never written need not be removed.
            return inbox.written.then_some(None);
        }
        if !std::mem::take(&mut inbox.news) {
            return None;
        }
        inbox.written = true;
        Some(Some(inbox.story.text()))
    }

    /// Whether this is a refusal for good, which is told at once.
    fn judge(&self, written: &Result<(), ApiError>, meaning: &str) -> bool {
        match written {
            Err(error) if !error.passing() => {
                self.notices.trouble(meaning, error);
                true
            }
            _ => false,
        }
    }

    async fn write_entry(&self, value: Option<&str>) -> Result<(), ApiError> {
        match (self.patch_entry(value).await, value) {
            (Err(ApiError::NotFound { .. }), Some(value)) => match self.make_map(value).await {
                // Another node was quicker.
                Err(ApiError::Conflict { .. }) => self.patch_entry(Some(value)).await,
                made => made,
            },
            (Err(ApiError::NotFound { .. }), None) => Ok(()),
            (patched, _) => patched,
        }
    }

    /// Changes this node's key alone, so that several nodes may write at once.
    async fn patch_entry(&self, value: Option<&str>) -> Result<(), ApiError> {
        let change = json!({ "data": { &self.shared.node: value.map_or(Value::Null, Value::from) } });
        let place = (Some(self.names.namespace.as_str()), self.names.progress.as_str());
        self.api.patch::<ConfigMap, _>(place.0, place.1, Change::Merge(change)).await.map(drop)
    }

    async fn make_map(&self, value: &str) -> Result<(), ApiError> {
        let map = ConfigMap {
            metadata: ObjectMeta {
                name: Some(self.names.progress.clone()),
                namespace: Some(self.names.namespace.clone()),
                ..ObjectMeta::default()
            },
            data: Some([(self.shared.node.clone(), value.to_owned())].into()),
            ..ConfigMap::default()
        };
        self.api.create(Some(&self.names.namespace), &map).await.map(drop)
    }
}
