//! What somebody may do.

use std::time::Duration;

use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use serde_json::json;

use super::server::{lease, map, object, refused, resource, servers};

#[tokio::test]
async fn somebody_may_do_what_rbac_says_and_no_more() {
    for server in servers().await {
        let ns = server.namespace.clone();
        let name = format!("{ns}-somebody");
        let client = server.impersonating(&name);
        let leases: Api<DynamicObject> =
            Api::namespaced_with(client.clone(), &ns, &resource("coordination.k8s.io/v1", "Lease", "leases"));
        let none = refused(leases.get("one").await);
        let words = format!(
            "leases.coordination.k8s.io \"one\" is forbidden: User {name:?} cannot get resource \"leases\" in API group \
             \"coordination.k8s.io\" in the namespace {ns:?}"
        );
        assert_eq!(none, (403, "Forbidden".into(), words));
        let nodes: Api<DynamicObject> = Api::all_with(client.clone(), &resource("v1", "Node", "nodes"));
        let list = refused(nodes.list(&ListParams::default()).await);
        let words = format!(
            "nodes is forbidden: User {name:?} cannot list resource \"nodes\" in API group \"\" at the cluster scope"
        );
        assert_eq!(list, (403, "Forbidden".into(), words));
        let status = refused(nodes.patch_status("x", &PatchParams::default(), &Patch::Merge(json!({}))).await);
        assert!(status.2.contains("cannot patch resource \"nodes/status\" in API group \"\""), "{}", status.2);

        let rbac = "rbac.authorization.k8s.io";
        let version = format!("{rbac}/v1");
        let role = json!({
            "metadata": { "name": "join" },
            "rules": [
                { "apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create"] },
                { "apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "resourceNames": ["one"],
                  "verbs": ["get", "update", "list", "watch"] },
                { "apiGroups": [""], "resources": ["configmaps"], "verbs": ["patch"] },
            ],
        });
        server.own(&version, "Role", "roles").create(&PostParams::default(), &object(role)).await.expect("a role");
        let binding = json!({
            "metadata": { "name": "join" },
            "roleRef": { "apiGroup": rbac, "kind": "Role", "name": "join" },
            "subjects": [{ "kind": "User", "name": name, "apiGroup": rbac }],
        });
        let bindings = server.own(&version, "RoleBinding", "rolebindings");
        bindings.create(&PostParams::default(), &object(binding)).await.expect("a binding");
        // The real one looks at its roles through a cache.
        let made = runner_harness::eventually("the rights to count", Duration::from_secs(10), async || {
            leases.create(&PostParams::default(), &lease("one", json!({}))).await
        });
        let made = made.await;
        leases.replace("one", &PostParams::default(), &made).await.expect("it may");
        leases.list(&ListParams::default().fields("metadata.name=one")).await.expect("a list of the one name");
        assert_eq!(refused(leases.list(&ListParams::default()).await).0, 403);
        assert_eq!(refused(leases.get("two").await).0, 403);
        assert_eq!(refused(leases.delete("one", &DeleteParams::default()).await).0, 403);
        // Who may patch may not therefore make: an apply of what is not there needs both.
        let maps: Api<DynamicObject> = Api::namespaced_with(client.clone(), &ns, &resource("v1", "ConfigMap", "configmaps"));
        let apply = refused(maps.patch("new", &PatchParams::apply("x"), &Patch::Apply(map("new", json!({})))).await);
        assert!(apply.2.contains("cannot create resource \"configmaps\" in API group \"\""), "{}", apply.2);
        let reviews: Api<DynamicObject> = Api::all_with(
            client,
            &resource("authorization.k8s.io/v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews"),
        );
        for (verb, allowed) in [("update", true), ("delete", false)] {
            let attributes = json!({ "verb": verb, "group": "coordination.k8s.io", "resource": "leases", "namespace": ns, "name": "one" });
            let question = json!({ "metadata": {}, "spec": { "resourceAttributes": attributes } });
            let answer = reviews.create(&PostParams::default(), &object(question)).await.expect("everybody may ask");
            assert_eq!(answer.data["status"]["allowed"], allowed, "{verb}");
        }
        server.remove().await;
    }
}
