//! announce: the notifiers are told how the run ended. Never delays it beyond its limit, and never changes its outcome.

use std::sync::Arc;

use crate::event::{Event, EventKind};
use crate::pipeline::FailurePolicy;
use crate::pipeline::run::Run;

/// Tells every notifier all that happened; `finished` is the last event, not yet told to anybody else.
pub(in crate::pipeline) async fn announce(run: &mut Run, finished: &Event) {
    let mut events = run.told.clone();
    events.push(finished.clone());
    let policy = Arc::clone(&run.parts.policy);
    let limit = run.plan.timeouts.announce;
    // Plugins that never became ready have nobody to tell; that they did not is the run's outcome already.
    let told = async {
        policy.ready().await.ok()?;
        Some(policy.notify(&events).await)
    };
    let cancel = run.cancel.clone();
    let answers = tokio::select! {
        biased;
        () = cancel.cancelled() => None,
        answers = tokio::time::timeout(limit, told) => answers.ok().flatten(),
    };
    for answer in answers.into_iter().flatten() {
        let (verdict, reason) = match (&answer.result, answer.failure_policy) {
            (Ok(()), _) => ("told", String::new()),
            (Err(fault), FailurePolicy::Ignore) => ("ignored", fault.message.clone()),
            (Err(fault), FailurePolicy::Fail) => ("failed", fault.message.clone()),
        };
        run.emit(EventKind::PluginVerdict { plugin: answer.plugin, verdict, reason, usage: answer.usage });
    }
}
