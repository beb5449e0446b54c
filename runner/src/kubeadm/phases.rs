//! Which phases `kubeadm join` has, version by version.
//!
//! Read in `cmd/kubeadm/app/cmd/join.go`, `cmd/phases/join/controlplanejoin.go` and `features/features.go` of 1.29 to 1.37; what the
//! real 1.33, 1.35 and 1.36 say of themselves is in `tests/kubeadm/` and compared in the tests.

/// The oldest minor version of Kubernetes 1 whose phases are known.
pub const OLDEST: u32 = 29;
/// The newest one.
pub const NEWEST: u32 = 36;

/// kubeadm's own check of etcd's members. It asks every member, also where a majority is enough; runner's check is in its place.
pub(super) const CHECK_ETCD: &str = "check-etcd";
pub(super) const PREFLIGHT: &str = "preflight";
pub(super) const PREPARE: &str = "control-plane-prepare";
pub(super) const KUBELET_START: &str = "kubelet-start";
const ETCD_JOIN: &str = "etcd-join";
const KUBELET_WAIT: &str = "kubelet-wait-bootstrap";
const CONTROL_PLANE_JOIN: &str = "control-plane-join";
const ETCD_IN_CONTROL_PLANE_JOIN: &str = "control-plane-join/etcd";
const WAIT_CONTROL_PLANE: &str = "wait-control-plane";

/// A version of kubeadm whose phases are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    minor: u32,
}

impl Known {
    /// The version with this minor number (`33` of 1.33); none where its phases are not known.
    pub fn minor(minor: u32) -> Option<Self> {
        (OLDEST..=NEWEST).contains(&minor).then_some(Self { minor })
    }

    /// The phases of a join, in their order.
    pub fn phases(self) -> Vec<&'static str> {
        let since = |minor: u32, phase: &'static str| (self.minor >= minor).then_some(phase);
        let all = [
            Some(PREFLIGHT),
            Some(PREPARE),
            Some(CHECK_ETCD),
            Some(KUBELET_START),
            since(31, ETCD_JOIN),
            since(31, KUBELET_WAIT),
            Some(CONTROL_PLANE_JOIN),
            since(30, WAIT_CONTROL_PLANE),
        ];
        all.into_iter().flatten().collect()
    }

    /// The phases in which etcd's member would join: each under the name by which this version lets it be skipped. Which of two it would
    /// be is the feature gate's to say; both are skipped, so that it does not matter.
    pub fn etcd_phases(self) -> Vec<&'static str> {
        let own = (self.minor >= 31).then_some(ETCD_JOIN);
        // Hidden in 1.35, gone in 1.36: there the name is an error.
        let within = (self.minor <= 35).then_some(ETCD_IN_CONTROL_PLANE_JOIN);
        own.into_iter().chain(within).collect()
    }

    /// Whether the kubelet talks to its own node's API server, so that it can only register once etcd has joined: the feature gate
    /// ControlPlaneKubeletLocalMode, as the cluster's configuration has it or as this version has it by default.
    pub fn local_mode(self, gate: Option<bool>) -> bool {
        match self.minor {
            ..31 => false,
            31..33 => gate == Some(true),
            33..35 => gate != Some(false),
            // Locked in 1.35, removed in 1.36.
            35.. => true,
        }
    }
}
