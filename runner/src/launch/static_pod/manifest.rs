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
use std::net::IpAddr;
use std::time::Duration;

use k8s_openapi::api::core::v1::{
    Container, ContainerPort, EnvVar, HTTPGetAction, HostPathVolumeSource, Pod, PodSecurityContext, PodSpec, PodStatus,
    Probe, ResourceRequirements, SeccompProfile, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::yaml;
use crate::launch::flags::{self, Wiring};
use crate::launch::{EtcdVersion, MemberConfig, StaticPodConfig, refuse, url};
use crate::pipeline::{LaunchError, MemberSpec};

/// The manifest's name in the kubelet's folder, as kubeadm's.
pub(super) const FILE: &str = "etcd.yaml";

/// What the first line of a manifest of runner's begins with.
pub(super) const MARK: &str = "# Written by runner for the etcd member ";

/// Where kubeadm's discovery of endpoints, and runner's, looks.
const ADVERTISED: &str = "kubeadm.kubernetes.io/etcd.advertise-client-urls";

/// The name of the port that the probes ask, as kubeadm's.
const PROBE_PORT: &str = "probe-port";

/// The value of the priority class `system-node-critical`.
const NODE_CRITICAL: i32 = 2_000_001_000;

/// How often the kubelet probes, in seconds.
const PERIOD: i32 = 10;

/// The manifest of this member, whole.
pub(super) fn manifest(spec: &MemberSpec, config: &StaticPodConfig, version: &EtcdVersion) -> Result<String, LaunchError> {
    let pod = serde_json::to_value(pod(spec, config, version)?)
        .map_err(|e| refuse(format!("the manifest cannot be written: {e}"), &[]))?;
    let comment = format!("{MARK}{}; removed when its join is undone.\n", spec.name);
    Ok(comment + &yaml::document(&pod))
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

fn pod(spec: &MemberSpec, config: &StaticPodConfig, version: &EtcdVersion) -> Result<Pod, LaunchError> {
    let member = &config.member;
    let (probe_host, probe_port) = probed(member)?;
    let probe = |path: &str| HTTPGetAction {
        host: Some(probe_host.clone()),
        path: Some(path.to_owned()),
        port: IntOrString::String(PROBE_PORT.to_owned()),
        scheme: Some("HTTP".to_owned()),
        ..HTTPGetAction::default()
    };
    let paths = Paths::of(version);
    let mounts = mounts(member)?;
    let env: Vec<_> = member.env.iter().map(|(name, value)| EnvVar {
        name: name.clone(),
        value: Some(value.clone()),
        ..EnvVar::default()
    });
    let container = Container {
        name: "etcd".to_owned(),
        image: Some(config.image.clone()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        command: Some(command(spec, member, version)?),
        env: Some(env.collect::<Vec<_>>()).filter(|env| !env.is_empty()),
        liveness_probe: Some(http_probe(probe(paths.live), Some(PERIOD), 8, PERIOD)),
        readiness_probe: paths.ready.map(|path| http_probe(probe(path), None, 3, 1)),
        startup_probe: Some(http_probe(probe(paths.start), Some(PERIOD), threshold(config.startup_timeout), PERIOD)),
        ports: Some(vec![ContainerPort {
            container_port: probe_port.into(),
            name: Some(PROBE_PORT.to_owned()),
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        }]),
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
fn command(spec: &MemberSpec, member: &MemberConfig, version: &EtcdVersion) -> Result<Vec<String>, LaunchError> {
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

/// What the probes ask on the metrics port.
struct Paths {
    live: &'static str,
    ready: Option<&'static str>,
    start: &'static str,
}

impl Paths {
    /// `/livez` and `/readyz` came with 3.4.29, 3.5.11 and 3.6.0. Before, kubeadm asked `/health`; its `serializable` came with
    /// 3.5.0 and is ignored by 3.4, whose learners answer a linearizable `/health` as long as the cluster has a leader.
    fn of(version: &EtcdVersion) -> Self {
        let since = [(4, 29), (5, 11)];
        let modern =
            version.minor >= 6 || since.iter().any(|(minor, patch)| version.minor == *minor && version.patch >= *patch);
        match modern {
            true => Self { live: "/livez", ready: Some("/readyz"), start: "/livez" },
            false => Self {
                live: "/health?exclude=NOSPACE&serializable=true",
                ready: None,
                start: "/health?exclude=NOSPACE&serializable=true",
            },
        }
    }
}

fn http_probe(ask: HTTPGetAction, delay: Option<i32>, failures: i32, period: i32) -> Probe {
    Probe {
        failure_threshold: Some(failures),
        http_get: Some(ask),
        initial_delay_seconds: delay,
        period_seconds: Some(period),
        timeout_seconds: Some(15),
        ..Probe::default()
    }
}

/// How many failures the startup probe may see in this time, as kubeadm computes it.
fn threshold(time: Duration) -> i32 {
    i32::try_from(time.as_secs().div_ceil(PERIOD as u64)).unwrap_or(i32::MAX).max(1)
}

/// Host and port of the metrics URL, for the probes.
pub(super) fn probed(member: &MemberConfig) -> Result<(String, u16), LaunchError> {
    let Some(metrics) = &member.metrics_url else {
        let hint = "give it, http://127.0.0.1:2381 for example";
        return Err(refuse("a static pod's probes need etcd's metrics URL", &[hint]));
    };
    let address = url::listen(metrics)?.address;
    let host = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => "127.0.0.1".to_owned(),
        IpAddr::V6(ip) if ip.is_unspecified() => "::1".to_owned(),
        ip => ip.to_string(),
    };
    Ok((host, address.port()))
}

/// What of the node the pod sees, by the volumes' names: the data directory and the folder of the certificates, each at its own
/// path.
pub(super) fn mounts(member: &MemberConfig) -> Result<Vec<(&'static str, String)>, LaunchError> {
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
#[path = "manifest_tests.rs"]
mod tests;
