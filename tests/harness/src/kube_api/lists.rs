//! Which lists are merged, and by what: what the API's types say with `patchMergeKey` and `listType`.

use serde_json::Value;

/// How a list is merged with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Merge {
    /// Item by item; these fields say which item is which.
    ByKey(&'static [&'static str]),
    /// As a set of plain values.
    Set,
    /// Not at all: the new list replaces the old one.
    Replace,
}

/// The rule for a list by the name of its field, from `k8s.io/api` 1.35 (`core/v1`, `apps/v1`, `meta/v1`). In the kinds here, a name
/// means the same everywhere. Taints are among those that are replaced.
///
/// A strategic merge patch looks at the first of several keys only, as the API's `patchMergeKey` is a single one.
pub(super) fn merge(field: &str) -> Merge {
    match field {
        "conditions" | "addresses" => Merge::ByKey(&["type"]),
        "ownerReferences" => Merge::ByKey(&["uid"]),
        "containers" | "initContainers" | "ephemeralContainers" | "volumes" | "env" | "imagePullSecrets" | "secrets" => {
            Merge::ByKey(&["name"])
        }
        "ports" => Merge::ByKey(&["containerPort", "protocol"]),
        "volumeMounts" => Merge::ByKey(&["mountPath"]),
        "volumeDevices" => Merge::ByKey(&["devicePath"]),
        "podIPs" | "hostIPs" | "hostAliases" => Merge::ByKey(&["ip"]),
        "finalizers" | "podCIDRs" => Merge::Set,
        _ => Merge::Replace,
    }
}

/// Whether two items of a list are the same one.
pub(super) fn same_item(keys: &[&str], one: &Value, other: &Value) -> bool {
    keys.iter().all(|key| one[key] == other[key])
}
