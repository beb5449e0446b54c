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

/// The taints of a control-plane node: as given, `key[=value]:effect` each, or kubeadm's own.
pub(in crate::kubernetes) fn mark_with(given: Option<&[String]>) -> Vec<Taint> {
    let own = || vec![Taint { key: CONTROL_PLANE.to_owned(), effect: "NoSchedule".to_owned(), ..Taint::default() }];
    given.map_or_else(own, |given| given.iter().map(|text| taint(text)).collect())
}

fn taint(text: &str) -> Taint {
    let (named, effect) = text.rsplit_once(':').unwrap_or((text, ""));
    let (key, value) = named.split_once('=').map_or((named, None), |(key, value)| (key, Some(value.to_owned())));
    Taint { key: key.to_owned(), value, effect: effect.to_owned(), ..Taint::default() }
}

/// Gives the node the labels and the taints that it lacks. Keeps every other.
pub(super) async fn mark(api: &Api, name: &str, taints: &[Taint]) -> Result<Marked, ApiError> {
    let mut last = None;
    for _ in 0..TRIES {
        let node: Node = match api.get(None, name).await {
            Ok(node) => node,
            Err(ApiError::NotFound { .. }) => return Ok(Marked::NotRegistered),
            Err(error) => return Err(error),
        };
        let Some(change) = change(&node, taints) else { return Ok(Marked::Before) };
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
fn change(node: &Node, wanted: &[Taint]) -> Option<Value> {
    let labels = node.metadata.labels.as_ref();
    let missing = [CONTROL_PLANE, NOT_BALANCED].into_iter().filter(|key| labels.is_none_or(|l| !l.contains_key(*key)));
    let missing: serde_json::Map<String, Value> = missing.map(|key| (key.to_owned(), "".into())).collect();
    // As kubeadm compares them (markcontrolplane.go): by key, value and effect.
    let has =
        |one: &Taint| taints(node).iter().any(|t| (&t.key, &t.value, &t.effect) == (&one.key, &one.value, &one.effect));
    let lacking: Vec<Taint> = wanted.iter().filter(|taint| !has(taint)).cloned().collect();
    if missing.is_empty() && lacking.is_empty() {
        return None;
    }
    let mut change = json!({ "metadata": { "resourceVersion": node.metadata.resource_version } });
    if !missing.is_empty() {
        change["metadata"]["labels"] = missing.into();
    }
    if !lacking.is_empty() {
        let mut all = taints(node).to_vec();
        all.extend(lacking);
        change["spec"] = json!({ "taints": all });
    }
    Some(change)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_s_taints_are_in_the_place_of_kubeadm_s() {
        let given = ["dedicated=etcd:NoExecute".to_owned(), "node.example/new:NoSchedule".to_owned()];
        let node = Node::default();
        let change = change(&node, &mark_with(Some(&given))).unwrap();
        insta::assert_snapshot!(change["spec"].to_string(), @r#"{"taints":[{"effect":"NoExecute","key":"dedicated","value":"etcd"},{"effect":"NoSchedule","key":"node.example/new"}]}"#);
        assert_eq!(mark_with(Some(&[])), Vec::new(), "an empty list is none at all, as kubeadm has it");
    }

    #[test]
    fn only_what_is_missing_is_set_and_nothing_is_lost() {
        let fresh: Node = serde_json::from_value(json!({
            "metadata": { "name": "n", "resourceVersion": "7", "labels": { "zone": "a" } },
            "spec": { "taints": [{ "key": "node.kubernetes.io/not-ready", "effect": "NoSchedule" }] },
        }))
        .unwrap();
        insta::assert_snapshot!(change(&fresh, &mark_with(None)).unwrap().to_string(), @r#"{"metadata":{"resourceVersion":"7","labels":{"node-role.kubernetes.io/control-plane":"","node.kubernetes.io/exclude-from-external-load-balancers":""}},"spec":{"taints":[{"effect":"NoSchedule","key":"node.kubernetes.io/not-ready"},{"effect":"NoSchedule","key":"node-role.kubernetes.io/control-plane"}]}}"#);
        let marked: Node = serde_json::from_value(json!({
            "metadata": { "labels": { CONTROL_PLANE: "", NOT_BALANCED: "" } },
            "spec": { "taints": [{ "key": CONTROL_PLANE, "effect": "NoSchedule" }] },
        }))
        .unwrap();
        assert_eq!(change(&marked, &mark_with(None)), None);
    }
}
