//! What the kubelet asks the member, and when it takes its silence for death.
//!
//! Tried on learners of real etcds: `/livez` passes on all that have it, `/readyz` passes up to 3.5.18 and fails since; a
//! serializable `/health` passes, also without a leader. 3.4 before 3.4.29 knows the linearizable `/health` only, which passes on
//! a learner once that has caught up.

use std::net::IpAddr;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ContainerPort, HTTPGetAction, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::Problem;
use crate::launch::{EtcdVersion, MemberConfig, refuse, url};

/// The name of the port that the probes ask, as kubeadm's.
const PORT: &str = "probe-port";

/// How often the kubelet probes, in seconds.
const PERIOD: i32 = 10;

/// How long a learner may take to catch up where only one that has caught up passes the startup probe. Long, since the kubelet would
/// kill it in the middle of its database otherwise; runner has a limit of its own.
const CATCH_UP: Duration = Duration::from_secs(60 * 60);

/// A container's probes and the port that they ask.
#[derive(Debug)]
pub(super) struct Probes {
    pub(super) live: Probe,
    pub(super) ready: Option<Probe>,
    pub(super) start: Probe,
    pub(super) port: ContainerPort,
}

impl Probes {
    /// kubeadm's numbers; `startup` is how long the member may take to come up.
    pub(super) fn of(member: &MemberConfig, version: &EtcdVersion, startup: Duration) -> Result<Self, Problem> {
        let (host, port) = asked(member)?;
        let probe = |path: &str, delay: Option<i32>, failures: i32, period: i32| Probe {
            failure_threshold: Some(failures),
            http_get: Some(HTTPGetAction {
                host: Some(host.clone()),
                path: Some(path.to_owned()),
                port: IntOrString::String(PORT.to_owned()),
                scheme: Some("HTTP".to_owned()),
                ..HTTPGetAction::default()
            }),
            initial_delay_seconds: delay,
            period_seconds: Some(period),
            timeout_seconds: Some(15),
            ..Probe::default()
        };
        let paths = Paths::of(version);
        let startup = if paths.needs_data { startup.max(CATCH_UP) } else { startup };
        Ok(Self {
            live: probe(paths.live, Some(PERIOD), 8, PERIOD),
            ready: paths.ready.map(|path| probe(path, None, 3, 1)),
            start: probe(paths.live, Some(PERIOD), threshold(startup), PERIOD),
            port: ContainerPort {
                container_port: port.into(),
                name: Some(PORT.to_owned()),
                protocol: Some("TCP".to_owned()),
                ..ContainerPort::default()
            },
        })
    }
}

/// What is asked on the metrics port.
struct Paths {
    /// At the start, too.
    live: &'static str,
    ready: Option<&'static str>,
    /// Whether `live` fails on a learner that has not caught up.
    needs_data: bool,
}

impl Paths {
    /// `/livez` and `/readyz` came with 3.4.29, 3.5.11 and 3.6.0. Before, kubeadm asked `/health`, whose `serializable` came with 3.5.
    fn of(version: &EtcdVersion) -> Self {
        let modern = match version.minor {
            4 => version.patch >= 29,
            5 => version.patch >= 11,
            _ => true,
        };
        match modern {
            true => Self { live: "/livez", ready: Some("/readyz"), needs_data: false },
            false => Self { live: "/health?exclude=NOSPACE&serializable=true", ready: None, needs_data: version.minor == 4 },
        }
    }
}

/// How many failures the startup probe may see in this time, as kubeadm computes it.
fn threshold(time: Duration) -> i32 {
    i32::try_from(time.as_secs().div_ceil(PERIOD as u64)).unwrap_or(i32::MAX).max(1)
}

/// Host and port of the metrics URL.
fn asked(member: &MemberConfig) -> Result<(String, u16), Problem> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn probes(version: &str, startup: u64) -> Probes {
        let member = MemberConfig { metrics_url: Some("http://[::]:2381".into()), ..MemberConfig::default() };
        Probes::of(&member, &version.parse().unwrap(), Duration::from_secs(startup)).unwrap()
    }

    fn path(probe: Probe) -> String {
        probe.http_get.unwrap().path.unwrap()
    }

    #[test]
    fn they_ask_what_this_etcd_answers() {
        for version in ["3.4.29", "3.5.11", "3.5.16", "3.6.0", "3.7.0-rc.0"] {
            assert_eq!(path(probes(version, 240).start), "/livez", "{version}");
            assert_eq!(path(probes(version, 240).ready.unwrap()), "/readyz");
        }
        for version in ["3.4.28", "3.5.10", "3.4.23"] {
            assert_eq!(path(probes(version, 240).start), "/health?exclude=NOSPACE&serializable=true", "{version}");
            assert!(probes(version, 240).ready.is_none());
        }
    }

    #[test]
    fn the_startup_probe_has_kubeadms_time_or_that_of_a_whole_database() {
        let failures = |version: &str, startup: u64| probes(version, startup).start.failure_threshold.unwrap();
        assert_eq!([240, 241, 1, 0].map(|seconds| failures("3.6.5", seconds)), [24, 25, 1, 1]);
        assert_eq!((failures("3.5.10", 240), failures("3.4.23", 240), failures("3.4.23", 7200)), (24, 360, 720));
        assert_eq!(threshold(Duration::MAX), i32::MAX);
    }

    #[test]
    fn they_ask_an_address_that_can_be_asked() {
        assert_eq!(probes("3.6.5", 240).live.http_get.unwrap().host.as_deref(), Some("::1"));
        let refused = Probes::of(&MemberConfig::default(), &"3.6.5".parse().unwrap(), Duration::ZERO).unwrap_err();
        assert_eq!(refused.message, "a static pod's probes need etcd's metrics URL");
    }
}
