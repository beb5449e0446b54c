//! What runner's own objects in Kubernetes are called.

use serde::{Deserialize, Serialize};

/// Where kubeadm keeps etcd's pods and its configuration; not ours to choose.
pub const KUBE_SYSTEM: &str = "kube-system";

/// The label of control-plane nodes (kubeadm's constants.LabelNodeRoleControlPlane).
pub const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";

/// What runner is called as the author of Events.
pub const CONTROLLER: &str = "runner.dev/runner";

/// The names of runner's objects. A distribution may have others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Names {
    /// Where the Lease and the progress ConfigMap are.
    pub namespace: String,
    /// The Lease that says who is joining.
    pub lease: String,
    /// The ConfigMap that says how far joins are.
    pub progress: String,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            namespace: KUBE_SYSTEM.to_owned(),
            lease: "runner-etcd-join".to_owned(),
            progress: "runner-etcd-joins".to_owned(),
        }
    }
}
