//! check: may this node join this cluster now? The built-in checks, the launcher's own, and the plugins', side by side.

use std::sync::Arc;

use async_trait::async_trait;

use crate::cluster::View;
use crate::event::EventKind;
use crate::pipeline::run::Run;
use crate::pipeline::step::{Reversible, StepName};
use crate::pipeline::{Answer, Failure, FailurePolicy, Finding, Outcome, Severity, checks};

/// Changes nothing, so there is nothing to undo.
pub(in crate::pipeline) struct Check;

#[async_trait]
impl Reversible for Check {
    fn name(&self) -> StepName {
        "check"
    }

    async fn run(&self, run: &mut Run) -> Result<String, Failure> {
        let view = match &run.view {
            Some(view) => Arc::clone(view),
            None => run.observe().await.map_err(|e| Failure::cluster("cannot read the cluster", &e))?,
        };
        // The input first: nothing is said of the cluster before we know that the run could go on at all.
        let ready = run.parts.launcher.preflight().await;
        ready.map_err(|e| Failure { outcome: Outcome::CheckRefused, ..Failure::from(e) })?;
        let newcomer = run.plan.newcomer(run.parts.launcher.version());
        let policy = Arc::clone(&run.parts.policy);
        let cancel = run.cancel.clone();
        let asked = async {
            policy.ready().await?;
            Ok::<_, Failure>(policy.check(&view, &newcomer).await)
        };
        let (built_in, answers) = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(Failure::interrupted()),
            both = async { tokio::join!(judge(run, &view), asked) } => both,
        };
        let (built_in, answers) = (built_in?, answers?);
        let mut said = said(run, "runner", &built_in);
        let mut refusal = refusal(Outcome::CheckRefused, "", &built_in);
        for answer in answers {
            let refused = take(run, answer, &mut said)?;
            refusal = refusal.or(refused);
        }
        match refusal {
            Some(refusal) => Err(refusal),
            None => Ok(summary(said)),
        }
    }
}

/// The built-in checks alone; for a second look after waiting for the lock.
pub(super) async fn built_in(run: &mut Run) -> Result<(), Failure> {
    let view = run.observe().await.map_err(|e| Failure::cluster("cannot read the cluster", &e))?;
    let findings = judge(run, &view).await?;
    let errors: Vec<Finding> = findings.into_iter().filter(|f| f.severity == Severity::Error).collect();
    said(run, "runner", &errors);
    refusal(Outcome::CheckRefused, "", &errors).map_or(Ok(()), Err)
}

async fn judge(run: &Run, view: &View) -> Result<Vec<Finding>, Failure> {
    let list = view.list();
    let standing = run.standing(&list).await?;
    let version = run.parts.launcher.version();
    Ok(checks::built_in(view, &run.plan, &standing, run.ours(&list), version.as_deref()))
}

/// One plugin's answer: tells it, and returns the refusal that it comes to.
fn take(run: &mut Run, answer: Answer<Vec<Finding>>, counts: &mut [usize; 3]) -> Result<Option<Failure>, Failure> {
    let Answer { plugin, result, failure_policy, usage } = answer;
    match result {
        Ok(findings) => {
            let more = said(run, &plugin, &findings);
            counts.iter_mut().zip(more).for_each(|(a, b)| *a += b);
            let refused = refusal(Outcome::PluginRefused, &plugin, &findings);
            let verdict = if refused.is_some() { "reject" } else { "pass" };
            let reason = refused.as_ref().map(|f| f.message.clone()).unwrap_or_default();
            run.emit(EventKind::PluginVerdict { plugin, verdict, reason, usage });
            Ok(refused)
        }
        Err(fault) => {
            let ignored = failure_policy == FailurePolicy::Ignore;
            let verdict = if ignored { "ignored" } else { "failed" };
            run.emit(EventKind::PluginVerdict { plugin: plugin.clone(), verdict, reason: fault.message.clone(), usage });
            if ignored { Ok(None) } else { Err(Failure::plugin(&plugin, &fault)) }
        }
    }
}

fn said(run: &mut Run, source: &str, findings: &[Finding]) -> [usize; 3] {
    let mut counts = [0; 3];
    for f in findings {
        counts[f.severity as usize] += 1;
        run.emit(EventKind::Finding {
            source: source.to_owned(),
            severity: match f.severity {
                Severity::Info => "info",
                Severity::Warning => "warning",
                Severity::Error => "error",
            },
            code: f.code.clone(),
            message: f.message.clone(),
            remedy: f.remedy.clone(),
            member: f.member.clone(),
        });
    }
    counts
}

/// The refusal that these findings come to: the first error's message, every error's remedy.
fn refusal(outcome: Outcome, plugin: &str, findings: &[Finding]) -> Option<Failure> {
    let errors: Vec<&Finding> = findings.iter().filter(|f| f.severity == Severity::Error).collect();
    let first = errors.first()?;
    let who = if plugin.is_empty() { String::new() } else { format!("{plugin}: ") };
    let more = if errors.len() > 1 { format!(" (and {} more)", errors.len() - 1) } else { String::new() };
    let mut failure = Failure::new(outcome, format!("{who}{}{more}", first.message));
    failure.hints = errors.iter().filter_map(|f| f.remedy.clone()).collect();
    Some(failure)
}

fn summary([infos, warnings, _]: [usize; 3]) -> String {
    match (infos, warnings) {
        (0, 0) => "nothing found".to_owned(),
        (_, 0) => "no warnings".to_owned(),
        (_, 1) => "1 warning".to_owned(),
        (_, n) => format!("{n} warnings"),
    }
}
