//! check: may this node join this cluster now? The built-in checks, the launcher's own, and the plugins', side by side.

use std::sync::Arc;

use async_trait::async_trait;

use crate::clock;
use crate::cluster::View;
use crate::event::EventKind;
use crate::pipeline::run::{Patience, Run};
use crate::pipeline::step::Reversible;
use crate::pipeline::{Answer, Failure, Finding, Waiver, checks, monitor};
use crate::terms::{FailurePolicy, Outcome, Severity, Step, VerdictKind};

/// Changes nothing, so there is nothing to undo.
pub(in crate::pipeline) struct Check(pub(in crate::pipeline) Whom);

/// Who wants to join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pipeline) enum Whom {
    /// This node's etcd member.
    Member,
    /// A worker node, which brings no member: the cluster alone is judged.
    Worker,
}

#[async_trait]
impl Reversible for Check {
    fn name(&self) -> Step {
        Step::Check
    }

    async fn run(&self, run: &mut Run) -> Result<String, Failure> {
        let mut patience = Patience::new(self.name(), run.plan.timeouts.discover);
        let view = loop {
            if let Some(view) = &run.view {
                break Arc::clone(view);
            }
            if let Err(error) = run.observe().await {
                patience.wait_out(run, "cannot read the cluster", &error).await?;
            }
        };
        // The input first: nothing is said of the cluster before we know that the run could go on at all.
        let mut version = None;
        if self.0 == Whom::Member {
            let ready = run.parts.launcher.preflight().await;
            ready.map_err(|e| e.ends(Outcome::CheckRefused))?;
            version = run.parts.launcher.version();
        }
        let newcomer = run.plan.newcomer(version);
        let (policy, monitors) = (Arc::clone(&run.parts.policy), run.parts.monitors.clone());
        let cancel = run.cancel.clone();
        let asked = async {
            // A plugin that cannot be used is said before anything is changed, whatever its mode.
            policy.ready().await.map_err(|e| e.ends(Outcome::BadInput))?;
            if let Some(monitors) = monitors {
                monitors.ready().await.map_err(|e| e.ends(Outcome::BadInput))?;
            }
            Ok::<_, Failure>(policy.check(&view, &newcomer).await)
        };
        monitor::ask_checks(run, &view, &newcomer);
        let platform = run.parts.platform.clone();
        let of_platform = async {
            match platform {
                Some(platform) => platform.check(&view, &newcomer).await,
                None => Vec::new(),
            }
        };
        let built_in = async {
            match self.0 {
                Whom::Member => judge(run, &view).await,
                Whom::Worker => Ok(checks::for_worker(&view)),
            }
        };
        let (built_in, of_platform, answers) = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(Failure::interrupted()),
            all = async { tokio::join!(built_in, of_platform, asked) } => all,
        };
        let (mut built_in, answers) = (built_in?, answers?);
        built_in.extend(of_platform);
        let mut counts = Counts::default();
        said(run, "runner", &built_in, &mut counts);
        let mut refused = refusal(Outcome::CheckRefused, "", &built_in);
        let mut failed = None;
        for answer in answers {
            match take(run, &view, answer, &mut counts) {
                Ok(refusal) => refused = refused.or(refusal),
                Err(failure) => failed = failed.or(Some(failure)),
            }
        }
        monitor::tell(run, monitor::GRACE).await;
        match failed.or(refused) {
            Some(failure) => Err(failure),
            None => Ok(counts.summary()),
        }
    }
}

/// How many findings of which kind.
#[derive(Default)]
struct Counts {
    warnings: usize,
    others: usize,
    waived: usize,
}

/// The same again after a wait, in which somebody else has changed the cluster, a maintenance window has closed, or a port was taken: what
/// was checked before it is checked after it.
pub(super) async fn again(run: &mut Run) -> Result<(), Failure> {
    run.view = None;
    Check(Whom::Member).run(run).await.map(drop)
}

async fn judge(run: &Run, view: &View) -> Result<Vec<Finding>, Failure> {
    let list = view.list();
    let standing = run.standing(&list).await?;
    let version = run.parts.launcher.version();
    let joiner = checks::Joiner { ours: run.ours(&list), version: version.as_deref(), quota: run.parts.launcher.quota() };
    Ok(checks::built_in(view, &run.plan, &standing, joiner))
}

/// One plugin's answer: tells it, and returns the refusal that it comes to.
fn take(run: &mut Run, view: &View, answer: Answer<Vec<Finding>>, counts: &mut Counts) -> Result<Option<Failure>, Failure> {
    let Answer { plugin, result, failure_policy, waivers, usage } = answer;
    match result {
        Ok(findings) => {
            let errors = with_waivers(run, view, &plugin, findings, &waivers, false, counts);
            let refused = refusal(Outcome::PluginRefused, &plugin, &errors);
            let verdict = if refused.is_some() { VerdictKind::Reject } else { VerdictKind::Pass };
            let reason = refused.as_ref().map(|f| f.message.clone()).unwrap_or_default();
            run.emit(EventKind::PluginVerdict { plugin, verdict, would: None, reason, usage });
            Ok(refused)
        }
        Err(fault) => {
            let ignored = failure_policy == FailurePolicy::Ignore;
            let verdict = if ignored { VerdictKind::Ignored } else { VerdictKind::Failed };
            let reason = fault.message.clone();
            run.emit(EventKind::PluginVerdict { plugin: plugin.clone(), verdict, would: None, reason, usage });
            if ignored { Ok(None) } else { Err(Failure::plugin(&plugin, &fault)) }
        }
    }
}

/// Tells the answer of a plugin whose word does not count.
pub(in crate::pipeline) fn tell_monitored(run: &mut Run, view: &View, answer: Answer<Vec<Finding>>) {
    let Answer { plugin, result, waivers, usage, .. } = answer;
    let (would, reason) = match result {
        Ok(findings) => {
            let errors = with_waivers(run, view, &plugin, findings, &waivers, true, &mut Counts::default());
            match errors.first() {
                Some(first) => (VerdictKind::Reject, first.message.clone()),
                None => (VerdictKind::Pass, String::new()),
            }
        }
        Err(fault) => (VerdictKind::Failed, fault.message),
    };
    monitor::tell_verdict(run, plugin, would, reason, usage);
}

/// Tells the findings and what waivers make of them; returns the errors that are not waived.
fn with_waivers(
    run: &mut Run,
    view: &View,
    plugin: &str,
    findings: Vec<Finding>,
    waivers: &[Waiver],
    monitored: bool,
    counts: &mut Counts,
) -> Vec<Finding> {
    let (now, list) = (clock::now(), view.list());
    let (over, valid): (Vec<&Waiver>, Vec<&Waiver>) = waivers.iter().partition(|w| w.expired(now));
    let mut errors = Vec::new();
    for finding in findings {
        let error = finding.severity == Severity::Error;
        let waived = valid.iter().find(|w| error && w.covers(&finding, &list)).map(|w| w.reason.clone());
        counts.take(&finding, waived.is_some());
        tell(run, plugin, &finding, waived.clone(), monitored);
        if error && waived.is_none() {
            errors.push(finding);
        }
    }
    for waiver in over {
        let needed = errors.iter().any(|finding| waiver.covers(finding, &list));
        run.emit(waiver.expiry(plugin, needed));
    }
    errors
}

/// What the platform had to do once the newcomer is a verified voter. Nothing that it finds changes how the run ends.
pub(in crate::pipeline) async fn joined(run: &mut Run) {
    let Some(platform) = run.parts.platform.clone() else { return };
    let cancel = run.cancel.clone();
    let findings = tokio::select! {
        biased;
        () = cancel.cancelled() => return,
        findings = platform.joined() => findings,
    };
    said(run, "runner", &findings, &mut Counts::default());
}

/// A warning of runner's own, told at once.
pub(super) fn warn(run: &mut Run, code: &str, message: &str) {
    let (code, message) = (code.to_owned(), message.to_owned());
    tell(run, "runner", &Finding { severity: Severity::Warning, code, message, remedy: None, member: None }, None, false);
}

fn said(run: &mut Run, source: &str, findings: &[Finding], counts: &mut Counts) {
    for finding in findings {
        counts.take(finding, false);
        tell(run, source, finding, None, false);
    }
}

fn tell(run: &mut Run, source: &str, finding: &Finding, waived: Option<String>, monitored: bool) {
    run.emit(EventKind::Finding {
        source: source.to_owned(),
        severity: finding.severity,
        code: finding.code.clone(),
        message: finding.message.clone(),
        remedy: finding.remedy.clone(),
        member: finding.member.clone(),
        waived,
        monitored,
    });
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

impl Counts {
    fn take(&mut self, finding: &Finding, waived: bool) {
        match finding.severity {
            _ if waived => self.waived += 1,
            Severity::Warning => self.warnings += 1,
            Severity::Info | Severity::Error => self.others += 1,
        }
    }

    fn summary(&self) -> String {
        let found = match (self.others, self.warnings) {
            (0, 0) if self.waived == 0 => "nothing found".to_owned(),
            (_, 0) => "no warnings".to_owned(),
            (_, 1) => "1 warning".to_owned(),
            (_, n) => format!("{n} warnings"),
        };
        if self.waived == 0 { found } else { format!("{found}, {} waived", self.waived) }
    }
}
