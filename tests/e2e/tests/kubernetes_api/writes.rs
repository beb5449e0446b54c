//! Patches and applies.

use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::server::{map, object, refused, servers, version_of};

#[tokio::test]
async fn patches_merge_each_in_its_way() {
    for server in servers().await {
        let maps = server.maps();
        maps.create(&PostParams::default(), &map("one", json!({ "a": "1", "b": "1" }))).await.expect("it is new");
        let params = PatchParams::default();
        let merged = maps.patch("one", &params, &Patch::Merge(json!({ "data": { "a": null, "c": "1" } }))).await;
        assert_eq!(merged.expect("it is there").data["data"], json!({ "b": "1", "c": "1" }));
        let missing = refused(maps.patch("none", &params, &Patch::Merge(json!({ "data": {} }))).await);
        assert_eq!(missing, (404, "NotFound".into(), "configmaps \"none\" not found".into()));
        let stale = json!({ "metadata": { "resourceVersion": "1" }, "data": { "a": "2" } });
        assert_eq!(refused(maps.patch("one", &params, &Patch::Merge(stale)).await).1, "Conflict");

        let nodes = server.cluster("v1", "Node", "nodes");
        let name = server.namespace.clone();
        let node = json!({
            "metadata": { "name": name, "labels": { "a": "1" } },
            "spec": { "taints": [{ "key": "one", "effect": "NoSchedule" }] },
            "status": { "conditions": [{ "type": "Ready", "status": "False", "reason": "Suite" }] },
        });
        let made = nodes.create(&PostParams::default(), &object(node)).await.expect("it is new");
        assert_eq!(made.data["status"]["conditions"][0]["type"], "Ready", "a new node brings its status along");
        let version = version_of(&made);
        // Taints have no merge key: they are replaced. A status that comes by the wrong path is left out.
        let patch = json!({
            "metadata": { "labels": { "a": null, "b": "2" } },
            "spec": { "taints": [{ "key": "two", "effect": "NoSchedule" }] },
            "status": { "conditions": [{ "type": "Ready", "status": "True" }] },
        });
        let node = nodes.patch(&name, &params, &Patch::Strategic(patch)).await.expect("it is there");
        let keys: Vec<_> = node.data["spec"]["taints"].as_array().expect("taints").iter().map(|t| &t["key"]).collect();
        assert!(keys.contains(&&json!("two")) && !keys.contains(&&json!("one")), "{keys:?}");
        let labels = node.metadata.labels.clone().unwrap_or_default();
        assert!(labels.contains_key("b") && !labels.contains_key("a"));
        assert_eq!(node.data["status"]["conditions"][0]["status"], "False");
        assert!(version_of(&node) > version);
        // Conditions have one: the item is merged.
        let patch = json!({ "status": { "conditions": [{ "type": "Ready", "status": "True" }, { "type": "Etcd", "status": "True" }] } });
        let node = nodes.patch_status(&name, &params, &Patch::Strategic(patch)).await.expect("it is there");
        let ready = node.data["status"]["conditions"].as_array().expect("a list").iter().find(|c| c["type"] == "Ready");
        assert_eq!(ready.map(|c| (&c["status"], &c["reason"])), Some((&json!("True"), &json!("Suite"))));
        assert_eq!(node.data["status"]["conditions"].as_array().map(Vec::len), Some(2));
        let twice = json!({ "spec": { "taints": [
            { "key": "two", "effect": "NoSchedule" }, { "key": "two", "effect": "NoSchedule" }] } });
        let twice = refused(nodes.patch(&name, &params, &Patch::Merge(twice)).await);
        assert!(twice.0 == 422 && twice.2.contains("Duplicate value"), "{}", twice.2);
        let label = json!({ "metadata": { "labels": { "a": "not a label" } } });
        let label = refused(nodes.patch(&name, &params, &Patch::Merge(label)).await);
        assert!(label.0 == 422 && label.2.contains("metadata.labels: Invalid value: \"not a label\""), "{}", label.2);
        nodes.delete(&name, &DeleteParams::default()).await.expect("it is the test's own");
        server.remove().await;
    }
}

#[tokio::test]
async fn an_apply_owns_its_fields() {
    for server in servers().await {
        let maps = server.maps();
        let one = |data: Value| Patch::Apply(map("one", data));
        let made = maps.patch("one", &PatchParams::apply("first"), &one(json!({ "a": "1", "b": "1" }))).await;
        assert_eq!(made.expect("an apply makes what is not there").data["data"], json!({ "a": "1", "b": "1" }));
        let other = refused(maps.patch("one", &PatchParams::apply("second"), &one(json!({ "a": "2", "c": "2" }))).await);
        let words = "Apply failed with 1 conflict: conflict with \"first\": .data.a";
        assert_eq!(other, (409, "Conflict".into(), words.into()));
        let same = maps.patch("one", &PatchParams::apply("second"), &one(json!({ "a": "1", "c": "2" }))).await;
        same.expect("the same value is no conflict");
        let forced = maps.patch("one", &PatchParams::apply("second").force(), &one(json!({ "a": "2", "c": "2" }))).await;
        assert_eq!(forced.expect("by force").data["data"], json!({ "a": "2", "b": "1", "c": "2" }));
        // What the first no longer applies goes; what another owns by now stays.
        let less = maps.patch("one", &PatchParams::apply("first"), &one(json!({}))).await;
        assert_eq!(less.expect("it owns less").data["data"], json!({ "a": "2", "c": "2" }));
        // A plain write takes fields over, too.
        let patch = Patch::Merge(json!({ "data": { "c": "3" } }));
        let written = PatchParams { field_manager: Some("third".into()), ..PatchParams::default() };
        maps.patch("one", &written, &patch).await.expect("it is there");
        let third = refused(maps.patch("one", &PatchParams::apply("second"), &one(json!({ "a": "2", "c": "2" }))).await);
        assert_eq!(third.2, "Apply failed with 1 conflict: conflict with \"third\" using v1: .data.c");
        server.remove().await;
    }
}
