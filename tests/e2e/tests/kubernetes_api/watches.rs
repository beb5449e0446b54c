//! Watches.

use futures::{StreamExt, TryStreamExt, pin_mut};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use serde_json::json;

use super::server::{map, next, servers};

#[tokio::test]
async fn a_watch_tells_what_changes() {
    for server in servers().await {
        let maps = server.maps();
        let labelled = |name: &str, color: &str| {
            let mut object = map(name, json!({}));
            object.metadata.labels = Some([("color".to_owned(), color.to_owned())].into());
            object
        };
        let first = maps.create(&PostParams::default(), &labelled("one", "red")).await.expect("it is new");
        let since = first.metadata.resource_version.clone().expect("a version");
        let params = WatchParams::default().labels("color=red").timeout(20);
        let stream = maps.watch(&params, &since).await.expect("a watch").boxed();
        pin_mut!(stream);
        let plain = PostParams::default();
        maps.create(&plain, &labelled("two", "red")).await.expect("it is new");
        maps.create(&plain, &labelled("three", "blue")).await.expect("it is new");
        maps.replace("three", &plain, &labelled("three", "red")).await.expect("it is there");
        maps.patch("two", &PatchParams::default(), &Patch::Merge(json!({ "data": { "a": "1" } })))
            .await
            .expect("it is there");
        maps.replace("three", &plain, &labelled("three", "blue")).await.expect("it is there");
        maps.delete("one", &DeleteParams::default()).await.expect("it is there");
        let expected = [("ADDED", "two"), ("ADDED", "three"), ("MODIFIED", "two"), ("DELETED", "three"), ("DELETED", "one")];
        for (kind, name) in expected {
            assert_eq!(next(&mut stream).await, (kind, name.to_owned()));
        }
        // From nothing: what is there comes first; at the end of its time it ends.
        let stream = maps.watch(&WatchParams::default().labels("color").timeout(1), "0").await.expect("a watch").boxed();
        let seen: Vec<_> = stream.try_collect().await.expect("it ends");
        let added = seen.iter().filter(|event| matches!(event, WatchEvent::Added(_))).count();
        assert_eq!(added, 2, "{seen:?}");
        if let Some((api, _)) = &server.standin {
            // A real server forgets after minutes.
            api.forget_history();
            let stream = maps.watch(&params, &since).await.expect("a watch").boxed();
            pin_mut!(stream);
            assert_eq!(next(&mut stream).await, ("ERROR", "410 Expired".to_owned()));
        }
        server.remove().await;
    }
}
