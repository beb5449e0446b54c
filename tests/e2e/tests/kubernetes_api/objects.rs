//! Objects are made, read, replaced, deleted, and looked at first.

use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions};
use serde_json::json;

use super::server::{map, object, refused, resource, servers, value, version_of};

#[tokio::test]
async fn objects_are_made_read_replaced_and_deleted() {
    for server in servers().await {
        let (maps, ns) = (server.maps(), &server.namespace);
        let made = maps.create(&PostParams::default(), &map("one", json!({ "a": "1" }))).await.expect("it is new");
        assert!(
            made.metadata.uid.is_some() && made.metadata.creation_timestamp.is_some() && made.metadata.generation.is_none()
        );
        assert_eq!(made.metadata.namespace.as_ref(), Some(ns));
        let again = refused(maps.create(&PostParams::default(), &map("one", json!({}))).await);
        assert_eq!(again, (409, "AlreadyExists".into(), "configmaps \"one\" already exists".into()));
        let missing = refused(maps.get("none").await);
        assert_eq!(missing, (404, "NotFound".into(), "configmaps \"none\" not found".into()));

        // The same again changes nothing, not even the version.
        let same = maps.replace("one", &PostParams::default(), &made).await.expect("it is current");
        assert_eq!(version_of(&same), version_of(&made));
        let mut newer = made.clone();
        newer.data["data"]["a"] = json!("2");
        let newer = maps.replace("one", &PostParams::default(), &newer).await.expect("it is current");
        assert!(version_of(&newer) > version_of(&made));
        assert_eq!(newer.metadata.uid, made.metadata.uid);
        let stale = refused(maps.replace("one", &PostParams::default(), &map_at(&made, "3")).await);
        let words = "Operation cannot be fulfilled on configmaps \"one\": the object has been modified; please apply your \
                     changes to the latest version and try again";
        assert_eq!(stale, (409, "Conflict".into(), words.into()));
        // Without a version, a ConfigMap is overwritten whatever is there.
        maps.replace("one", &PostParams::default(), &map("one", json!({ "a": "4" }))).await.expect("unconditional");
        let absent = refused(maps.replace("none", &PostParams::default(), &map("none", json!({}))).await);
        assert_eq!((absent.0, absent.1.as_str()), (404, "NotFound"));

        let wrong = Preconditions { uid: Some("another".into()), resource_version: None };
        let kept = refused(maps.delete("one", &DeleteParams { preconditions: Some(wrong), ..Default::default() }).await);
        assert_eq!((kept.0, kept.1.as_str()), (409, "Conflict"));
        let words = "Operation cannot be fulfilled on ConfigMap \"one\": the UID in the precondition (another) does not match the UID \
                     in record (";
        assert!(kept.2.starts_with(words), "{}", kept.2);
        let right = Preconditions { uid: made.metadata.uid.clone(), resource_version: None };
        let gone = maps.delete("one", &DeleteParams { preconditions: Some(right), ..Default::default() }).await;
        assert!(gone.expect("it is there").right().is_some_and(|status| status.is_success()));
        assert_eq!(refused(maps.delete("one", &DeleteParams::default()).await).0, 404);
        server.remove().await;
    }
}

/// The object as it was, with another value.
fn map_at(old: &DynamicObject, a: &str) -> DynamicObject {
    let mut object = old.clone();
    object.data["data"]["a"] = json!(a);
    object
}

#[tokio::test]
async fn what_is_new_is_looked_at() {
    for server in servers().await {
        let maps = server.maps();
        let generated = object(json!({ "metadata": { "generateName": "some-" } }));
        let one = maps.create(&PostParams::default(), &generated).await.expect("a name is made");
        let name = one.metadata.name.clone().expect("a name");
        assert!(name.starts_with("some-") && name.len() == 10, "{name}");
        let nameless = refused(maps.create(&PostParams::default(), &object(json!({ "metadata": {} }))).await);
        assert_eq!((nameless.0, nameless.1.as_str()), (422, "Invalid"));
        assert!(nameless.2.contains("name or generateName is required"), "{}", nameless.2);
        let capital = refused(maps.create(&PostParams::default(), &map("Capital", json!({}))).await);
        assert_eq!((capital.0, capital.1.as_str()), (422, "Invalid"));
        assert!(
            capital
                .2
                .starts_with("ConfigMap \"Capital\" is invalid: metadata.name: Invalid value: \"Capital\": a lowercase")
        );
        let number = refused(maps.create(&PostParams::default(), &map("one", json!({ "a": 1 }))).await);
        assert_eq!((number.0, number.1.as_str()), (400, "BadRequest"));
        assert!(number.2.starts_with("ConfigMap in version \"v1\" cannot be handled as a ConfigMap: "), "{}", number.2);
        let key = refused(maps.create(&PostParams::default(), &map("one", json!({ "a/b": "" }))).await);
        assert!(key.0 == 422 && key.2.contains("data[a/b]: Invalid value: \"a/b\""), "{}", key.2);
        let unknown = json!({ "metadata": { "name": "more" }, "data": { "a": "1" }, "surprise": 1 });
        let pruned = maps.create(&PostParams::default(), &object(unknown)).await.expect("what is not known is left out");
        assert!(value(&pruned)["surprise"].is_null());
        // `put` may not have a version, and no namespace may be missing.
        let elsewhere: Api<DynamicObject> =
            Api::namespaced_with(server.client.clone(), "runner-suite-none", &resource("v1", "ConfigMap", "configmaps"));
        let nowhere = refused(elsewhere.create(&PostParams::default(), &map("one", json!({}))).await);
        assert_eq!(nowhere, (404, "NotFound".into(), "namespaces \"runner-suite-none\" not found".into()));
        let dry = PostParams { dry_run: true, field_manager: None };
        maps.create(&dry, &map("dry", json!({}))).await.expect("it could be made");
        assert_eq!(refused(maps.get("dry").await).0, 404);
        server.remove().await;
    }
}

#[tokio::test]
async fn a_finalizer_keeps_an_object_until_it_goes() {
    for server in servers().await {
        let maps = server.maps();
        let mut kept = map("kept", json!({}));
        kept.metadata.finalizers = Some(vec!["example.com/wait".into()]);
        maps.create(&PostParams::default(), &kept).await.expect("it is new");
        let answer = maps.delete("kept", &DeleteParams::default()).await.expect("it is there");
        assert!(answer.left().is_some_and(|object| object.metadata.deletion_timestamp.is_some()));
        maps.get("kept").await.expect("it waits");
        let patch = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
        maps.patch("kept", &PatchParams::default(), &patch).await.expect("it is there");
        assert_eq!(refused(maps.get("kept").await).0, 404);
        server.remove().await;
    }
}
