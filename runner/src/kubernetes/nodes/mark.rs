//! The marks of a control-plane node, as kubeadm's phase `mark-control-plane` sets them.

use k8s_openapi::api::core::v1::{Node, Taint};
use serde_json::{Value, json};

use super::facts::taints;
use crate::kubernetes::names::CONTROL_PLANE;
use crate::kubernetes::{Api, ApiError, Change};

/// kubeadm's constants.LabelExcludeFromExternalLB.
const NOT_BALANCED: &str = "node.kubernetes.io/exclude-from-external-load-balancers";

/// So many times in a row somebody else may change the Node at the same moment: its kubelet does all the time.
const TRIES: usize = 5;

/// How the marking came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marked {
    /// The node has the labels and the taint now.
    Now,
    /// It had them.
    Before,
    /// Kubernetes knows no node of this name yet.
    NotRegistered,
}

/// Gives the node the labels and the taint that it lacks. Keeps every other.
pub(super) async fn mark(api: &Api, name: &str) -> Result<Marked, ApiError> {
    let mut last = None;
    for _ in 0..TRIES {
        let node: Node = match api.get(None, name).await {
            Ok(node) => node,
            Err(ApiError::NotFound { .. }) => return Ok(Marked::NotRegistered),
            Err(error) => return Err(error),
        };
        let Some(change) = change(&node) else { return Ok(Marked::Before) };
        match api.patch::<Node, _>(None, name, Change::Merge(change)).await {
            Ok(_) => return Ok(Marked::Now),
            Err(error @ ApiError::Conflict { .. }) => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(last.unwrap_or(ApiError::NotFound { what: format!("the Node {name}") }))
}

/// What a merge patch has to say; none where nothing is missing. A merge patch replaces the whole list of taints (Kubernetes has no
/// key to merge them by), so it names the version that it was made from.
fn change(node: &Node) -> Option<Value> {
    let labels = node.metadata.labels.as_ref();
    let missing = [CONTROL_PLANE, NOT_BALANCED].into_iter().filter(|key| labels.is_none_or(|l| !l.contains_key(*key)));
    let missing: serde_json::Map<String, Value> = missing.map(|key| (key.to_owned(), "".into())).collect();
    let tainted = taints(node).iter().any(|t| t.key == CONTROL_PLANE && t.effect == "NoSchedule");
    if missing.is_empty() && tainted {
        return None;
    }
    let mut change = json!({ "metadata": { "resourceVersion": node.metadata.resource_version } });
    if !missing.is_empty() {
        change["metadata"]["labels"] = missing.into();
    }
    if !tainted {
        let mut all = taints(node).to_vec();
        all.push(Taint { key: CONTROL_PLANE.to_owned(), effect: "NoSchedule".to_owned(), ..Taint::default() });
        change["spec"] = json!({ "taints": all });
    }
    Some(change)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_is_set_and_nothing_is_lost() {
        let fresh: Node = serde_json::from_value(json!({
            "metadata": { "name": "n", "resourceVersion": "7", "labels": { "zone": "a" } },
            "spec": { "taints": [{ "key": "node.kubernetes.io/not-ready", "effect": "NoSchedule" }] },
        }))
        .unwrap();
        insta::assert_snapshot!(change(&fresh).unwrap().to_string(), @r#"{"metadata":{"resourceVersion":"7","labels":{"node-role.kubernetes.io/control-plane":"","node.kubernetes.io/exclude-from-external-load-balancers":""}},"spec":{"taints":[{"effect":"NoSchedule","key":"node.kubernetes.io/not-ready"},{"effect":"NoSchedule","key":"node-role.kubernetes.io/control-plane"}]}}"#);
        let marked: Node = serde_json::from_value(json!({
            "metadata": { "labels": { CONTROL_PLANE: "", NOT_BALANCED: "" } },
            "spec": { "taints": [{ "key": CONTROL_PLANE, "effect": "NoSchedule" }] },
        }))
        .unwrap();
        assert_eq!(change(&marked), None);
    }
}
