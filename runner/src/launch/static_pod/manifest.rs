//! The static pod's manifest: kubeadm's, but for what a learner needs otherwise.
//!
//! The shape is that of kubeadm's `phases/etcd/local.go` and `util/staticpod` (1.31 to 1.37), so that `kubeadm upgrade` and
//! `kubeadm reset` go on managing what runner wrote. What differs on purpose:
//!
//! - the first line, a comment by which runner knows its own manifest;
//! - the startup probe asks what a learner can answer. kubeadm's asks `/readyz`, which etcd since 3.5.19 and 3.6.0 refuses on a
//!   learner, so that the kubelet kills a member that needs longer than the probe allows to catch up;
//! - an etcd without `/livez` is asked what it knows, and one of 3.4 told to log as the later ones do.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Container, EnvVar, HostPathVolumeSource, Pod, PodSecurityContext, PodSpec, PodStatus, ResourceRequirements,
    SeccompProfile, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::probes::Probes;
use super::yaml;
use crate::Problem;
use crate::launch::flags::{self, Wiring};
use crate::launch::{EtcdVersion, MemberConfig, StaticPodConfig, mark, refuse, url};
use crate::pipeline::MemberSpec;

/// The manifest's name in the kubelet's folder, as kubeadm's.
pub(super) const FILE: &str = "etcd.yaml";

/// Where kubeadm's discovery of endpoints, and runner's, looks.
const ADVERTISED: &str = "kubeadm.kubernetes.io/etcd.advertise-client-urls";

/// The value of the priority class `system-node-critical`.
const NODE_CRITICAL: i32 = 2_000_001_000;

/// The manifest of this member, whole.
pub(super) fn manifest(spec: &MemberSpec, config: &StaticPodConfig, version: &EtcdVersion) -> Result<String, Problem> {
    let pod = serde_json::to_value(pod(spec, config, version)?)
        .map_err(|e| refuse(format!("the manifest cannot be written: {e}"), &[]))?;
    Ok(format!("{}\n{}", mark::line(&spec.name, spec.identity.as_ref()), yaml::document(&pod)))
}

/// Whether two manifests are the same for a member that has its log: it reads neither the list of members from them nor whether it is the first,
/// and whose they are stands in the log, too.
pub(super) fn same_but_for_others(a: &str, b: &str) -> bool {
    let matters = |line: &&str| {
        let flag = line.trim_start().trim_start_matches("- ");
        !["--initial-cluster=", "--initial-cluster-state=", mark::MARK].iter().any(|start| flag.starts_with(start))
    };
    a.lines().filter(matters).eq(b.lines().filter(matters))
}

/// Where a member listens for clients: on loopback too, for the API server and the probes of this node, as kubeadm has it.
///
/// A URL on loopback or on every address is there already.
pub fn listen_client_urls(urls: &[String]) -> Vec<String> {
    let mut all = Vec::new();
    for url in urls {
        let Ok(listen) = url::listen(url) else { continue };
        let (ip, port) = (listen.address.ip(), listen.address.port());
        let scheme = if listen.tls { "https" } else { "http" };
        let local = format!("{scheme}://{}:{port}", if ip.is_ipv6() { "[::1]" } else { "127.0.0.1" });
        if !ip.is_loopback() && !ip.is_unspecified() && !all.contains(&local) && !urls.contains(&local) {
            all.push(local);
        }
    }
    all.extend(urls.iter().cloned());
    all
}

fn pod(spec: &MemberSpec, config: &StaticPodConfig, version: &EtcdVersion) -> Result<Pod, Problem> {
    let member = &config.member;
    let probes = Probes::of(member, version, config.startup_timeout)?;
    let mounts = mounts(member)?;
    let variable =
        |(name, value): (&String, &String)| EnvVar { name: name.clone(), value: Some(value.clone()), ..EnvVar::default() };
    let env: Vec<_> = member.env.iter().map(variable).collect();
    let container = Container {
        name: "etcd".to_owned(),
        image: Some(config.image.clone()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        command: Some(command(spec, member, version)?),
        env: Some(env).filter(|env| !env.is_empty()),
        liveness_probe: Some(probes.live),
        readiness_probe: probes.ready,
        startup_probe: Some(probes.start),
        ports: Some(vec![probes.port]),
        resources: Some(ResourceRequirements {
            requests: Some(BTreeMap::from([
                ("cpu".to_owned(), Quantity("100m".to_owned())),
                ("memory".to_owned(), Quantity("100Mi".to_owned())),
            ])),
            ..ResourceRequirements::default()
        }),
        volume_mounts: Some(
            mounts
                .iter()
                .map(|(name, path)| VolumeMount {
                    mount_path: path.clone(),
                    name: (*name).to_owned(),
                    ..VolumeMount::default()
                })
                .collect(),
        ),
        ..Container::default()
    };
    let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Ok(Pod {
        metadata: ObjectMeta {
            annotations: Some(BTreeMap::from([label(ADVERTISED, &spec.client_urls.join(","))])),
            labels: Some(BTreeMap::from([label("component", "etcd"), label("tier", "control-plane")])),
            name: Some("etcd".to_owned()),
            namespace: Some("kube-system".to_owned()),
            ..ObjectMeta::default()
        },
        spec: Some(PodSpec {
            containers: vec![container],
            host_network: Some(true),
            priority: Some(NODE_CRITICAL),
            priority_class_name: Some("system-node-critical".to_owned()),
            security_context: Some(PodSecurityContext {
                seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), ..SeccompProfile::default() }),
                ..PodSecurityContext::default()
            }),
            volumes: Some(volumes(&mounts)),
            ..PodSpec::default()
        }),
        status: Some(PodStatus::default()),
    })
}

/// `etcd` and its flags: kubeadm's own in the order of their names, then the operator's, who may say otherwise.
fn command(spec: &MemberSpec, member: &MemberConfig, version: &EtcdVersion) -> Result<Vec<String>, Problem> {
    let listen = member.listen_client_urls.clone().unwrap_or_else(|| listen_client_urls(&spec.client_urls));
    let wiring = Wiring { listen_client_urls: Some(&listen), ..Wiring::of(member, version.minor) };
    let mut flags = flags::flags(spec, &wiring);
    // In a container there is no journal for it to find, and kubeadm leaves the rest to etcd's defaults.
    flags.retain(|(name, _)| *name != "log-outputs" && (spec.existing || *name != "initial-cluster-state"));
    flags.push(("snapshot-count", "10000".to_owned()));
    match version.minor {
        // CHANGELOG-3.4: since 3.4.11.
        4 if version.patch < 11 => {}
        4 | 5 => flags.push(("experimental-watch-progress-notify-interval", "5s".to_owned())),
        _ => flags.push(("watch-progress-notify-interval", "5s".to_owned())),
    }
    flags.sort();
    let said: Vec<_> = member.extra_args.iter().filter_map(|argument| flags::name(argument)).collect();
    flags.retain(|(name, _)| *name == "feature-gates" || !said.contains(name));
    let arguments = flags::arguments(flags, &member.extra_args)?;
    Ok(std::iter::once("etcd".to_owned()).chain(arguments).collect())
}

/// What of the node the pod sees, by the volumes' names: the data directory and the folder of the certificates, each at its own
/// path.
pub(super) fn mounts(member: &MemberConfig) -> Result<Vec<(&'static str, String)>, Problem> {
    let mut mounts = vec![("etcd-data", member.data_dir.display().to_string())];
    if let Some(tls) = &member.tls {
        let mut folders: Vec<_> = tls.files().iter().filter_map(|file| file.parent()).collect();
        folders.sort();
        folders.dedup();
        match folders.as_slice() {
            [folder] => mounts.push(("etcd-certs", folder.display().to_string())),
            _ => {
                let list: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
                let text = format!("the certificates lie in several folders ({}), and the pod sees one", list.join(", "));
                return Err(refuse(text, &["put them into one folder, /etc/kubernetes/pki/etcd for example"]));
            }
        }
    }
    Ok(mounts)
}

/// In the order of their names, as kubeadm writes them.
fn volumes(mounts: &[(&'static str, String)]) -> Vec<Volume> {
    let mut volumes: Vec<_> = mounts
        .iter()
        .map(|(name, path)| Volume {
            host_path: Some(HostPathVolumeSource { path: path.clone(), type_: Some("DirectoryOrCreate".to_owned()) }),
            name: (*name).to_owned(),
            ..Volume::default()
        })
        .collect();
    volumes.sort_by(|a, b| a.name.cmp(&b.name));
    volumes
}

#[cfg(test)]
mod tests;
