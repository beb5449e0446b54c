//! Events, in both groups.

use kube::api::{ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::server::{names, object, refused, servers};

#[tokio::test]
async fn events_are_the_same_in_both_groups() {
    for server in servers().await {
        let new = server.own("events.k8s.io/v1", "Event", "events");
        let old = server.own("v1", "Event", "events");
        let event = |name: &str| {
            json!({
                "apiVersion": "events.k8s.io/v1", "kind": "Event",
                "metadata": { "name": name, "namespace": server.namespace },
                "eventTime": "2026-01-02T03:04:05.000006Z", "type": "Normal", "reason": "JoinStarted", "action": "Join",
                "note": "a join began", "reportingController": "runner.dev/runner", "reportingInstance": "cp-1",
                "regarding": { "kind": "ConfigMap", "name": "x", "namespace": server.namespace },
            })
        };
        let made = new.create(&PostParams::default(), &object(event("one"))).await.expect("a good event");
        assert_eq!(made.data["note"], "a join began");
        let seen = old.get("one").await.expect("it is the same object");
        assert_eq!(seen.data["message"], "a join began");
        assert_eq!(seen.data["reportingComponent"], "runner.dev/runner");
        assert_eq!(seen.data["involvedObject"]["name"], "x");
        let found = old.list(&ListParams::default().fields("involvedObject.name=x")).await.expect("a selector");
        assert_eq!(names(&found.items), ["one"]);
        // It goes on as a series, and in nothing else.
        let series = json!({ "series": { "count": 2, "lastObservedTime": "2026-01-02T03:05:05.000006Z" } });
        new.patch("one", &PatchParams::default(), &Patch::Merge(series)).await.expect("a series");
        let note = refused(new.patch("one", &PatchParams::default(), &Patch::Merge(json!({ "note": "another" }))).await);
        assert!(note.0 == 422 && note.2.contains("message: Invalid value: \"another\": field is immutable"), "{}", note.2);

        for (field, wrong, words) in [
            ("reportingController", json!(""), "reportingController: Required value"),
            ("reportingInstance", json!(""), "reportingInstance: Required value"),
            ("action", json!(""), "action: Required value"),
            ("reason", json!(""), "reason: Required value"),
            ("type", json!("Odd"), "type: Invalid value: \"\": has invalid value: Odd"),
            ("eventTime", Value::Null, "eventTime: Required value"),
            ("note", json!("x".repeat(1025)), "message: Invalid value: \"\": can have at most 1024 characters"),
            ("deprecatedCount", json!(1), "count: Invalid value: \"\": needs to be unset"),
        ] {
            let mut event = event("bad");
            event[field] = wrong;
            let bad = refused(new.create(&PostParams::default(), &object(event)).await);
            assert_eq!((bad.0, bad.1.as_str()), (422, "Invalid"), "{field}");
            assert!(bad.2.contains(words), "{field}: {}", bad.2);
        }
        // An event about something without a namespace belongs into `default`.
        let mut node = event("node");
        node["regarding"] = json!({ "kind": "Node", "name": "cp-1" });
        let node = refused(new.create(&PostParams::default(), &object(node)).await);
        assert!(
            node.2.contains("involvedObject.namespace: Invalid value: \"\": does not match event.namespace"),
            "{}",
            node.2
        );
        server.remove().await;
    }
}
