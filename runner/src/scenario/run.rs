//! A scenario, played to a component.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde_json::Value;

use super::cluster::{RAFT_INDEX, find};
use super::compare;
use super::file::Scenario;
use super::host_calls::HostCalls;
use super::report::{Difference, Report};
use crate::Problem;
use crate::cluster::{MemberId, View};
use crate::event::{Event, EventKind, EventSink};
use crate::pipeline::Sample;
use crate::plugins::{Answered, CallRecord, Circumstances, Limits, Question, Role, Specimen, ToldEvent};

/// What WASI's randomness follows from when a question is put a second time.
const OTHER_SEED: [u8; 32] = [0xa5; 32];

/// Plays a scenario of this file to a component: a fresh instance, no cluster, no network, the scenario's own time.
///
/// A guest that imports WASI is asked twice, with other randomness: what it answers must not depend on it.
pub async fn play(scenario: &Scenario, file: &str, specimen: &Specimen) -> Report {
    let started = Instant::now();
    let heard = Arc::new(Heard::default());
    let mut play = Play { scenario, specimen, heard: heard.clone(), differences: Vec::new(), usage: None };
    if let Err(what) = play.play().await {
        play.differences.push(Difference::said(what));
    }
    let log = heard.lines();
    for expected in scenario.expect.log.iter().filter(|e| !log.iter().any(|line| e.is_in(line))) {
        play.differences.push(Difference::said(format!("it did not log {:?}", expected.0)));
    }
    let Play { differences, usage, .. } = play;
    let (file, name) = (file.to_owned(), scenario.name.clone());
    Report { file, name, passed: differences.is_empty(), differences, log, usage, took: started.elapsed() }
}

struct Play<'a> {
    scenario: &'a Scenario,
    specimen: &'a Specimen,
    heard: Arc<Heard>,
    differences: Vec<Difference>,
    usage: Option<crate::event::Usage>,
}

/// What a promotion criterion is asked about: the cluster, the learner, and how far it was behind.
type Candidacy = (Arc<View>, MemberId, Arc<[Sample]>);

impl Play<'_> {
    /// Fails with what makes it pointless to go on.
    async fn play(&mut self) -> Result<(), String> {
        let (question, view) = self.question()?;
        let settings_only = matches!(question, Question::Settings);
        if settings_only && !self.specimen.checks_settings() {
            return Err("it does not check its settings".to_owned());
        }
        if self.specimen.checks_settings() && !settings_only && !self.accepts_settings().await? {
            return Ok(());
        }
        let calls = Arc::new(HostCalls::new(&self.scenario.host_calls, self.scenario.host_calls_in_order));
        let call = match self.ask(question.clone(), calls.clone(), None, self.heard.clone()).await {
            Ok(call) => call,
            Err(refused) => return self.refused(&refused),
        };
        self.usage = Some(call.usage);
        let member = |id: &str| {
            let id: MemberId = id.parse().ok()?;
            view.as_ref()?.get(id).map(|m| m.member.name.clone())
        };
        self.differences.extend(compare::answer(&self.scenario.expect, &call.result, &member));
        self.differences.extend(calls.differences().into_iter().map(Difference::said));
        if self.specimen.wasi() {
            self.ask_again(question, &call).await;
        }
        Ok(())
    }

    async fn ask(
        &self,
        question: Question,
        calls: Arc<HostCalls>,
        wasi_seed: Option<[u8; 32]>,
        sink: Arc<Heard>,
    ) -> Result<CallRecord, Problem> {
        let circumstances = Circumstances {
            settings: Value::Object(self.scenario.settings.clone()),
            grants: self.scenario.grants.clone(),
            answered_already: false,
            limits: Limits::default(),
            now: self.scenario.now,
            wasi_clock: Vec::new(),
            wasi_seed,
            surroundings: calls,
            sink,
        };
        self.specimen.ask(circumstances, question).await
    }

    /// Whether it can work with the scenario's settings; in a run it would not be asked anything else if not.
    async fn accepts_settings(&mut self) -> Result<bool, String> {
        let nothing = Arc::new(HostCalls::new(&[], false));
        let call = match self.ask(Question::Settings, nothing, None, self.heard.clone()).await {
            Ok(call) => call,
            Err(refused) => return self.refused(&refused).map(|()| false),
        };
        if matches!(&call.result, Ok(Answered::Problems(problems)) if problems.is_empty()) {
            return Ok(true);
        }
        let got = compare::lines(&call.result);
        self.differences.push(Difference { what: "it refuses its settings".to_owned(), expected: Vec::new(), got });
        Ok(false)
    }

    fn refused(&self, refused: &Problem) -> Result<(), String> {
        match &self.scenario.expect.refused {
            Some(pattern) if pattern.fits(&refused.message) => Ok(()),
            _ => Err(format!("{}; {}", refused.message, refused.hints.join("; ")).trim_end_matches("; ").to_owned()),
        }
    }

    /// Puts the question again, with other randomness from WASI.
    async fn ask_again(&mut self, question: Question, first: &CallRecord) {
        let calls = Arc::new(HostCalls::new(&self.scenario.host_calls, self.scenario.host_calls_in_order));
        let again = self.ask(question, calls, Some(OTHER_SEED), Arc::default()).await;
        let Ok(again) = again else { return };
        let same = match (&first.result, &again.result) {
            (Ok(first), Ok(again)) => first == again,
            (Err(first), Err(again)) => first.kind == again.kind && first.message == again.message,
            _ => false,
        };
        if !same || first.asked_blotted() != again.asked_blotted() {
            self.differences.push(Difference {
                what:
                    "asked the same again, with other randomness from WASI, it did not do the same: its answer must follow \
                       from its facts, settings and clock (the order of a hash table is random)"
                        .to_owned(),
                expected: compare::lines(&first.result),
                got: compare::lines(&again.result),
            });
        }
    }

    /// The question that the scenario puts, and the cluster that it is about.
    fn question(&self) -> Result<(Question, Option<Arc<View>>), String> {
        let scenario = self.scenario;
        if scenario.expect.problems.is_some() {
            return Ok((Question::Settings, None));
        }
        match self.role()? {
            Role::HealthCheck => {
                let view = Arc::new(scenario.cluster.view(scenario.now)?);
                let newcomer = Arc::new(scenario.newcomer.newcomer());
                Ok((Question::HealthCheck { view: view.clone(), newcomer }, Some(view)))
            }
            Role::Promotion => {
                let (view, candidate, window) = self.promotion()?;
                Ok((Question::Promotion { view: view.clone(), candidate, window }, Some(view)))
            }
            Role::Notifier => {
                let events = scenario.events.iter().flatten().map(|fields| {
                    let (kind, at, json) = super::facts::event(fields, scenario.now)?;
                    Ok(ToldEvent { kind, at_ms: u64::try_from(at.as_millisecond()).unwrap_or(0), json })
                });
                Ok((Question::Notifier { events: events.collect::<Result<_, String>>()? }, None))
            }
        }
    }

    fn promotion(&self) -> Result<Candidacy, String> {
        let scenario = self.scenario;
        let window = |view: &Arc<View>| match &scenario.samples {
            Some(samples) => samples.window(scenario.now, view.leader, &|named| find(view, named)),
            None => Ok(Vec::new()),
        };
        let mut facts = scenario.cluster.clone();
        let mut view = Arc::new(facts.view(scenario.now)?);
        let samples = window(&view)?;
        let learner = |view: &Arc<View>| view.members.iter().map(|m| &m.member).find(|m| m.learner).map(|m| m.id);
        let candidate = match &scenario.candidate {
            Some(named) => find(&view, named).ok_or_else(|| format!("candidate: there is no member {named}"))?,
            None => match learner(&view) {
                Some(id) => id,
                None => {
                    let applied = samples.last().map_or(RAFT_INDEX, |sample| sample.applied_index);
                    facts.add_learner(&scenario.newcomer.name, applied);
                    view = Arc::new(facts.view(scenario.now)?);
                    learner(&view).ok_or("candidate: the cluster has no learner")?
                }
            },
        };
        Ok((view, candidate, samples.into()))
    }

    /// The role that is asked: as said, by what is expected, by the facts, or the only one that there is.
    fn role(&self) -> Result<Role, String> {
        let Scenario { role, expect, events, samples, .. } = self.scenario;
        let has = self.specimen.roles();
        let said = role
            .or_else(|| expect.verdict.is_some().then_some(Role::Promotion))
            .or_else(|| expect.findings.is_some().then_some(Role::HealthCheck))
            .or_else(|| expect.told.is_some().then_some(Role::Notifier))
            .or_else(|| events.is_some().then_some(Role::Notifier))
            .or_else(|| samples.is_some().then_some(Role::Promotion));
        match (said, has) {
            (Some(role), _) => Ok(role),
            (None, [only]) => Ok(*only),
            (None, roles) => {
                let names: Vec<&str> = roles.iter().map(|role| role.name()).collect();
                Err(format!("the scenario does not say which role is asked; write `role:` with one of {}", names.join(", ")))
            }
        }
    }
}

/// Keeps what a plugin says.
#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Heard {
    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl EventSink for Heard {
    fn emit(&self, event: Event) {
        if let EventKind::PluginLog { level, message, .. } = event.kind {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{level}: {message}"));
        }
    }
}
