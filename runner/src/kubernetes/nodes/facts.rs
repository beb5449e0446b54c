//! What is read off a Node.

use k8s_openapi::api::core::v1::{Node, NodeCondition, Taint};

use crate::kubernetes::time::ours;
use crate::text::one_line;

/// The most of a Node's text that is shown.
const SHOWN: usize = 200;

/// The taint that `kubectl cordon` leaves, by the node controller's hand (k8s.io/api/core/v1, TaintNodeUnschedulable).
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// Conditions that are bad when they are true.
const PRESSURES: [&str; 4] = ["DiskPressure", "MemoryPressure", "PIDPressure", "NetworkUnavailable"];

/// A minor version of Kubernetes: `1.33`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Minor(pub(super) u32, pub(super) u32);

impl Minor {
    /// Of `v1.33.4-gke.100` or `v1.33+`; none where it is no version.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim_start_matches('v').split('.');
        let digits = |part: &str| part.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok();
        Some(Self(digits(parts.next()?)?, digits(parts.next()?)?))
    }
}

impl std::fmt::Display for Minor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

pub(super) fn name(node: &Node) -> String {
    one_line(node.metadata.name.as_deref().unwrap_or_default(), SHOWN)
}

/// Why it is not Ready, or none where it is.
pub(super) fn not_ready(node: &Node) -> Option<String> {
    let Some(ready) = conditions(node).iter().find(|c| c.type_ == "Ready") else {
        return Some("it has never said that it is".to_owned());
    };
    if ready.status == "True" {
        return None;
    }
    let since = ready.last_transition_time.as_ref().map(|at| format!(" since {:.0}", ours(at.0)));
    let why = [&ready.reason, &ready.message].into_iter().flatten().filter(|text| !text.is_empty());
    let why: Vec<String> = why.map(|text| one_line(text, SHOWN)).collect();
    let why = if why.is_empty() { String::new() } else { format!(": {}", why.join(", ")) };
    Some(format!("its Ready condition is {}{}{why}", one_line(&ready.status, 20), since.unwrap_or_default()))
}

/// Whether the lack of a network plugin is all that keeps it from being Ready, apart from storage that is not asked for yet: etcd and the
/// control plane need neither.
///
/// The words are the kubelet's (`ReadyCondition` in pkg/kubelet/nodestatus/setters.go: errors of the runtime, of its network, of storage,
/// of a shutdown and a lack of capacity, in this order, in brackets where there are several) and the runtime's (`NetworkPluginNotReady`).
/// Seen with kubelet 1.33 to 1.36 and containerd 2.4.
pub(super) fn lacks_network_plugin(node: &Node) -> bool {
    let ready = conditions(node).iter().find(|c| c.type_ == "Ready");
    ready.and_then(|ready| ready.message.as_deref()).is_some_and(|message| {
        let first = message.strip_prefix('[').unwrap_or(message);
        let worse = ["node is shutting down", "missing node capacity"];
        first.starts_with("container runtime network not ready: ")
            && first.contains("NetworkPluginNotReady")
            && !worse.iter().any(|worse| message.contains(worse))
    })
}

/// The names of its conditions that are true and should not be.
pub(super) fn pressures(node: &Node) -> Vec<&'static str> {
    let holds = |wanted: &&str| conditions(node).iter().any(|c| c.type_ == **wanted && c.status == "True");
    PRESSURES.into_iter().filter(|p| holds(p)).collect()
}

/// Since when and by whom it is cordoned, as far as it is known; none where it is not. Empty where nothing is known.
pub(super) fn cordoned(node: &Node) -> Option<String> {
    if node.spec.as_ref()?.unschedulable != Some(true) {
        return None;
    }
    let taint = taints(node).iter().find(|taint| taint.key == UNSCHEDULABLE);
    let mut since = taint.and_then(|t| t.time_added.as_ref()).map(|at| ours(at.0));
    let owners = node.metadata.managed_fields.iter().flatten();
    // Whoever owns the field has set it: `kubectl-cordon`, a drain controller, an autoscaler.
    let owner = owners
        .filter(|entry| entry.subresource.as_deref().is_none_or(str::is_empty))
        .find(|entry| entry.fields_v1.as_ref().is_some_and(|fields| fields.0["f:spec"].get("f:unschedulable").is_some()));
    since = since.or_else(|| owner.and_then(|o| o.time.as_ref()).map(|at| ours(at.0)));
    let by = owner.and_then(|o| o.manager.as_deref()).map(|m| format!(" by {}", one_line(m, SHOWN)));
    let since = since.map(|at| format!(" since {at:.0}"));
    Some(format!("{}{}", by.unwrap_or_default(), since.unwrap_or_default()))
}

/// The kubelet's version as it says it, and its minor where that can be read.
pub(super) fn kubelet(node: &Node) -> Option<(String, Minor)> {
    let version = &node.status.as_ref()?.node_info.as_ref()?.kubelet_version;
    Some((one_line(version, 40), Minor::parse(version)?))
}

/// Whether one of its addresses is this host.
pub(super) fn has_address(node: &Node, host: &str) -> bool {
    let addresses = node.status.iter().flat_map(|status| status.addresses.iter().flatten());
    addresses.into_iter().any(|a| same_host(&a.address, host))
}

pub(super) fn taints(node: &Node) -> &[Taint] {
    node.spec.as_ref().and_then(|spec| spec.taints.as_deref()).unwrap_or_default()
}

fn conditions(node: &Node) -> &[NodeCondition] {
    node.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default()
}

/// An address has several spellings (`fd00::1`, `fd00:0::1`); a host name has one, in any case.
fn same_host(a: &str, b: &str) -> bool {
    match (a.parse::<std::net::IpAddr>(), b.parse::<std::net::IpAddr>()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a.eq_ignore_ascii_case(b),
    }
}
