//! Plugins in monitor mode: asked like the others, in the background, and reported when they have answered. What they say never
//! refuses a join, and the run waits at most a moment for it ([`GRACE`], once a question).

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use super::run::Run;
use super::steps::check;
use super::{Answer, Finding, Newcomer, Sample, Verdict};
use crate::cluster::{MemberId, View};
use crate::event::EventKind;
use crate::terms::VerdictKind;

/// Questions that are under way; dropping them ends the calls.
#[derive(Default)]
pub(super) struct Monitored {
    checks: Option<(Arc<View>, Call<Vec<Finding>>)>,
    promotion: Option<Call<Verdict>>,
}

type Call<T> = AbortOnDropHandle<Vec<Answer<T>>>;

/// How long an answer is waited for where the run could go on: a plugin of ordinary speed answers within a millisecond, and its
/// word then stands with the step that it is about.
pub(super) const GRACE: Duration = Duration::from_millis(50);

/// Asks the monitored health checks.
pub(super) fn ask_checks(run: &mut Run, view: &Arc<View>, newcomer: &Newcomer) {
    let Some(monitors) = run.parts.monitors.clone() else { return };
    let (seen, newcomer) = (Arc::clone(view), newcomer.clone());
    let call = tokio::spawn(async move { monitors.check(&seen, &newcomer).await });
    run.monitored.checks = Some((Arc::clone(view), AbortOnDropHandle::new(call)));
}

/// Asks the monitored promotion criteria, unless they have not answered yet to what they were asked before; returns how long their
/// answers are to be waited for. Nothing is waited for a second time: a slow plugin delays a run once for each of its answers.
pub(super) fn ask_promotion(run: &mut Run, view: &Arc<View>, candidate: MemberId, window: &Arc<[Sample]>) -> Duration {
    let Some(monitors) = run.parts.monitors.clone() else { return Duration::ZERO };
    if run.monitored.promotion.is_some() {
        return Duration::ZERO;
    }
    let (view, window) = (Arc::clone(view), Arc::clone(window));
    let call = tokio::spawn(async move { monitors.evaluate(&view, candidate, &window).await });
    run.monitored.promotion = Some(AbortOnDropHandle::new(call));
    GRACE
}

/// Tells what has been answered by now, or within `patience`; what has not stays under way.
pub(super) async fn tell(run: &mut Run, patience: Duration) {
    let until = Instant::now() + patience;
    if let Some((view, mut call)) = run.monitored.checks.take() {
        match timeout_at(until, &mut call).await {
            Ok(answers) => answers.into_iter().flatten().for_each(|answer| check::tell_monitored(run, &view, answer)),
            Err(_) => run.monitored.checks = Some((view, call)),
        }
    }
    if let Some(mut call) = run.monitored.promotion.take() {
        match timeout_at(until, &mut call).await {
            Ok(answers) => answers.into_iter().flatten().for_each(|answer| tell_promotion(run, answer)),
            Err(_) => run.monitored.promotion = Some(call),
        }
    }
}

fn tell_promotion(run: &mut Run, answer: Answer<Verdict>) {
    let (would, reason) = match answer.result {
        Ok(verdict) => verdict.word(),
        Err(fault) => (VerdictKind::Failed, fault.message),
    };
    tell_verdict(run, answer.plugin, would, reason, answer.usage);
}

/// Tells a verdict that does not count.
pub(super) fn tell_verdict(run: &mut Run, plugin: String, would: VerdictKind, reason: String, usage: crate::event::Usage) {
    run.emit(EventKind::PluginVerdict { plugin, verdict: VerdictKind::Monitored, would: Some(would), reason, usage });
}
