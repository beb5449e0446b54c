//! Lists, in pages and by selection.

use kube::api::{DeleteParams, ListParams, PostParams};
use serde_json::json;

use super::server::{map, names, refused, servers};

#[tokio::test]
async fn lists_come_in_pages_of_one_moment_and_by_selection() {
    for server in servers().await {
        let maps = server.maps();
        for (number, color) in [(1, "red"), (2, "blue"), (3, "red"), (4, "blue")] {
            let mut one = map(&format!("page-{number}"), json!({ "n": number.to_string() }));
            one.metadata.labels = Some([("color".to_owned(), color.to_owned())].into());
            maps.create(&PostParams::default(), &one).await.expect("it is new");
        }
        let params = ListParams::default().labels("color");
        let first = maps.list(&params.clone().limit(3)).await.expect("a page");
        let token = first.metadata.continue_.clone().expect("there is more");
        assert_eq!(names(&first.items), ["page-1", "page-2", "page-3"]);
        // What happens between two pages is not seen.
        maps.delete("page-4", &DeleteParams::default()).await.expect("it is there");
        let rest = maps.list(&params.clone().limit(3).continue_token(&token)).await.expect("the other page");
        assert_eq!(names(&rest.items), ["page-4"]);
        assert_eq!(rest.metadata.continue_.as_deref().unwrap_or_default(), "");
        for (selector, expected) in [
            ("color=red", vec!["page-1", "page-3"]),
            ("color!=red,color", vec!["page-2"]),
            ("color in (blue, green)", vec!["page-2"]),
            ("color notin (blue),color", vec!["page-1", "page-3"]),
        ] {
            let found = maps.list(&ListParams::default().labels(selector)).await.expect("a selector");
            assert_eq!(names(&found.items), expected, "{selector}");
        }
        let found = maps.list(&ListParams::default().fields("metadata.name=page-2")).await.expect("a selector");
        assert_eq!(names(&found.items), ["page-2"]);
        let unknown = refused(maps.list(&ListParams::default().fields("data.n=1")).await);
        assert_eq!((unknown.0, unknown.1.as_str()), (400, "BadRequest"));
        assert!(
            unknown.2.contains("field label not supported: data.n")
                || unknown.2.contains("\"data.n\" is not a known field selector"),
            "{}",
            unknown.2
        );
        let now: u64 = first.metadata.resource_version.expect("a version").parse().expect("a number");
        let future = ListParams::default().at(&(now + 1_000_000).to_string()).timeout(1);
        let future = refused(maps.list(&future).await);
        assert_eq!((future.0, future.1.as_str()), (504, "Timeout"));
        assert!(future.2.contains("Too large resource version"), "{}", future.2);
        server.remove().await;
    }
}
