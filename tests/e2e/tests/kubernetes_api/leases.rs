//! A Lease, and who gets it.

use kube::api::PostParams;
use serde_json::json;

use super::server::{lease, refused, servers};

#[tokio::test]
async fn a_lease_is_taken_by_one() {
    for server in servers().await {
        let leases = server.leases();
        let spec = json!({ "holderIdentity": "a", "leaseDurationSeconds": 30, "renewTime": "2026-01-02T03:04:05.000006Z" });
        let made = leases.create(&PostParams::default(), &lease("one", spec.clone())).await.expect("it is new");
        assert_eq!(made.data["spec"]["renewTime"], "2026-01-02T03:04:05.000006Z");
        let taken = refused(leases.create(&PostParams::default(), &lease("one", spec)).await);
        assert_eq!(taken, (409, "AlreadyExists".into(), "leases.coordination.k8s.io \"one\" already exists".into()));
        let mut mine = made.clone();
        mine.data["spec"]["holderIdentity"] = json!("b");
        leases.replace("one", &PostParams::default(), &mine).await.expect("it is current");
        let late = refused(leases.replace("one", &PostParams::default(), &made).await);
        let words = "Operation cannot be fulfilled on leases.coordination.k8s.io \"one\": the object has been modified; please \
                     apply your changes to the latest version and try again";
        assert_eq!(late, (409, "Conflict".into(), words.into()));
        // A Lease, unlike a ConfigMap, is never overwritten blindly, but made by a replace.
        let blind = refused(leases.replace("one", &PostParams::default(), &lease("one", json!({}))).await);
        let words = "leases.coordination.k8s.io \"one\" is invalid: metadata.resourceVersion: Invalid value: 0: must be \
                     specified for an update";
        assert_eq!(blind, (422, "Invalid".into(), words.into()));
        leases.replace("two", &PostParams::default(), &lease("two", json!({}))).await.expect("a replace makes it");

        for (spec, code, words) in [
            (
                json!({ "leaseDurationSeconds": 0 }),
                422,
                "Lease.coordination.k8s.io \"bad\" is invalid: spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0",
            ),
            (
                json!({ "leaseTransitions": -1 }),
                422,
                "Lease.coordination.k8s.io \"bad\" is invalid: spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0",
            ),
            (
                json!({ "renewTime": "2026-01-02T03:04:05Z" }),
                400,
                "Lease in version \"v1\" cannot be handled as a Lease: parsing time \"2026-01-02T03:04:05Z\" as \"2006-01-02T15:04:05.000000Z07:00\": cannot parse \"Z\" as \".000000\"",
            ),
        ] {
            let bad = refused(leases.create(&PostParams::default(), &lease("bad", spec)).await);
            assert_eq!((bad.0, bad.2.as_str()), (code, words));
        }
        server.remove().await;
    }
}
