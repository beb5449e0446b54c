//! One run's state and what every step needs: calls with patience, waits that Ctrl-C ends, events.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::adoption::{self, Standing};
use super::gate::Window;
use super::journal::{Journal, JournalError, Record};
use super::monitor::Monitored;
use super::{DataDir, Failure, Identity, JoinLock, JoinPlan, Launcher, Platform, Policy};
use crate::cluster::oracle::Forecast;
use crate::cluster::{Class, Cluster, ClusterError, MemberId, MemberList, Reason, Result as ClusterResult, View};
use crate::event::{Event, EventKind, EventSink};
use crate::terms::{Outcome, Step};

/// The outside world, as the pipeline sees it.
#[derive(Clone)]
pub struct Parts {
    /// The cluster to join.
    pub cluster: Arc<dyn Cluster>,
    /// What starts the member on this node.
    pub launcher: Arc<dyn Launcher>,
    /// What keeps joins apart.
    pub lock: Arc<dyn JoinLock>,
    /// The plugins whose word counts.
    pub policy: Arc<dyn Policy>,
    /// The plugins that are asked and reported and never obeyed, where there are any.
    pub monitors: Option<Arc<dyn Policy>>,
    /// The machines under the members, where something knows them.
    pub platform: Option<Arc<dyn Platform>>,
    /// Who is told.
    pub sink: Arc<dyn EventSink>,
}

/// The two interruptions: the first asks to undo, the second to leave everything as it is, resumable.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    /// Ctrl-C, once: stop going forward and undo.
    pub undo: CancellationToken,
    /// Ctrl-C again: stop at once; the journal stays.
    pub leave: CancellationToken,
}

/// How long an add whose answer was lost may still take effect, beside two election timeouts. etcd gives up its own proposals after 5 s
/// plus two election timeouts, 7 s with the defaults (`ReqTimeout`, server/config/config.go); the other 3 s are for a request that was
/// slow to arrive. A request that the network holds back for longer than that cannot be told from one that was lost.
const SETTLE: Duration = Duration::from_secs(8);

/// Events kept for the notifiers; progress and plugin logs are not among them. A run of a day stays far below.
const EVENTS_KEPT: usize = 2000;

/// A run under way.
pub(super) struct Run {
    pub(super) plan: JoinPlan,
    pub(super) parts: Parts,
    pub(super) journal: Journal,
    /// What ends waits now: `Interrupt::undo` going forward, `Interrupt::leave` while undoing.
    pub(super) cancel: CancellationToken,
    /// Where the cluster was last seen, the leader first.
    pub(super) endpoints: Vec<String>,
    /// The id of the cluster that this run works on, from its first look on: an endpoint of another one is never believed.
    pub(super) cluster: Option<u64>,
    /// The last whole observation.
    pub(super) view: Option<Arc<View>>,
    pub(super) window: Window,
    /// Whether this run may have a key in the queue of joiners.
    pub(super) queued: bool,
    /// Until when an add whose answer is not known may still take effect.
    pub(super) add_settles: Option<Instant>,
    /// Whether a member that was taken over is still in the list, once the undo has looked.
    pub(super) adopted_stays: bool,
    /// Questions to plugins in monitor mode that are under way.
    pub(super) monitored: Monitored,
    pub(super) told: Vec<Event>,
    /// What the oracle said last.
    pub(super) forecast: Option<Forecast>,
    /// Whether a promotion may have been asked for: by this process, or by an earlier one of this run.
    pub(super) promotion_sent: bool,
    /// What the last record of an add says.
    pub(super) last_intent: Option<(MemberList, DataDir)>,
    /// What the undo left as it is, since it is not ours: whose it is, as clauses.
    pub(super) left: Vec<String>,
    pub(super) started: Instant,
}

/// Tries again, soon at first and then less often, until a limit; says once what for.
pub(super) struct Patience {
    step: Step,
    deadline: Instant,
    limit: Duration,
    delay: Duration,
    said: Option<(String, Instant)>,
}

/// The pause between the first two tries: about the time that a local etcd takes to apply an entry.
const FIRST_DELAY: Duration = Duration::from_millis(10);
/// The longest pause: what a person would not notice.
const LONGEST_DELAY: Duration = Duration::from_millis(400);
/// A wait that is over sooner is not worth a word.
const UNSAID: Duration = Duration::from_millis(300);
/// An unchanged reason is repeated after this time, so that a log shows that the run is alive.
const SAY_AGAIN: Duration = Duration::from_secs(10);

impl Run {
    pub(super) fn new(plan: JoinPlan, parts: Parts, journal: Journal, cancel: CancellationToken) -> Self {
        let state = journal.state();
        // An earlier runner sent an add, or several: what became of those that it had no answer to, it took with it.
        let unanswered = state.add_intents > usize::from(state.member().is_some());
        let add_settles = unanswered.then(|| Instant::now() + settle(&*parts.launcher));
        let promotion_sent = state.promote_intended;
        let cluster = state.before.as_ref().map(|(before, _)| before.cluster_id);
        Self {
            endpoints: plan.endpoints.clone(),
            cluster,
            plan,
            parts,
            journal,
            cancel,
            view: None,
            window: Window::default(),
            queued: false,
            add_settles,
            adopted_stays: false,
            monitored: Monitored::default(),
            told: Vec::new(),
            forecast: None,
            promotion_sent,
            last_intent: None,
            left: Vec::new(),
            started: Instant::now(),
        }
    }

    /// An add has had no answer: from now on it may take effect for so long.
    pub(super) fn add_unanswered(&mut self) {
        self.add_settles = Some(Instant::now() + settle(&*self.parts.launcher));
    }

    /// Tells everybody.
    pub(super) fn emit(&mut self, kind: EventKind) {
        let event = Event::now(kind);
        let kept = !matches!(event.kind, EventKind::SyncProgress(_) | EventKind::PluginLog { .. });
        if kept && self.told.len() < EVENTS_KEPT {
            self.told.push(event.clone());
        }
        self.parts.sink.emit(event);
    }

    /// Writes to the journal, before the mutation that the record announces.
    pub(super) fn record(&mut self, record: Record) -> Result<(), Failure> {
        self.journal.write(record).map_err(|error| journal_failure(&error))
    }

    /// Waits, unless interrupted.
    pub(super) async fn pause(&self, duration: Duration) -> Result<(), Failure> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Failure::interrupted()),
            () = tokio::time::sleep(duration) => Ok(()),
        }
    }

    /// Does what may take minutes, unless interrupted. What was begun of it is left where it is: whoever goes on looks first.
    pub(super) async fn unless_interrupted<T>(&self, doing: impl Future<Output = T>) -> Result<T, Failure> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Failure::interrupted()),
            done = doing => Ok(done),
        }
    }

    /// Fails if interrupted; for loops that may never need to wait.
    pub(super) fn check_interrupt(&self) -> Result<(), Failure> {
        if self.cancel.is_cancelled() { Err(Failure::interrupted()) } else { Ok(()) }
    }

    /// Observes the whole cluster anew.
    pub(super) async fn observe(&mut self) -> ClusterResult<Arc<View>> {
        let view = Arc::new(View::observe_only(&*self.parts.cluster, &self.known(), self.cluster).await?);
        self.cluster = Some(view.cluster_id);
        self.endpoints = view.endpoints();
        self.view = Some(Arc::clone(&view));
        self.remember(&view.list());
        Ok(view)
    }

    /// Every endpoint that may lead to the cluster: where it was seen last, what was given, and the client URLs of the voters that the
    /// journal knows.
    fn known(&self) -> Vec<String> {
        let mut known = self.endpoints.clone();
        for url in self.plan.endpoints.iter().chain(self.journal.state().endpoints()) {
            if !known.contains(url) {
                known.push(url.clone());
            }
        }
        known
    }

    /// Writes to the journal where the cluster is found now, where that has changed since it was to be changed: whoever goes on with this
    /// run later may find none of the endpoints that were given. What cannot be written is tried again with the next look.
    fn remember(&mut self, list: &MemberList) {
        let state = self.journal.state();
        let urls = |list: &MemberList| -> BTreeSet<String> { list.voters().flat_map(|m| m.client_urls.clone()).collect() };
        let known = state.members.as_ref().map(urls);
        if known.is_some_and(|known| known != urls(list)) {
            let _ = self.record(Record::Seen { list: list.clone() });
        }
    }

    /// The leader's endpoint, from the last observation, or from a new one where there is none.
    pub(super) async fn leader(&mut self) -> ClusterResult<String> {
        let view = match &self.view {
            Some(view) => Arc::clone(view),
            None => self.observe().await?,
        };
        view.membership_endpoint().map(str::to_owned)
    }

    /// The member list, linearizable, from the leader. An error makes the next call look for the leader anew.
    pub(super) async fn member_list(&mut self) -> ClusterResult<MemberList> {
        let endpoint = self.leader().await?;
        let list = self.noted(self.parts.cluster.member_list(&endpoint).await)?;
        if self.cluster.is_some_and(|id| id != list.cluster_id) {
            // Another etcd listens there by now.
            self.view = None;
            let text = format!("cluster {:x} answers here by now", list.cluster_id);
            return Err(ClusterError::new(Reason::Unreachable, text, endpoint));
        }
        Ok(list)
    }

    /// Forgets the last observation if this call failed in a way that a new leader would explain.
    pub(super) fn noted<T>(&mut self, result: ClusterResult<T>) -> ClusterResult<T> {
        if result.as_ref().is_err_and(|e| matches!(e.class(), Class::Retry | Class::Ambiguous)) {
            self.view = None;
        }
        result
    }

    /// The member that this run works on: by the journal, or (after a lost answer) the learner with our peer URLs that was not there
    /// before and has never started. One that has started, or has a vote, is somebody else's: this run starts nothing that it does not
    /// know to have added.
    pub(super) fn ours(&self, list: &MemberList) -> Option<MemberId> {
        let state = self.journal.state();
        if let Some(id) = state.member() {
            return Some(id);
        }
        self.came_unanswered(list)
    }

    /// What came of an add of ours without an answer: the learner with our peer URLs that was not there before and has never started.
    pub(super) fn came_unanswered(&self, list: &MemberList) -> Option<MemberId> {
        let (before, _) = self.journal.state().before.as_ref()?;
        let member = list.by_peer_urls(&self.plan.peer_urls)?;
        (member.learner && !member.started() && before.get(member.id).is_none()).then_some(member.id)
    }

    /// Our member's ids, as they stand in its log; none while it was not added.
    pub(super) fn identity(&self) -> Option<Identity> {
        self.journal.state().identity()
    }

    /// Where this node stands, by the list and the data directory.
    pub(super) async fn standing(&self, list: &MemberList) -> Result<Standing, Failure> {
        let dir = self.parts.launcher.data_dir().await.map_err(Failure::launch)?;
        let path = self.parts.launcher.data_dir_path();
        Ok(adoption::standing(list, &self.plan.peer_urls, Some(&dir), &path.display().to_string()))
    }

    /// The data directory before this run touched it; none while the run has not got that far.
    pub(super) fn data_dir_before(&self) -> Option<&DataDir> {
        self.journal.state().before.as_ref().map(|(_, dir)| dir)
    }
}

fn settle(launcher: &dyn Launcher) -> Duration {
    SETTLE + 2 * launcher.election_timeout()
}

impl Patience {
    pub(super) fn new(step: Step, limit: Duration) -> Self {
        Self { step, deadline: Instant::now() + limit, limit, delay: FIRST_DELAY, said: None }
    }

    /// Gives time until then at least: what is waited for now has an end of its own.
    pub(super) fn prolong(&mut self, until: Instant) {
        let least = until + LONGEST_DELAY;
        if self.deadline < least {
            self.limit += least - self.deadline;
            self.deadline = least;
        }
    }

    /// Starts anew: what was waited for has come, or is another thing now.
    pub(super) fn renew(&mut self) {
        (self.deadline, self.delay) = (Instant::now() + self.limit, FIRST_DELAY);
    }

    /// Waits a little and says what for; fails when the limit has passed or the run was interrupted.
    pub(super) async fn wait(&mut self, run: &mut Run, reason: &str) -> Result<(), Failure> {
        let now = Instant::now();
        if now >= self.deadline {
            let text = format!("gave up after {}: {reason}", humantime::format_duration(self.limit));
            return Err(Failure::new(Outcome::TimedOut, text));
        }
        let fresh = !self.said.as_ref().is_some_and(|(text, at)| text == reason && now - *at < SAY_AGAIN);
        // The very first tries are quick and usually enough: nothing to say yet. Time that a call took counts, too.
        if fresh && self.limit - (self.deadline - now) > UNSAID {
            self.said = Some((reason.to_owned(), now));
            let left = Some(self.deadline - now);
            run.emit(EventKind::Waiting { step: self.step, reason: reason.to_owned(), left });
        }
        let pause = self.delay.min(self.deadline - now);
        // In proportion to what was waited already: whatever comes is met at most an eighth late.
        let waited = self.limit - (self.deadline - now) + pause;
        self.delay = (waited / 8).clamp(FIRST_DELAY, LONGEST_DELAY);
        run.pause(pause).await
    }

    /// The same for an error of the cluster: fails at once where trying again cannot help.
    pub(super) async fn wait_out(&mut self, run: &mut Run, doing: &str, error: &ClusterError) -> Result<(), Failure> {
        if error.class() == Class::Fatal {
            return Err(Failure::cluster(doing, error));
        }
        let waited = self.wait(run, &format!("{doing}: {error}")).await;
        waited.map_err(|failure| match crate::cluster::advice(error.reason) {
            Some(advice) if failure.outcome == Outcome::TimedOut => failure.hint(advice),
            _ => failure,
        })
    }
}

pub(super) fn journal_failure(error: &JournalError) -> Failure {
    let failure = Failure::new(Outcome::RolledBack, error.to_string());
    match error {
        JournalError::Busy { .. } => failure.hint("wait for it to end; `runner status` shows what it does"),
        JournalError::Untrusted { .. } => failure.hint(
            "look who made it (`ls -ld`); if it is what runner wrote, compare with `etcdctl member list`, then make it and its folder yours \
             alone (chown, chmod go-w)",
        ),
        JournalError::Io { .. } => {
            failure.hint("nothing is changed in the cluster without a journal: check the disk and --state-dir")
        }
        JournalError::Damaged { .. } => failure.hint(
            "compare `etcdctl member list` with the readable lines, set right what is left over, then move the file aside",
        ),
    }
}
