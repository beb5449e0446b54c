//! What the server says of itself: versions, groups, kinds, health.

use serde_json::{Value, json};

use super::failure::{Answer, no_such_path};
use super::kinds::{self, Kind};

/// The Kubernetes whose behaviour this follows.
const VERSION: (&str, &str, &str) = ("1", "35", "v1.35.4");

/// A page of the server's own.
pub(super) enum Page {
    /// `/healthz`, `/livez`, `/readyz`
    Health,
    /// `/version`
    Version,
    /// `/api`
    Versions,
    /// `/apis`
    Groups,
    /// `/apis/<group>`
    Group(String),
    /// `/api/v1`, `/apis/<group>/v1`
    Kinds(String),
}

/// The page that a path leads to; none for objects.
pub(super) fn page(parts: &[&str]) -> Option<Page> {
    Some(match parts {
        ["healthz" | "livez" | "readyz"] => Page::Health,
        ["version"] => Page::Version,
        ["api"] => Page::Versions,
        ["apis"] => Page::Groups,
        ["apis", group] => Page::Group((*group).to_owned()),
        ["api", "v1"] => Page::Kinds(String::new()),
        ["apis", group, "v1"] => Page::Kinds((*group).to_owned()),
        _ => return None,
    })
}

impl Page {
    /// Whether it is shown to somebody whom the server does not know.
    pub(super) fn is_public(&self) -> bool {
        matches!(self, Self::Health | Self::Version)
    }

    pub(super) fn answer(&self) -> Answer {
        match self {
            Self::Health => (200, json!("ok")),
            Self::Version => {
                let (major, minor, version) = VERSION;
                (200, json!({ "major": major, "minor": minor, "gitVersion": version, "platform": "linux/amd64" }))
            }
            Self::Versions => (200, json!({ "kind": "APIVersions", "versions": ["v1"] })),
            Self::Groups => {
                let groups: Vec<_> = kinds::groups().into_iter().map(group_of).collect();
                (200, json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups }))
            }
            Self::Group(name) if kinds::groups().contains(&name.as_str()) => {
                let mut group = group_of(name);
                group["kind"] = json!("APIGroup");
                group["apiVersion"] = json!("v1");
                (200, group)
            }
            Self::Group(_) => no_such_path(),
            Self::Kinds(group) => kinds_of(group),
        }
    }
}

fn group_of(name: &str) -> Value {
    let version = json!({ "groupVersion": format!("{name}/v1"), "version": "v1" });
    json!({ "name": name, "versions": [version], "preferredVersion": version })
}

fn kinds_of(group: &str) -> Answer {
    // As in the real one, subresources stand among the others, with the kind of their parent.
    let entries: Vec<_> = kinds::of_group(group).flat_map(entries).collect();
    if entries.is_empty() {
        return no_such_path();
    }
    let version = if group.is_empty() { "v1".to_owned() } else { format!("{group}/v1") };
    (200, json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": entries }))
}

fn entries(kind: &Kind) -> Vec<Value> {
    let entry = |name: &str, verbs: &[&str]| {
        let singular = if name.contains('/') { String::new() } else { kind.kind.to_lowercase() };
        let namespaced = kind.namespaced;
        json!({ "name": name, "singularName": singular, "namespaced": namespaced, "kind": kind.kind, "verbs": verbs })
    };
    if kind == &kinds::ACCESS_REVIEW {
        return vec![entry(kind.plural, &["create"])];
    }
    let all = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
    let mut entries = Vec::new();
    if kind.status {
        entries.push(entry(&format!("{}/status", kind.plural), &["get", "patch", "update"]));
    }
    entries.push(entry(kind.plural, &all));
    entries
}
