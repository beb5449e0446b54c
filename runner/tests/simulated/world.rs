//! One simulated world with a run in it: start it, kill it, go on, undo, and judge what is left.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use runner::cluster::simulated::{Builder, By, Faults, Incident, Moment, MutationKind, Simulation};
use runner::cluster::{MemberId, View};
use runner::event::{Event, EventKind, EventSink};
use runner::kubernetes::lease::memory::MemoryLease;
use runner::kubernetes::{Locks, Names, Notices};
use runner::pipeline::{
    Answer, Conclusion, DataDir, FailurePolicy, Fault, Finding, Gate, Interrupt, JoinLock, JoinPlan, Journal, Newcomer,
    OnApprovalTimeout, Operation, Outcome, Parts, Platform, Policy, PolicyError, Sample, StaleLearner, Timeouts, Verdict,
    Waiver, check_for_worker, execute,
};

/// The etcd versions that are simulated.
pub(crate) const VERSIONS: [&str; 4] = ["3.4.23", "3.5.35", "3.6.16", "3.7.3"];

/// The joining machine's name.
pub(crate) const NODE: &str = "newcomer";

/// A simulated cluster, and the journal and events of a run on one machine.
pub(crate) struct World {
    pub(crate) simulation: Simulation,
    journal: Arc<Mutex<Vec<u8>>>,
    events: Arc<Events>,
    verdicts: Arc<Verdicts>,
    monitors: Option<Arc<Verdicts>>,
    plan: JoinPlan,
    lease: Option<Arc<MemoryLease>>,
    platform: Option<Arc<dyn Platform>>,
}

/// Everything that was told.
#[derive(Default)]
pub(crate) struct Events(Mutex<Vec<Event>>);

/// Plugins that say what the test wants: the verdicts in turn, then approval.
#[derive(Default)]
pub(crate) struct Verdicts {
    pub(crate) findings: Mutex<Vec<Finding>>,
    pub(crate) promotion: Mutex<Vec<Verdict>>,
    pub(crate) waivers: Mutex<Vec<Waiver>>,
    /// Fails instead of answering.
    pub(crate) fault: Mutex<Option<Fault>>,
    /// How long every answer takes.
    pub(crate) takes: Mutex<Duration>,
    /// How many questions were put to the promotion criterion.
    pub(crate) asked: AtomicUsize,
}

impl World {
    pub(crate) fn new(builder: Builder) -> Self {
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
            on_approval_timeout: OnApprovalTimeout::Undo,
        };
        Self {
            simulation,
            journal: Arc::default(),
            events: Arc::default(),
            verdicts: Arc::default(),
            monitors: None,
            plan,
            lease: None,
            platform: None,
        }
    }

    /// A cluster of this version and size, with these faults.
    pub(crate) fn of(version: &str, voters: usize, faults: Faults) -> Self {
        Self::new(Simulation::builder().version(version).voters(voters).write_rate(200).faults(faults).seed(7))
    }

    pub(crate) fn plan_mut(&mut self) -> &mut JoinPlan {
        &mut self.plan
    }

    pub(crate) fn verdicts(&self) -> &Verdicts {
        &self.verdicts
    }

    /// Plugins in monitor mode, beside the others.
    pub(crate) fn monitors(&mut self) -> &Verdicts {
        self.monitors.get_or_insert_default()
    }

    /// Kubernetes is there: from now on there is a Lease beside etcd's lock.
    pub(crate) fn with_lease(&mut self) -> Arc<MemoryLease> {
        self.lease.get_or_insert_default().clone()
    }

    pub(crate) fn with_platform(&mut self, platform: Arc<dyn Platform>) {
        self.platform = Some(platform);
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.events.0.lock().unwrap().clone()
    }

    /// Runs the operation to its end.
    pub(crate) async fn run(&self, operation: Operation) -> Conclusion {
        self.interruptible(operation, Interrupt::default()).await
    }

    pub(crate) async fn interruptible(&self, operation: Operation, interrupt: Interrupt) -> Conclusion {
        let journal = Journal::in_memory(&self.journal).unwrap();
        let (lock, locks) = self.lock(operation != Operation::Join);
        let parts = self.parts(lock);
        let conclusion = execute(operation, self.plan.clone(), serde_json::Value::Null, parts, journal, interrupt).await;
        // What the command does at its end, however the run ended.
        if let Some(locks) = locks {
            locks.release_lease().await;
        }
        conclusion
    }

    /// Judges the cluster for a worker that wants to join.
    pub(crate) async fn check_for_worker(&self) -> Conclusion {
        let parts = self.parts(self.lock(false).0);
        check_for_worker(self.plan.clone(), parts, Interrupt::default()).await
    }

    fn parts(&self, lock: Arc<dyn JoinLock>) -> Parts {
        Parts {
            cluster: self.simulation.cluster(),
            launcher: self.simulation.launcher(NODE),
            lock,
            policy: self.verdicts.clone(),
            monitors: self.monitors.clone().map(|m| m as Arc<dyn Policy>),
            platform: self.platform.clone(),
            sink: self.events.clone(),
        }
    }

    /// etcd's lock, and the Lease with it where there is Kubernetes.
    fn lock(&self, resumed: bool) -> (Arc<dyn JoinLock>, Option<Arc<Locks>>) {
        let etcd = self.simulation.lock(&self.plan.run, NODE);
        let Some(lease) = self.lease.clone() else { return (etcd, None) };
        let (run, notices) = (self.plan.run.clone(), Notices::new(self.events.clone()));
        let locks = Arc::new(Locks::new(etcd, lease, &Names::default(), run, NODE.to_owned(), resumed, notices));
        (locks.clone(), Some(locks))
    }

    /// Runs the operation, and kills the runner in its k-th call; none where it died.
    pub(crate) async fn run_until_crash(&self, operation: Operation, k: u64, moment: Moment) -> Option<Conclusion> {
        self.simulation.run_until_crash(k, moment, self.run(operation)).await
    }

    /// Whether a run is in the journal that has not come to its end.
    pub(crate) fn unfinished(&self) -> bool {
        Journal::in_memory(&self.journal).unwrap().state().unfinished()
    }

    /// Forgets that the run came to its end: as if the runner had died just before it wrote that.
    pub(crate) fn forget_the_end(&self) {
        let mut lines = self.journal.lock().unwrap();
        let end = lines[..lines.len() - 1].iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        lines.truncate(end);
    }

    /// The journal's last word, for messages.
    pub(crate) fn story(&self) -> String {
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
    pub(crate) fn heal(&self) {
        for incident in [Incident::Accept, Incident::Show, Incident::Heal, Incident::CatchUpRate(50_000), Incident::Disarm] {
            self.simulation.incident(incident);
        }
        for voter in 1..=self.plan.endpoints.len() {
            self.simulation.incident(Incident::Restart(self.simulation.voter(voter)));
        }
    }

    /// Judges what is left: promoted, or as it was; never between. Returns whether it is promoted.
    pub(crate) fn judge(&self) -> Result<bool, String> {
        let (now, before) = (self.simulation.members(), self.simulation.baseline());
        let rivals: Vec<MemberId> = now
            .members
            .iter()
            .map(|m| m.id)
            .filter(|id| before.get(*id).is_none() && !self.simulation.added().contains(id))
            .collect();
        if let Some(lost) = before.members.iter().find(|m| now.get(m.id).is_none()) {
            return Err(format!("a member that was there before is gone: {lost:?}"));
        }
        if let Some(id) = self.simulation.removed().iter().find(|id| !self.simulation.added().contains(id)) {
            return Err(format!("removed {id}, which it had not added"));
        }
        let ours: Vec<_> = now.members.iter().filter(|m| before.get(m.id).is_none() && !rivals.contains(&m.id)).collect();
        match ours.as_slice() {
            [] => {}
            [member] if member.voter() => return Ok(true),
            others => return Err(format!("left between: {others:?}")),
        }
        if self.taken_away() {
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

    /// Whether somebody else removed our member after it had become a voter: then its data is theirs to look at.
    fn taken_away(&self) -> bool {
        let changes = self.simulation.mutations();
        let promoted = |id| changes.iter().any(|m| m.kind == MutationKind::Promoted && m.id == id);
        changes.iter().any(|m| m.kind == MutationKind::Removed && m.by == By::Rival && promoted(m.id))
    }

    /// The same, with a panic that tells everything.
    #[track_caller]
    pub(crate) fn must_be_whole(&self, context: &str) -> bool {
        self.judge().unwrap_or_else(|what| panic!("{context}: {what}\n{}", self.story()))
    }

    /// The conclusion must say what is the case.
    #[track_caller]
    pub(crate) fn must_tell_the_truth(&self, conclusion: &Conclusion, context: &str) {
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
    async fn ready(&self) -> Result<(), PolicyError> {
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
pub(crate) fn virtually<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        // No simulated run may take longer than a day: that would be a hang.
        tokio::time::timeout(Duration::from_secs(24 * 3600), test).await.expect("hangs")
    })
}
