//! Are the control-plane nodes in a state in which a node should join? Pure functions of what was read.

use k8s_openapi::api::core::v1::Node;

use super::facts::{self, Minor};
use crate::cluster::remedy::{Only, Remedy};
use crate::cluster::{Member, MemberView, View};
use crate::pipeline::{Finding, Severity};

/// The oldest kubelet that an API server supports, in minors below its own (Kubernetes' version skew policy).
const OLDEST_KUBELET: u32 = 3;

/// What was read of Kubernetes.
pub(super) struct Seen<'a> {
    /// The control-plane nodes.
    pub(super) nodes: &'a [Node],
    /// The API server's version, where it said it.
    pub(super) api: Option<&'a str>,
    /// The node that is to join.
    pub(super) own: &'a str,
}

/// Judges the control-plane nodes, and how etcd's voters lie on them.
pub(super) fn judge(seen: &Seen<'_>, view: &View) -> Vec<Finding> {
    let mut findings = Vec::new();
    if seen.nodes.is_empty() {
        let text = "Kubernetes knows no control-plane node; the kubeconfig may lead to another cluster".to_owned();
        let remedy = "check the kubeconfig, or label the nodes node-role.kubernetes.io/control-plane";
        findings.push(finding(Severity::Warning, "no-control-plane-node", text, remedy));
        return findings;
    }
    for node in seen.nodes {
        let member = view.voters().find(|m| runs_on(&m.member, node));
        if facts::name(node) == seen.own {
            own(node, &mut findings);
        } else {
            other(node, member, view, &mut findings);
        }
    }
    voters(seen, view, &mut findings);
    skew(seen, &mut findings);
    findings
}

/// The joining node's own state says nothing about the cluster.
fn own(node: &Node, findings: &mut Vec<Finding>) {
    if let Some(how) = facts::cordoned(node) {
        let text = format!("this node ({}) is itself cordoned{how}", facts::name(node));
        findings.push(finding(Severity::Info, "own-node-cordoned", text, "kubectl uncordon it when it is to take Pods"));
    }
    if facts::pressures(node).contains(&"DiskPressure") {
        let text = format!("this node ({}) has DiskPressure: the new member's database needs room here", facts::name(node));
        findings.push(finding(Severity::Warning, "own-node-pressure", text, "make room on its disk before the join"));
    }
}

fn other(node: &Node, member: Option<&MemberView>, view: &View, findings: &mut Vec<Finding>) {
    let name = facts::name(node);
    let of = |mut found: Finding| {
        found.member = member.map(|m| m.member.id.to_string());
        found
    };
    if let Some(why) = facts::not_ready(node) {
        let (severity, whose, remedy) = not_ready(node, member, view);
        let what = format!("the control-plane node {name} is not Ready, {whose}; {why}");
        findings.push(of(finding(severity, "node-not-ready", what, &remedy)));
    } else if member.is_none() && view.voters().any(|m| !m.member.name.is_empty()) {
        let text = format!("the control-plane node {name} has no etcd voter");
        findings.push(finding(
            Severity::Info,
            "node-without-voter",
            text,
            "if it should have one: `runner join` on that node, when this join is done",
        ));
    }
    if let Some(how) = facts::cordoned(node) {
        let text = format!("the control-plane node {name} is cordoned{how}: somebody is at work there");
        let remedy = "ask them before the control plane is changed, or kubectl uncordon it if they are done";
        findings.push(of(finding(Severity::Warning, "node-cordoned", text, remedy)));
    }
    let pressures = facts::pressures(node);
    if !pressures.is_empty() {
        let text = format!("the control-plane node {name} has {}", pressures.join(", "));
        let remedy = "look at it with kubectl describe node: etcd slows down before it stops";
        findings.push(of(finding(Severity::Warning, "node-pressure", text, remedy)));
    }
}

/// How much it matters that a node is not Ready, what is said of its voter, and what to do.
///
/// The kubelet says so of its own node; etcd speaks for itself. So a node is gone only where both are silent.
fn not_ready(node: &Node, member: Option<&MemberView>, view: &View) -> (Severity, &'static str, String) {
    let name = facts::name(node);
    let Some(member) = member else {
        let remedy = format!("if it is gone for good: kubectl delete node {name}");
        return (Severity::Warning, "and no etcd voter runs on it", remedy);
    };
    if member.healthy() {
        let whose = "but its etcd voter answers";
        return match facts::lacks_network_plugin(node) {
            // As every node of a cluster whose control plane is made before its network.
            true => {
                (Severity::Info, whose, "nothing for etcd: it is Ready when the cluster has a network plugin".to_owned())
            }
            false => (Severity::Warning, whose, "look at its kubelet; its etcd member is well: leave it".to_owned()),
        };
    }
    let back = "bring it back".to_owned();
    // The last voter is never to go, and one that the others cannot do without cannot.
    let without = view.voters().filter(|m| m.member.id != member.member.id && m.healthy()).count();
    let remedy = match without >= view.quorum() {
        true => {
            let remove = Remedy::remove(member.member.id, Only::GoneForGood);
            format!("{back}; or, {remove}, and then kubectl delete node {name}")
        }
        false => back,
    };
    (Severity::Error, "and the etcd voter on it does not answer", remedy)
}

/// Voters on no control-plane node, where others are on some: somebody has removed the node and not the member.
fn voters(seen: &Seen<'_>, view: &View, findings: &mut Vec<Finding>) {
    let on_a_node = |member: &Member| seen.nodes.iter().any(|node| runs_on(member, node));
    // etcd on machines of its own is no stacked control plane: then no voter is on a node.
    if !view.voters().any(|m| on_a_node(&m.member)) {
        return;
    }
    for view in view.voters().filter(|m| !on_a_node(&m.member)) {
        let voter = &view.member;
        let text = format!("the etcd voter {} runs on no control-plane node that Kubernetes knows", voter.label());
        let remedy = match view.healthy() {
            true => "it answers, so leave it: find out where it runs, and why its node is not registered".to_owned(),
            false => Remedy::remove(voter.id, Only::GoneForGood).to_string(),
        };
        let mut found = finding(Severity::Warning, "voter-without-node", text, &remedy);
        found.member = Some(voter.id.to_string());
        findings.push(found);
    }
}

/// Kubernetes' version skew policy, as far as the nodes' kubelets tell.
fn skew(seen: &Seen<'_>, findings: &mut Vec<Finding>) {
    let kubelets: Vec<(String, String, Minor)> =
        seen.nodes.iter().filter_map(|n| facts::kubelet(n).map(|(text, minor)| (facts::name(n), text, minor))).collect();
    if let Some((text, api)) = seen.api.and_then(|text| Some((text, Minor::parse(text)?))) {
        for (name, kubelet, minor) in &kubelets {
            if *minor > api {
                let severity = if name == seen.own { Severity::Error } else { Severity::Warning };
                let what = format!("the kubelet of {name} ({kubelet}) is newer than the API server ({text})");
                let remedy = "no kubelet may be newer than any API server: upgrade the control plane first";
                findings.push(finding(severity, "kubelet-too-new", what, remedy));
            } else if minor.0 == api.0 && api.1 - minor.1 > OLDEST_KUBELET {
                let what = format!(
                    "the kubelet of {name} ({kubelet}) is more than {OLDEST_KUBELET} minors older than the API server ({text})"
                );
                findings.push(finding(Severity::Warning, "kubelet-too-old", what, "upgrade it"));
            }
        }
    }
    let (oldest, newest) = (kubelets.iter().min_by_key(|k| k.2), kubelets.iter().max_by_key(|k| k.2));
    if let (Some(oldest), Some(newest)) = (oldest, newest)
        && (oldest.2.0 != newest.2.0 || newest.2.1 - oldest.2.1 > 1)
    {
        let text = format!(
            "control-plane nodes are more than one minor apart: {} has {}, {} has {}",
            oldest.0, oldest.1, newest.0, newest.1
        );
        let remedy = "finish the upgrade under way before the control plane grows";
        findings.push(finding(Severity::Warning, "control-plane-skew", text, remedy));
    }
}

/// Whether the member runs on this node: by the node's name, which kubeadm gives its member, or by an address of it.
fn runs_on(member: &Member, node: &Node) -> bool {
    let hosts = member.client_urls.iter().filter_map(|url| {
        let url = url::Url::parse(url).ok()?;
        Some(url.host_str()?.trim_start_matches('[').trim_end_matches(']').to_owned())
    });
    (member.started() && node.metadata.name.as_deref() == Some(&member.name))
        || hosts.into_iter().any(|host| facts::has_address(node, &host))
}

fn finding(severity: Severity, code: &str, message: String, remedy: &str) -> Finding {
    Finding { severity, code: code.to_owned(), message, remedy: Some(remedy.to_owned()), member: None }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::cluster::{ClusterError, MemberId, MemberStatus, Reason};

    /// In front of a voter's name: it does not answer.
    const SILENT: char = '!';

    fn node(name: &str, change: impl FnOnce(&mut Value)) -> Node {
        let ready = json!({ "type": "Ready", "status": "True", "reason": "KubeletReady" });
        let mut node = json!({
            "metadata": { "name": name },
            "spec": {},
            "status": {
                "addresses": [{ "type": "InternalIP", "address": "10.0.0.1" }],
                "conditions": [ready],
                "nodeInfo": {
                    "kubeletVersion": "v1.33.4", "architecture": "", "bootID": "", "containerRuntimeVersion": "", "kernelVersion": "",
                    "kubeProxyVersion": "", "machineID": "", "operatingSystem": "", "osImage": "", "systemUUID": "",
                },
            },
        });
        change(&mut node);
        serde_json::from_value(node).unwrap()
    }

    fn view(voters: &[(&str, &str)]) -> View {
        let members = voters.iter().enumerate().map(|(i, (name, url))| {
            let id = MemberId(i as u64 + 1);
            let member = Member {
                id,
                name: name.trim_start_matches(SILENT).to_owned(),
                peer_urls: Vec::new(),
                client_urls: vec![(*url).to_owned()],
                learner: false,
            };
            let status = match name.starts_with(SILENT) {
                true => Err(ClusterError::new(Reason::Unreachable, "connection refused", "")),
                false => Ok(answer(id)),
            };
            MemberView { member, endpoint: None, status }
        });
        View {
            cluster_id: 1,
            members: members.collect(),
            leader: None,
            alarms: Vec::new(),
            observed_at: crate::clock::now(),
            silent: Vec::new(),
        }
    }

    fn answer(id: MemberId) -> MemberStatus {
        MemberStatus {
            cluster_id: 1,
            member_id: id,
            version: "3.6.0".to_owned(),
            db_size: 0,
            db_size_in_use: 0,
            leader: Some(MemberId(1)),
            raft_index: 1,
            raft_applied_index: 1,
            raft_term: 1,
            learner: false,
            errors: Vec::new(),
            round_trip: std::time::Duration::ZERO,
        }
    }

    fn said(nodes: &[Node], voters: &[(&str, &str)], api: &str) -> String {
        let seen = Seen { nodes, api: Some(api), own: "new" };
        let lines = judge(&seen, &view(voters)).into_iter().map(|f| {
            let member = f.member.map(|m| format!(" [{m}]")).unwrap_or_default();
            format!("{:?} {}{member}: {}\n", f.severity, f.code, f.message)
        });
        lines.collect()
    }

    #[test]
    fn healthy_nodes_are_no_news() {
        let nodes = [node("cp-1", |_| ()), node("cp-2", |n| n["status"]["addresses"][0]["address"] = "fd00:0::2".into())];
        assert_eq!(said(&nodes, &[("cp-1", "https://10.9.9.9:2379"), ("other", "https://[fd00::2]:2379")], "v1.33.1"), "");
        // etcd on machines of its own.
        let said = said(&nodes, &[("db-1", "https://10.1.0.1:2379")], "v1.34.0");
        assert!(!said.contains("voter-without-node") && !said.contains("Error"), "{said}");
    }

    #[test]
    fn what_is_the_matter_is_said_of_the_right_node() {
        let not_ready = |n: &mut Value| {
            n["status"]["conditions"][0] = json!({
                "type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown",
                "message": "Kubelet stopped posting\nnode status.", "lastTransitionTime": "2026-03-01T10:00:00Z",
            });
        };
        let cordoned = |n: &mut Value| {
            n["spec"]["unschedulable"] = true.into();
            n["metadata"]["managedFields"] = json!([{
                "manager": "kured", "operation": "Update", "time": "2026-03-01T09:00:00Z",
                "fieldsV1": { "f:spec": { "f:unschedulable": {} } },
            }]);
        };
        let nodes = [
            node("cp-1", not_ready),
            node("cp-2", cordoned),
            node("cp-3", |n| {
                n["status"]["conditions"].as_array_mut().unwrap().push(json!({ "type": "DiskPressure", "status": "True" }));
            }),
            node("gone", |n| {
                not_ready(n);
                n["status"]["addresses"] = json!([]);
            }),
            node("idle", |n| n["status"]["addresses"] = json!([])),
            node("new", |n| {
                not_ready(n);
                n["spec"]["unschedulable"] = true.into();
            }),
        ];
        let voters = [("!cp-1", ""), ("cp-2", ""), ("cp-3", ""), ("left", "https://10.8.8.8:2379")];
        insta::assert_snapshot!(said(&nodes, &voters, "v1.33.4"), @r"
        Error node-not-ready [1]: the control-plane node cp-1 is not Ready, and the etcd voter on it does not answer; its Ready condition is Unknown since 2026-03-01T10:00:00Z: NodeStatusUnknown, Kubelet stopped posting node status.
        Warning node-cordoned [2]: the control-plane node cp-2 is cordoned by kured since 2026-03-01T09:00:00Z: somebody is at work there
        Warning node-pressure [3]: the control-plane node cp-3 has DiskPressure
        Warning node-not-ready: the control-plane node gone is not Ready, and no etcd voter runs on it; its Ready condition is Unknown since 2026-03-01T10:00:00Z: NodeStatusUnknown, Kubelet stopped posting node status.
        Info node-without-voter: the control-plane node idle has no etcd voter
        Info own-node-cordoned: this node (new) is itself cordoned
        Warning voter-without-node [4]: the etcd voter left runs on no control-plane node that Kubernetes knows
        ");
        assert!(said(&[], &voters, "v1.33.4").starts_with("Warning no-control-plane-node"));
        assert!(
            said(&[node("x", |n| n["status"] = json!({}))], &voters, "v1.33.4").contains("it has never said that it is")
        );
    }

    /// Severity and remedy of the one finding about a node that is not Ready, with these voters.
    fn judged(message: &str, voters: &[(&str, &str)]) -> String {
        let not_ready = node("cp-1", |n| {
            n["status"]["conditions"][0] =
                json!({ "type": "Ready", "status": "False", "reason": "KubeletNotReady", "message": message });
        });
        let seen = Seen { nodes: &[not_ready], api: None, own: "new" };
        let all = judge(&seen, &view(voters));
        let [found] = all.iter().filter(|f| f.code == "node-not-ready").collect::<Vec<_>>()[..] else { panic!("{all:?}") };
        format!("{:?}: {}; {}", found.severity, found.message, found.remedy.as_deref().unwrap_or_default())
    }

    #[test]
    fn a_node_that_is_not_ready_is_no_dead_voter() {
        let network = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin \
                       returns error: cni plugin not initialized";
        let others = [("cp-2", ""), ("cp-3", "")];
        let with = |first| [&[(first, "")][..], &others].concat();
        insta::assert_snapshot!(
            [
                judged(network, &with("cp-1")),
                // As a kubelet says it in its first seconds.
                judged(&format!("[{network}, CSINode is not yet initialized]"), &with("cp-1")),
                judged(&format!("[{network}, node is shutting down]"), &with("cp-1")),
                judged(&format!("[PLEG is not healthy, {network}]"), &with("cp-1")),
                judged("PLEG is not healthy", &with("cp-1")),
                judged(network, &with("!cp-1")),
            ]
            .join("\n"),
            @r"
            Info: the control-plane node cp-1 is not Ready, but its etcd voter answers; its Ready condition is False: KubeletNotReady, container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized; nothing for etcd: it is Ready when the cluster has a network plugin
            Info: the control-plane node cp-1 is not Ready, but its etcd voter answers; its Ready condition is False: KubeletNotReady, [container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized, CSINode is not yet initialized]; nothing for etcd: it is Ready when the cluster has a network plugin
            Warning: the control-plane node cp-1 is not Ready, but its etcd voter answers; its Ready condition is False: KubeletNotReady, [container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized, node is shutting down]; look at its kubelet; its etcd member is well: leave it
            Warning: the control-plane node cp-1 is not Ready, but its etcd voter answers; its Ready condition is False: KubeletNotReady, [PLEG is not healthy, container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized]; look at its kubelet; its etcd member is well: leave it
            Warning: the control-plane node cp-1 is not Ready, but its etcd voter answers; its Ready condition is False: KubeletNotReady, PLEG is not healthy; look at its kubelet; its etcd member is well: leave it
            Error: the control-plane node cp-1 is not Ready, and the etcd voter on it does not answer; its Ready condition is False: KubeletNotReady, container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized; bring it back; or, if it is gone for good, and not only out of reach from here: etcdctl member remove 1, and then kubectl delete node cp-1
            "
        );
    }

    #[test]
    fn nobody_is_told_to_remove_a_voter_that_the_others_cannot_do_without() {
        for voters in [
            &[("!cp-1", "")][..],
            &[("cp-1", "")],
            &[("!cp-1", ""), ("cp-2", "")],
            &[("!cp-1", ""), ("!cp-2", ""), ("cp-3", "")],
        ] {
            let said = judged("Kubelet stopped posting node status.", voters);
            assert!(!said.contains("remove") && !said.contains("delete"), "{voters:?}: {said}");
        }
        // Nor one that answers and is nobody's.
        let nodes = [node("cp-1", |_| ())];
        let seen = Seen { nodes: &nodes, api: None, own: "new" };
        for (other, removed) in [("left", false), ("!left", true)] {
            let found =
                judge(&seen, &view(&[("cp-1", ""), ("cp-2", "https://10.0.0.1:1"), (other, "https://10.8.8.8:2379")]));
            let found = found.iter().find(|f| f.code == "voter-without-node").expect("it is on no node");
            assert_eq!(found.remedy.as_deref().unwrap_or_default().contains("remove"), removed, "{found:?}");
        }
    }

    #[test]
    fn versions_must_be_near() {
        let of = |name: &str, version: &str| node(name, |n| n["status"]["nodeInfo"]["kubeletVersion"] = version.into());
        let nodes = [of("cp-1", "v1.29.9"), of("cp-2", "v1.34.0-rc.1"), of("new", "v1.34.0"), of("odd", "unknown")];
        insta::assert_snapshot!(said(&nodes, &[], "v1.33.4+k3s1"), @r"
        Warning kubelet-too-old: the kubelet of cp-1 (v1.29.9) is more than 3 minors older than the API server (v1.33.4+k3s1)
        Warning kubelet-too-new: the kubelet of cp-2 (v1.34.0-rc.1) is newer than the API server (v1.33.4+k3s1)
        Error kubelet-too-new: the kubelet of new (v1.34.0) is newer than the API server (v1.33.4+k3s1)
        Warning control-plane-skew: control-plane nodes are more than one minor apart: cp-1 has v1.29.9, new has v1.34.0
        ");
        assert_eq!(said(&nodes[..1], &[], "v1.32.0"), "");
        assert_eq!(said(&nodes[..1], &[], "nonsense"), "");
    }
}
