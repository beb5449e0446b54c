//! The built-in checks: is the cluster healthy enough for anybody to join? Pure functions of what was observed.

use super::Finding;
use super::adoption::Standing;
use super::plan::JoinPlan;
use super::versions;
use crate::cluster::oracle::{Answer, Change, Forecast, Situation};
use crate::cluster::remedy::{Only, Remedy};
use crate::cluster::{AlarmKind, MemberId, Reason, Version, View, advice, quorum};
use crate::terms::{Severity, StaleLearner};

/// What is known of the member that is to join.
#[derive(Clone, Copy, Debug, Default)]
pub struct Joiner<'a> {
    /// Its id, where it is in the list already.
    pub ours: Option<MemberId>,
    /// The etcd version that it will run, where that is known.
    pub version: Option<&'a str>,
    /// The database size in bytes at which it will raise NOSPACE, where that is known.
    pub quota: Option<u64>,
}

/// Judges one observation.
pub fn built_in(view: &View, plan: &JoinPlan, standing: &Standing, joiner: Joiner<'_>) -> Vec<Finding> {
    let Joiner { ours, version, quota } = joiner;
    let mut findings = Vec::new();
    quorum_now(view, &mut findings);
    quorum_if_the_newcomer_dies(view, ours, &mut findings);
    add_refused(view, plan, ours, &mut findings);
    quota_below_database(view, quota, &mut findings);
    alarms(view, &mut findings);
    learners(view, plan, ours, &mut findings);
    views_agree(view, ours, &mut findings);
    names(view, plan, ours, &mut findings);
    version_findings(view, ours, version, &mut findings);
    if let Standing::Stop(stop) = standing {
        findings.push(Finding {
            severity: Severity::Error,
            code: stop.code.to_owned(),
            message: stop.message.clone(),
            remedy: Some(stop.remedy.clone()),
            member: None,
        });
    }
    findings
}

/// Judges one observation for a worker that wants to join: it brings no member, so what counts is that all of the cluster is well.
/// A worker can wait, so a member that is silent refuses it.
pub fn for_worker(view: &View) -> Vec<Finding> {
    let mut findings = Vec::new();
    quorum_now(view, &mut findings);
    for silent in findings.iter_mut().filter(|f| f.code == "voter-silent") {
        silent.severity = Severity::Error;
        silent.remedy = Some(format!("bring it back; {}; then the worker can join", remove_silent(view)));
    }
    alarms(view, &mut findings);
    for learner in view.list().learners() {
        let text = format!(
            "{} ({}) is a learner: a control-plane node is joining, or its join was left",
            learner.label(),
            learner.id
        );
        let mut found = finding(Severity::Warning, "learner-present", text);
        found.member = Some(learner.id.to_string());
        findings.push(with_remedy(found, "wait until it has joined; `runner status` on its node shows a run that was left"));
    }
    views_agree(view, None, &mut findings);
    findings
}

fn finding(severity: Severity, code: &str, message: String) -> Finding {
    Finding { severity, code: code.to_owned(), message, remedy: None, member: None }
}

fn with_remedy(mut finding: Finding, remedy: impl Into<String>) -> Finding {
    finding.remedy = Some(remedy.into());
    finding
}

/// Who does not answer, for messages.
fn silent_voters(view: &View) -> String {
    let silent: Vec<String> = view.voters().filter(|m| !m.healthy()).map(|m| m.member.label()).collect();
    silent.join(", ")
}

/// How the voters that do not answer are removed, each by its id. Whoever obeys must know more than is seen from here.
fn remove_silent(view: &View) -> String {
    let silent = view.voters().filter(|m| !m.healthy());
    let remedies: Vec<String> = silent.map(|m| Remedy::remove(m.member.id, Only::GoneForGood).to_string()).collect();
    remedies.join("; ")
}

fn quorum_now(view: &View, findings: &mut Vec<Finding>) {
    let (healthy, voters) = (view.healthy_voters(), view.voters().count());
    if healthy < view.quorum() {
        let text = format!(
            "only {healthy} of {voters} voters are healthy, {} are needed; silent: {}",
            view.quorum(),
            silent_voters(view)
        );
        findings.push(with_remedy(
            finding(Severity::Error, "no-quorum", text),
            "bring voters back first: a cluster without quorum accepts no change",
        ));
    } else if healthy < voters {
        let text = format!("{healthy} of {voters} voters are healthy; silent: {}", silent_voters(view));
        findings.push(finding(Severity::Warning, "voter-silent", text));
    }
}

/// After the promotion there is one more voter, and it is the one most likely to fail.
fn quorum_if_the_newcomer_dies(view: &View, ours: Option<MemberId>, findings: &mut Vec<Finding>) {
    let others: Vec<_> = view.voters().filter(|m| Some(m.member.id) != ours).collect();
    let healthy = others.iter().filter(|m| m.healthy()).count();
    let (voters, needed) = (others.len(), quorum(others.len() + 1));
    if voters == 1 {
        let text = "with two voters the loss of either stops the cluster, until a third has joined".to_owned();
        findings.push(finding(Severity::Info, "two-voters", text));
    } else if healthy < needed && healthy >= view.quorum() {
        let text = format!(
            "if the new voter fails, {healthy} of {} voters remain healthy and {needed} are needed; silent now: {}",
            voters + 1,
            silent_voters(view)
        );
        findings.push(with_remedy(
            finding(Severity::Error, "quorum-at-risk", text),
            format!("bring the silent voter back; {}, before its replacement joins", remove_silent(view)),
        ));
    }
}

/// etcd's own rule for an add, by the leader's version: what it refuses while a voter is down it refuses until that one is back or gone,
/// and a join would only wait for it. Who is silent to runner may still be connected to the others, which alone counts for etcd; the
/// message names who is meant.
fn add_refused(view: &View, plan: &JoinPlan, ours: Option<MemberId>, findings: &mut Vec<Finding>) {
    if ours.is_some() || findings.iter().any(|f| f.severity == Severity::Error) {
        return;
    }
    let forecast = Forecast::of(&Situation::of(view), &Change::AddLearner(plan.peer_urls.clone()));
    if let (Answer::Refused(Reason::UnhealthyCluster), Some(fix)) = (forecast.answer, forecast.fix) {
        let text = format!("etcd will refuse to add a member: {}", forecast.why);
        findings.push(with_remedy(finding(Severity::Error, "voter-blocks-add", text), fix));
    }
}

/// A member whose quota is below the database joins and votes without a word, and raises NOSPACE with the next write: then no member of
/// the cluster takes writes any more.
fn quota_below_database(view: &View, quota: Option<u64>, findings: &mut Vec<Finding>) {
    let size = view.leader_view().and_then(|m| m.status.as_ref().ok()).map(|status| status.db_size);
    let (Some(quota), Some(size)) = (quota, size) else { return };
    let severity = match size {
        _ if size >= quota => Severity::Error,
        // What is left is written within days on a busy cluster, and the others may have room for years.
        _ if size >= quota / 10 * 9 => Severity::Warning,
        _ => return,
    };
    let text = format!(
        "the new member may hold {quota} bytes (--quota-backend-bytes) and the database has {size}: with a smaller quota than the others it \
         raises NOSPACE, and the whole cluster refuses writes"
    );
    let remedy =
        "give it the others' quota: --etcd-arg --quota-backend-bytes=BYTES; or compact and defragment the database first";
    findings.push(with_remedy(finding(severity, "quota-below-database", text), remedy));
}

fn alarms(view: &View, findings: &mut Vec<Finding>) {
    for alarm in &view.alarms {
        let label = match view.get(alarm.member) {
            Some(member) => member.member.label(),
            None if alarm.member == MemberId(0) => "a member that etcd cannot name".to_owned(),
            None => alarm.member.to_string(),
        };
        let (code, what, reason) = match alarm.kind {
            AlarmKind::Nospace => ("alarm-nospace", "has reached its database quota (NOSPACE)", Reason::NoSpace),
            AlarmKind::Corrupt => ("alarm-corrupt", "is corrupt (CORRUPT)", Reason::Corrupt),
            AlarmKind::Unknown => ("alarm-unknown", "has an alarm of a kind this runner does not know", Reason::Other),
        };
        let mut found = finding(Severity::Error, code, format!("an alarm is raised: {label} {what}"));
        found.member = Some(alarm.member.to_string());
        found.remedy = advice(reason).map(str::to_owned);
        findings.push(found);
    }
}

fn learners(view: &View, plan: &JoinPlan, ours: Option<MemberId>, findings: &mut Vec<Finding>) {
    for learner in view.list().learners().filter(|m| Some(m.id) != ours && !m.has_peer_urls(&plan.peer_urls)) {
        let text = format!(
            "{} ({}, {}) is a learner already, and etcd allows one",
            learner.label(),
            learner.id,
            learner.peer_urls.join(", ")
        );
        let severity = match plan.stale_learner {
            StaleLearner::Wait => Severity::Warning,
            StaleLearner::Fail => Severity::Error,
        };
        let mut found = finding(severity, "learner-present", text);
        found.member = Some(learner.id.to_string());
        found.remedy = Some(Remedy::remove(learner.id, Only::NobodyJoins).to_string());
        findings.push(found);
    }
}

/// What each member says of itself must be what the list says of it: 3.5 has lost promotions (etcd#19557, #18347). `ours` may have been
/// promoted a moment ago and not know it yet.
fn views_agree(view: &View, ours: Option<MemberId>, findings: &mut Vec<Finding>) {
    for m in &view.members {
        let Ok(status) = &m.status else { continue };
        let who = m.member.label();
        if status.cluster_id != view.cluster_id {
            let text = format!("{who} says it is in cluster {:x}, the others in {:x}", status.cluster_id, view.cluster_id);
            findings.push(finding(Severity::Error, "cluster-differs", text));
        }
        if status.learner != m.member.learner {
            let (own, listed) = (role(status.learner), role(m.member.learner));
            let text = format!("{who} takes itself for a {own}, the member list calls it a {listed}");
            if ours == Some(m.member.id) {
                findings.push(finding(Severity::Warning, "role-differs", text));
                continue;
            }
            findings.push(with_remedy(
                finding(Severity::Error, "role-differs", text),
                "a promotion was lost (etcd#19557): see that issue before anything is changed; where the others have a quorum without it, it is \
                 removed and joined again with etcd 3.5.26 or later",
            ));
        }
        if m.member.voter() && status.leader.is_some() && status.leader != view.leader {
            let text = format!(
                "{who} follows another leader than the one that answers for the cluster; an election may be under way"
            );
            findings.push(finding(Severity::Warning, "leader-differs", text));
        }
    }
}

fn role(learner: bool) -> &'static str {
    if learner { "learner" } else { "voter" }
}

/// etcd takes names from `--initial-cluster` and merges two members of one name into one.
fn names(view: &View, plan: &JoinPlan, ours: Option<MemberId>, findings: &mut Vec<Finding>) {
    let taken = view
        .members
        .iter()
        .find(|m| m.member.name == plan.name && Some(m.member.id) != ours && !m.member.has_peer_urls(&plan.peer_urls));
    if let Some(m) = taken {
        let text = format!("the name {} is taken by member {} at {}", plan.name, m.member.id, m.member.peer_urls.join(", "));
        findings.push(with_remedy(finding(Severity::Error, "name-taken", text), "give another --name"));
    }
}

fn version_findings(view: &View, ours: Option<MemberId>, version: Option<&str>, findings: &mut Vec<Finding>) {
    let members: Vec<(String, Version)> = view
        .members
        .iter()
        .filter(|m| Some(m.member.id) != ours)
        .filter_map(|m| Some((m.member.label(), Version::parse(&m.status.as_ref().ok()?.version)?)))
        .collect();
    findings.extend(versions::judge(&members, version.and_then(Version::parse)));
}
