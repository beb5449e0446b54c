//! What is written as Events on the Node: the start, the promotion, and how the run ended. Pure.

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event as NodeEvent;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::event::{Event, EventKind};
use crate::kubernetes::names::CONTROLLER;
use crate::kubernetes::time::micro;
use crate::terms::{Outcome, RunKind, Step};
use crate::text::one_line;

/// Where the kubelet writes Events on its Node: a Node is in no namespace, its Events are.
pub(super) const NAMESPACE: &str = "default";

/// The most that a note may have is 1 kB (k8s.io/api/events/v1); a character may take four bytes.
const LONGEST_NOTE: usize = 250;

/// The Event that this makes, if any.
pub(super) fn of(event: &Event, node: &str) -> Option<NodeEvent> {
    let (warning, reason, action, note) = match &event.kind {
        EventKind::RunStarted { run, operation, member } => {
            let (reason, what) = match operation {
                RunKind::Join => ("EtcdJoinStarted", "joins the cluster"),
                RunKind::Resume => ("EtcdJoinResumed", "goes on joining the cluster"),
                RunKind::Rollback | RunKind::Check => ("EtcdRollbackStarted", "is taken back from the cluster"),
            };
            (false, reason, "Start", format!("etcd member {member} {what} (run {run})"))
        }
        EventKind::StepFinished { step: Step::Promote, summary, .. } => {
            (false, "EtcdMemberPromoted", "Promote", format!("etcd: {summary}"))
        }
        EventKind::RunFinished { outcome, message, hints, .. } => {
            let (warning, reason) = match outcome {
                Outcome::Joined => (false, "EtcdJoined"),
                Outcome::RolledBackOnRequest => (false, "EtcdJoinRolledBack"),
                Outcome::TimedOut | Outcome::RolledBack => (true, "EtcdJoinRolledBack"),
                Outcome::Stuck => (true, "EtcdJoinStuck"),
                Outcome::Interrupted => (true, "EtcdJoinInterrupted"),
                _ => (true, "EtcdJoinRefused"),
            };
            let hint = hints.first().map(|hint| format!("; {hint}")).unwrap_or_default();
            (warning, reason, "Finish", format!("etcd: {message}{hint}"))
        }
        _ => return None,
    };
    let reference = ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Node".to_owned()),
        name: Some(node.to_owned()),
        // As the kubelet does it; `kubectl describe node` looks for it.
        uid: Some(node.to_owned()),
        ..ObjectReference::default()
    };
    Some(NodeEvent {
        metadata: ObjectMeta {
            // As in client-go: the object's name and the time, so that a second try is the same Event.
            name: Some(format!("{node}.{:x}", event.at.as_nanosecond())),
            namespace: Some(NAMESPACE.to_owned()),
            ..ObjectMeta::default()
        },
        action: Some(action.to_owned()),
        event_time: Some(micro(event.at)),
        note: Some(one_line(&note, LONGEST_NOTE)),
        reason: Some(reason.to_owned()),
        regarding: Some(reference),
        reporting_controller: Some(CONTROLLER.to_owned()),
        reporting_instance: Some(node.to_owned()),
        type_: Some(if warning { "Warning" } else { "Normal" }.to_owned()),
        ..NodeEvent::default()
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;

    #[test]
    fn an_event_is_as_the_api_wants_it() {
        let at = Timestamp::from_second(1_800_000_000).unwrap();
        let of = |kind| of(&Event { at, kind }, "cp-2");
        let started =
            of(EventKind::RunStarted { run: "r-1".into(), operation: RunKind::Join, member: "cp-2".into() }).unwrap();
        insta::assert_snapshot!(serde_json::to_string(&started).unwrap(), @r#"{"apiVersion":"events.k8s.io/v1","kind":"Event","action":"Start","eventTime":"2027-01-15T08:00:00.000000Z","metadata":{"name":"cp-2.18fae27693b40000","namespace":"default"},"note":"etcd member cp-2 joins the cluster (run r-1)","reason":"EtcdJoinStarted","regarding":{"apiVersion":"v1","kind":"Node","name":"cp-2","uid":"cp-2"},"reportingController":"runner.dev/runner","reportingInstance":"cp-2","type":"Normal"}"#);
        let ended = |outcome| {
            let hints = vec!["etcdctl alarm disarm".to_owned()];
            let message = "ü".repeat(2_000);
            of(EventKind::RunFinished { outcome, exit_status: 1, message, hints, duration: Duration::ZERO }).unwrap()
        };
        assert!(ended(Outcome::Stuck).note.unwrap().len() <= 1_024);
        let reasons = [Outcome::CheckRefused, Outcome::PluginFailed, Outcome::RolledBack, Outcome::Stuck, Outcome::Joined]
            .map(|o| ended(o).reason.unwrap());
        assert_eq!(reasons, ["EtcdJoinRefused", "EtcdJoinRefused", "EtcdJoinRolledBack", "EtcdJoinStuck", "EtcdJoined"]);
        assert!(of(EventKind::StepStarted { step: Step::Sync }).is_none());
    }
}
