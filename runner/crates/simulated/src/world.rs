//! One simulated world with a run in it: start it, kill it, go on, undo, and judge what is left.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::{Builder, By, Faults, Incident, Moment, MutationKind, Simulation};
use async_trait::async_trait;
use runner_core::Problem;
use runner_core::cluster::{Cluster, MemberId, View};
use runner_core::event::{Event, EventKind, EventSink};
use runner_core::pipeline::{
    Answer, Conclusion, DataDir, Failure, Fault, Finding, FromData, Gate, Interrupt, JoinLock, JoinPlan, Journal, Newcomer,
    Operation, Parts, Platform, Policy, Record, Sample, Timeouts, Verdict, Waiver, check_for_worker, execute,
    start_from_data,
};
use runner_core::terms::{FailurePolicy, OnApprovalTimeout, Outcome, Severity, SilentLearner, StaleLearner};

/// The etcd versions that are simulated.
pub const VERSIONS: [&str; 4] = ["3.4.23", "3.5.35", "3.6.16", "3.7.3"];

/// The joining machine's name.
pub const NODE: &str = "newcomer";

/// A simulated cluster, and the journal and events of a run on one machine.
pub struct World {
    /// The cluster.
    pub simulation: Simulation,
    journal: Arc<Mutex<Vec<u8>>>,
    events: Arc<Events>,
    verdicts: Arc<Verdicts>,
    monitors: Option<Arc<Verdicts>>,
    plan: JoinPlan,
    outer_lock: Option<LockOver>,
    platform: Option<Arc<dyn Platform>>,
    over: Option<Over>,
}

/// Puts a cluster over another one.
pub type Over = Box<dyn Fn(Arc<dyn Cluster>) -> Arc<dyn Cluster>>;

/// A lock around etcd's, such as Kubernetes' Lease; made for each run.
pub type LockOver = Box<dyn Fn(InnerLock) -> Arc<dyn OuterLock>>;

/// What a lock around etcd's is made of.
pub struct InnerLock {
    /// etcd's own lock.
    pub lock: Arc<dyn JoinLock>,
    /// The run's id.
    pub run: String,
    /// Whether an earlier runner of this run may have left the lock.
    pub resumed: bool,
    /// Where to tell what is wrong with it.
    pub sink: Arc<dyn EventSink>,
}

/// A lock that has an end of its own, after the run's.
#[async_trait]
pub trait OuterLock: JoinLock {
    /// Gives up what the run may have left.
    async fn end(&self);
}

/// Everything that was told.
#[derive(Default)]
pub struct Events(Mutex<Vec<Event>>);

/// Plugins that say what the test wants: the verdicts in turn, then approval.
#[derive(Default)]
pub struct Verdicts {
    /// The findings of every health check.
    pub findings: Mutex<Vec<Finding>>,
    /// The verdicts on the promotion, in turn; then approval.
    pub promotion: Mutex<Vec<Verdict>>,
    /// The policy's waivers.
    pub waivers: Mutex<Vec<Waiver>>,
    /// Fails instead of answering.
    pub fault: Mutex<Option<Fault>>,
    /// How long every answer takes.
    pub takes: Mutex<Duration>,
    /// How many questions were put to the promotion criterion.
    pub asked: AtomicUsize,
}

/// What a health check finds once the maintenance window has closed.
pub fn closed() -> Finding {
    Finding {
        severity: Severity::Error,
        code: "closed".to_owned(),
        message: "the window is closed".to_owned(),
        remedy: None,
        member: None,
    }
}

impl World {
    /// A world with this cluster in it, and a newcomer with the default plan.
    pub fn new(builder: Builder) -> Self {
        let simulation = builder.build();
        let plan = JoinPlan {
            run: "run-1".to_owned(),
            name: NODE.to_owned(),
            peer_urls: vec![simulation.peer_url(NODE)],
            client_urls: vec![simulation.client_url(NODE)],
            endpoints: simulation.endpoints(),
            gate: Gate::default(),
            timeouts: Timeouts::default(),
            stale_learner: StaleLearner::Wait,
            silent_learner: SilentLearner::Restart,
            on_approval_timeout: OnApprovalTimeout::Undo,
        };
        Self {
            simulation,
            journal: Arc::default(),
            events: Arc::default(),
            verdicts: Arc::default(),
            monitors: None,
            plan,
            outer_lock: None,
            platform: None,
            over: None,
        }
    }

    /// A cluster of this version and size, with these faults.
    pub fn of(version: &str, voters: usize, faults: Faults) -> Self {
        Self::new(Simulation::builder().version(version).voters(voters).write_rate(200).faults(faults).seed(7))
    }

    /// What the run is to do, to be changed before it.
    pub fn plan_mut(&mut self) -> &mut JoinPlan {
        &mut self.plan
    }

    /// What the plugins say.
    pub fn verdicts(&self) -> &Verdicts {
        &self.verdicts
    }

    /// Plugins in monitor mode, beside the others.
    pub fn monitors(&mut self) -> &Verdicts {
        self.monitors.get_or_insert_default()
    }

    /// From now on there is another lock around etcd's.
    pub fn lock_over(&mut self, over: LockOver) {
        self.outer_lock = Some(over);
    }

    /// Kubernetes' side of the run.
    pub fn with_platform(&mut self, platform: Arc<dyn Platform>) {
        self.platform = Some(platform);
    }

    /// From now on the runner reaches the cluster through this.
    pub fn over(&mut self, over: Over) {
        self.over = Some(over);
    }

    /// The cluster as the runner reaches it.
    pub fn cluster(&self) -> Arc<dyn Cluster> {
        let cluster: Arc<dyn Cluster> = self.simulation.cluster();
        self.over.as_ref().map_or_else(|| cluster.clone(), |over| over(cluster.clone()))
    }

    /// What was told so far, without the progress of the sync.
    pub fn events(&self) -> Vec<Event> {
        self.events.0.lock().unwrap().clone()
    }

    /// Runs the operation to its end.
    pub async fn run(&self, operation: Operation) -> Conclusion {
        self.interruptible(operation, Interrupt::default()).await
    }

    /// Runs the operation to its end, which an interrupt may bring nearer.
    pub async fn interruptible(&self, operation: Operation, interrupt: Interrupt) -> Conclusion {
        let journal = Journal::in_memory(&self.journal).unwrap();
        let (lock, outer) = self.lock(operation != Operation::Join);
        let parts = self.parts(lock);
        let conclusion = execute(operation, self.plan.clone(), serde_json::Value::Null, parts, journal, interrupt).await;
        // What the command does at its end, however the run ended.
        if let Some(outer) = outer {
            outer.end().await;
        }
        conclusion
    }

    /// `runner start`: starts the member from its data.
    pub async fn start(&self) -> Result<FromData, Failure> {
        let state = Journal::in_memory(&self.journal).unwrap().state().clone();
        start_from_data(&*self.simulation.launcher(NODE), &*self.cluster(), &self.plan, &state).await
    }

    /// `runner rollback --abandon`.
    pub fn abandon(&self) {
        let mut journal = Journal::in_memory(&self.journal).unwrap();
        journal.write(Record::Finished { outcome: Outcome::Overtaken }).unwrap();
    }

    /// Judges the cluster for a worker that wants to join.
    pub async fn check_for_worker(&self) -> Conclusion {
        let parts = self.parts(self.lock(false).0);
        check_for_worker(self.plan.clone(), parts, Interrupt::default()).await
    }

    fn parts(&self, lock: Arc<dyn JoinLock>) -> Parts {
        Parts {
            cluster: self.cluster(),
            launcher: self.simulation.launcher(NODE),
            lock,
            policy: self.verdicts.clone(),
            monitors: self.monitors.clone().map(|m| m as Arc<dyn Policy>),
            platform: self.platform.clone(),
            sink: self.events.clone(),
        }
    }

    /// etcd's lock, and what is around it.
    fn lock(&self, resumed: bool) -> (Arc<dyn JoinLock>, Option<Arc<dyn OuterLock>>) {
        let etcd: Arc<dyn JoinLock> = self.simulation.lock(&self.plan.run, NODE);
        let Some(over) = &self.outer_lock else { return (etcd, None) };
        let outer = over(InnerLock { lock: etcd, run: self.plan.run.clone(), resumed, sink: self.events.clone() });
        (outer.clone(), Some(outer))
    }

    /// Runs the operation, and kills the runner in its k-th call; none where it died.
    pub async fn run_until_crash(&self, operation: Operation, k: u64, moment: Moment) -> Option<Conclusion> {
        self.simulation.run_until_crash(k, moment, self.run(operation)).await
    }

    /// Whether a run is in the journal that has not come to its end.
    pub fn unfinished(&self) -> bool {
        Journal::in_memory(&self.journal).unwrap().state().unfinished()
    }

    /// The state folder is gone: the next run knows nothing of this one.
    pub fn forget_the_run(&self) {
        self.journal.lock().unwrap().clear();
    }

    /// Forgets that the run came to its end: as if the runner had died just before it wrote that.
    pub fn forget_the_end(&self) {
        let mut lines = self.journal.lock().unwrap();
        let end = lines[..lines.len() - 1].iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        lines.truncate(end);
    }

    /// The journal's last word, for messages.
    pub fn story(&self) -> String {
        let journal = String::from_utf8_lossy(&self.journal.lock().unwrap()).into_owned();
        let calls: Vec<String> = self
            .simulation
            .trace()
            .iter()
            .map(|c| format!("{:?} {} {:?} {} {:?}", c.at, c.number, c.op, c.endpoint, c.error))
            .collect();
        let history: Vec<String> = self.simulation.history().iter().map(|(at, what)| format!("{at:?} {what}")).collect();
        format!("journal:\n{journal}\ncalls:\n{}\nhistory:\n{}", calls.join("\n"), history.join("\n"))
    }

    /// Everything works again: the moment at which a person (or systemd) would run `resume`.
    pub fn heal(&self) {
        for incident in [Incident::Accept, Incident::Show, Incident::Heal, Incident::CatchUpRate(50_000), Incident::Disarm] {
            self.simulation.incident(incident);
        }
        for voter in 1..=self.plan.endpoints.len() {
            self.simulation.incident(Incident::Restart(self.simulation.voter(voter)));
        }
    }

    /// A person mends what was broken, and runs `resume` until there is nothing to resume.
    pub async fn mend(&self) {
        for _ in 0..3 {
            self.heal();
            tokio::time::sleep(Duration::from_secs(30)).await;
            if !self.unfinished() {
                break;
            }
            self.run(Operation::Resume).await;
        }
    }

    /// Nothing of others was touched, whatever became of the run: no member that was there before is gone, nothing was removed that the
    /// run had not added, and there were never two learners of its own.
    pub fn others_are_whole(&self) -> Result<(), String> {
        let (now, before) = (self.simulation.members(), self.simulation.baseline());
        if let Some(lost) = before.members.iter().find(|m| now.get(m.id).is_none()) {
            return Err(format!("a member that was there before is gone: {lost:?}"));
        }
        if let Some(id) = self.simulation.removed().iter().find(|id| !self.simulation.added().contains(id)) {
            return Err(format!("removed {id}, which it had not added"));
        }
        if let Some(id) = self.voters_of_others_removed().first() {
            return Err(format!("removed {id}, which somebody else had made a voter"));
        }
        for (node, id) in self.simulation.rejoined() {
            let its = DataDir::Member { cluster_id: now.cluster_id, member_id: id };
            if !now.get(id).is_some_and(|m| m.voter()) {
                return Err(format!("{id}, which others had put on {node}, is no voter any more"));
            }
            if self.simulation.data_dir(&node) != its || !self.simulation.runs(&node) {
                return Err(format!("{id}, which others had put on {node}, has lost its data or its process"));
            }
        }
        self.never_two_learners()
    }

    /// Members that somebody else promoted and the runner removed.
    fn voters_of_others_removed(&self) -> Vec<MemberId> {
        let changes = self.simulation.mutations();
        let by_others = |id| changes.iter().any(|m| m.id == id && m.kind == MutationKind::Promoted && m.by == By::Rival);
        let removed = changes.iter().filter(|m| m.kind == MutationKind::Removed && m.by == By::Runner).map(|m| m.id);
        removed.filter(|id| by_others(*id)).collect()
    }

    /// Judges what is left: promoted, or as it was; never between. Returns whether it is promoted.
    pub fn judge(&self) -> Result<bool, String> {
        let (now, before) = (self.simulation.members(), self.simulation.baseline());
        self.others_are_whole()?;
        let rivals: Vec<MemberId> = now
            .members
            .iter()
            .map(|m| m.id)
            .filter(|id| before.get(*id).is_none() && !self.simulation.added().contains(id))
            .collect();
        let ours: Vec<_> = now.members.iter().filter(|m| before.get(m.id).is_none() && !rivals.contains(&m.id)).collect();
        match ours.as_slice() {
            [] => {}
            [member] if member.voter() => return Ok(true),
            others => return Err(format!("left between: {others:?}")),
        }
        if self.taken_away() || !self.simulation.rejoined().is_empty() {
            return Ok(false);
        }
        if self.simulation.runs(NODE) {
            return Err("the member's etcd still runs".to_owned());
        }
        match self.simulation.data_dir(NODE) {
            DataDir::Absent => {}
            left => return Err(format!("the data directory is left: {left:?}")),
        }
        match self.simulation.lock_holder() {
            Some(holder) if holder == self.plan.run => Err("the lock is still held".to_owned()),
            _ => Ok(false),
        }
    }

    /// At no moment more than one learner that the runner added.
    fn never_two_learners(&self) -> Result<(), String> {
        let mut learners: Vec<MemberId> = Vec::new();
        for change in self.simulation.mutations() {
            match change.kind {
                MutationKind::Added if change.by == By::Runner => learners.push(change.id),
                MutationKind::Added => {}
                MutationKind::Promoted | MutationKind::Removed => learners.retain(|id| *id != change.id),
            }
            if learners.len() > 1 {
                return Err(format!("two learners of ours at once: {learners:?}"));
            }
        }
        Ok(())
    }

    /// Whether somebody else removed our member after it had become a voter: then its data is theirs to look at.
    fn taken_away(&self) -> bool {
        let changes = self.simulation.mutations();
        let promoted = |id| changes.iter().any(|m| m.kind == MutationKind::Promoted && m.id == id);
        changes.iter().any(|m| m.kind == MutationKind::Removed && m.by == By::Rival && promoted(m.id))
    }

    /// The same, with a panic that tells everything.
    #[track_caller]
    pub fn must_be_whole(&self, context: &str) -> bool {
        self.judge().unwrap_or_else(|what| panic!("{context}: {what}\n{}", self.story()))
    }

    /// The conclusion must say what is the case.
    #[track_caller]
    pub fn must_tell_the_truth(&self, conclusion: &Conclusion, context: &str) {
        let promoted = self.must_be_whole(context);
        let said = conclusion.outcome == Outcome::Joined;
        assert_eq!(said, promoted, "{context}: said {conclusion:?}\n{}", self.story());
    }
}

impl EventSink for Events {
    fn emit(&self, event: Event) {
        if !matches!(event.kind, EventKind::SyncProgress(_)) {
            self.0.lock().unwrap().push(event);
        }
    }
}

#[async_trait]
impl Policy for Verdicts {
    async fn ready(&self) -> Result<(), Problem> {
        Ok(())
    }

    async fn check(&self, _view: &Arc<View>, _newcomer: &Newcomer) -> Vec<Answer<Vec<Finding>>> {
        self.think().await;
        vec![self.answer(self.findings.lock().unwrap().clone())]
    }

    async fn evaluate(&self, view: &Arc<View>, candidate: MemberId, window: &Arc<[Sample]>) -> Vec<Answer<Verdict>> {
        assert!(view.get(candidate).is_some() && !window.is_empty());
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.think().await;
        let mut verdicts = self.promotion.lock().unwrap();
        vec![self.answer(if verdicts.is_empty() { Verdict::Approve } else { verdicts.remove(0) })]
    }

    async fn notify(&self, events: &[Event]) -> Vec<Answer<()>> {
        assert!(matches!(events.last().map(|e| &e.kind), Some(EventKind::RunFinished { .. })));
        vec![self.answer(())]
    }
}

impl Verdicts {
    async fn think(&self) {
        let takes = *self.takes.lock().unwrap();
        tokio::time::sleep(takes).await;
    }

    fn answer<T>(&self, value: T) -> Answer<T> {
        let fault = self.fault.lock().unwrap().clone();
        Answer {
            plugin: "test".to_owned(),
            result: fault.map_or(Ok(value), Err),
            failure_policy: FailurePolicy::Fail,
            waivers: self.waivers.lock().unwrap().clone().into(),
            usage: Default::default(),
        }
    }
}

/// Runs a test in virtual time.
pub fn virtually<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        // No simulated run may take longer than a day: that would be a hang.
        tokio::time::timeout(Duration::from_secs(24 * 3600), test).await.expect("hangs")
    })
}
