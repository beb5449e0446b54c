//! The stand-in fails as it is told.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt, pin_mut};
use kube::Error;
use kube::api::{PostParams, WatchParams};
use runner_harness::{KubeApi, Mischief, Scratch};
use serde_json::json;

use super::server::{Server, map, next};

#[tokio::test]
async fn the_stand_in_fails_as_it_is_told() {
    let scratch = Scratch::new();
    let api = KubeApi::start(&scratch).await;
    let kubeconfig = api.kubeconfig.clone();
    let server = Server::of(&kubeconfig, None).await;
    let maps = server.maps();
    let path = format!("/api/v1/namespaces/{}/configmaps", server.namespace);
    for (mischief, done) in
        [(Mischief::HangUp, false), (Mischief::HangUpAfter, true), (Mischief::HalfAnswer, true), (Mischief::Hang, false)]
    {
        api.mischief_for("POST", &path, mischief.clone(), Some(1));
        let (object, params) = (map("one", json!({})), PostParams::default());
        let made = tokio::time::timeout(Duration::from_secs(1), maps.create(&params, &object)).await;
        assert!(!matches!(made, Ok(Ok(_))), "{mischief:?}");
        assert_eq!(api.object("configmaps", &server.namespace, "one").is_some(), done, "{mischief:?}");
        api.take("configmaps", &server.namespace, "one");
    }
    maps.create(&PostParams::default(), &map("two", json!({}))).await.expect("each was for once");
    let stream = maps.watch(&WatchParams::default(), "0").await.expect("a watch").boxed();
    pin_mut!(stream);
    assert_eq!(next(&mut stream).await, ("ADDED", "two".to_owned()));
    api.stop().await;
    assert!(!matches!(stream.try_next().await, Ok(Some(_))), "the watch ends with the server");
    let gone = maps.get("two").await.expect_err("nobody listens");
    assert!(matches!(gone, Error::Service(_) | Error::HyperError(_)), "{gone:?}");
    api.come_back().await;
    maps.get("two").await.expect("nothing was forgotten");
}
