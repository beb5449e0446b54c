//! Part of sync: the promotion plugins are asked, once the built-in gate is open. Their approval must be unanimous.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::add_learner::removed_by_other;
use crate::cluster::{MemberId, View};
use crate::event::EventKind;
use crate::pipeline::run::Run;
use crate::pipeline::{Answer, Failure, Sample, Verdict, monitor};
use crate::terms::{FailurePolicy, OnApprovalTimeout, Outcome, VerdictKind};

/// What the plugins say, all together.
pub(super) enum Answered {
    Approved,
    /// Ask again after this time, or with the next sample.
    Later(Duration),
}

/// What came of one round of questions.
#[derive(Default)]
struct Round {
    /// The first refusal or failure, in the plugins' order.
    failure: Option<Failure>,
    /// How long to wait, by the plugin that asks for most.
    later: Option<Duration>,
    reasons: Vec<String>,
}

/// Asks every promotion plugin. `opened` is when they were asked first.
pub(super) async fn ask(run: &mut Run, view: &Arc<View>, id: MemberId, opened: Instant) -> Result<Answered, Failure> {
    if view.get(id).is_none() {
        return Err(removed_by_other(id));
    }
    let window: Arc<[Sample]> = run.window.to_vec().into();
    monitor::tell(run, Duration::ZERO).await;
    let grace = monitor::ask_promotion(run, view, id, &window);
    let answers = run.parts.policy.clone().evaluate(view, id, &window).await;
    let mut round = Round::default();
    for answer in answers {
        round.take(run, answer);
    }
    monitor::tell(run, grace).await;
    if let Some(failure) = round.failure {
        return Err(failure);
    }
    let Some(later) = round.later else { return Ok(Answered::Approved) };
    if opened.elapsed() >= run.plan.timeouts.approval {
        return Err(not_approved(run, &round.reasons));
    }
    Ok(Answered::Later(later))
}

impl Round {
    fn take(&mut self, run: &mut Run, answer: Answer<Verdict>) {
        let Answer { plugin, result, failure_policy, usage, .. } = answer;
        let (verdict, reason) = match result {
            Ok(verdict) => {
                self.count(&plugin, &verdict);
                verdict.word()
            }
            Err(fault) if failure_policy == FailurePolicy::Ignore => (VerdictKind::Ignored, fault.message),
            Err(fault) => {
                self.failure.get_or_insert(Failure::plugin(&plugin, &fault));
                (VerdictKind::Failed, fault.message)
            }
        };
        run.emit(EventKind::PluginVerdict { plugin, verdict, would: None, reason, usage });
    }

    fn count(&mut self, plugin: &str, verdict: &Verdict) {
        match verdict {
            Verdict::Approve => {}
            Verdict::Wait { reason, retry_after } => {
                self.later = self.later.max(Some(retry_after.unwrap_or(Duration::ZERO)));
                self.reasons.push(format!("{plugin}: {reason}"));
            }
            Verdict::Reject { reason } => {
                let hint = format!("when that has changed, join again; what {plugin} asks for is in its settings");
                let failure = Failure::new(Outcome::PluginRefused, format!("{plugin}: {reason}")).hint(hint);
                self.failure.get_or_insert(failure);
            }
        }
    }
}

fn not_approved(run: &Run, reasons: &[String]) -> Failure {
    let limit = humantime::format_duration(run.plan.timeouts.approval);
    let text = format!("not approved within {limit}: {}", reasons.join("; "));
    match run.plan.on_approval_timeout {
        OnApprovalTimeout::Undo => Failure::new(Outcome::TimedOut, text),
        OnApprovalTimeout::Leave => Failure::new(Outcome::Stuck, format!("{text}; the learner stays, without a vote"))
            .hint("`runner resume` asks the plugins again, `runner rollback` undoes the join"),
    }
}
