//! kubeadm's own record of how the cluster was made.

use k8s_openapi::api::core::v1::ConfigMap;

use super::names::KUBE_SYSTEM;
use super::{Api, ApiError};

/// kubeadm's constants.KubeadmConfigConfigMap and its key.
const CONFIG_MAP: &str = "kubeadm-config";
const KEY: &str = "ClusterConfiguration";

/// The text of the cluster's `ClusterConfiguration`, as YAML. Does not look into it.
///
/// # Errors
/// [`ApiError::NotFound`] where the cluster was not made by kubeadm, or the ConfigMap lacks its key.
pub async fn cluster_configuration(api: &Api) -> Result<String, ApiError> {
    let map: ConfigMap = api.get(Some(KUBE_SYSTEM), CONFIG_MAP).await?;
    let missing = || ApiError::NotFound { what: format!("the key {KEY} of the ConfigMap {KUBE_SYSTEM}/{CONFIG_MAP}") };
    map.data.and_then(|mut data| data.remove(KEY)).ok_or_else(missing)
}
