//! announce: the notifiers are told how the run ended. Never delays it beyond its limit, and never changes its outcome.

use std::sync::Arc;

use tokio::time::Instant;

use crate::event::{Event, EventKind};
use crate::pipeline::monitor;
use crate::pipeline::run::Run;
use crate::terms::{FailurePolicy, VerdictKind};

/// Tells every notifier all that happened; `finished` is the last event, not yet told to anybody else.
pub(in crate::pipeline) async fn announce(run: &mut Run, finished: &Event) {
    let limit = run.plan.timeouts.announce;
    let cancel = run.cancel.clone();
    let until = Instant::now() + limit;
    // Those whose word does not count may still be at work: now nothing waits for the run any more.
    tokio::select! {
        biased;
        () = cancel.cancelled() => {}
        () = monitor::tell(run, limit / 2) => {}
    }
    let mut events = run.told.clone();
    events.push(finished.clone());
    let (policy, monitors) = (Arc::clone(&run.parts.policy), run.parts.monitors.clone());
    // Plugins that never became ready have nobody to tell; that they did not is the run's outcome already.
    let told = async {
        policy.ready().await.ok()?;
        // A notifier in monitor mode tells people like any other: it never had a say in the run.
        let (mut told, more) = tokio::join!(policy.notify(&events), async {
            match &monitors {
                Some(monitors) => monitors.notify(&events).await,
                None => Vec::new(),
            }
        });
        told.extend(more);
        Some(told)
    };
    let answers = tokio::select! {
        biased;
        () = cancel.cancelled() => None,
        answers = tokio::time::timeout_at(until, told) => answers.ok().flatten(),
    };
    for answer in answers.into_iter().flatten() {
        let (verdict, reason) = match (&answer.result, answer.failure_policy) {
            (Ok(()), _) => (VerdictKind::Told, String::new()),
            (Err(fault), FailurePolicy::Ignore) => (VerdictKind::Ignored, fault.message.clone()),
            (Err(fault), FailurePolicy::Fail) => (VerdictKind::Failed, fault.message.clone()),
        };
        run.emit(EventKind::PluginVerdict { plugin: answer.plugin, verdict, would: None, reason, usage: answer.usage });
    }
}
