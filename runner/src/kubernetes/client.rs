//! How to reach the API: where the kubeconfig comes from, and bounds for every connection.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};

use super::ApiError;
use crate::tls;

/// kubeadm's kubeconfig for whoever administers the cluster (kubernetes/kubernetes, `cmd/kubeadm/app/constants`).
pub const ADMIN: &str = "/etc/kubernetes/admin.conf";

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);

/// How long it may be silent while something is awaited.
const SILENCE: Duration = Duration::from_secs(15);

/// A client of the API that the first of these leads to: the given kubeconfig, those in `KUBECONFIG`, kubeadm's admin.conf, the
/// service account of the pod that runner is in. Not `~/.kube/config`: that of a person may lead to another cluster.
///
/// Connects to nothing yet.
///
/// # Errors
/// [`ApiError::NoWay`] where there is none of them, [`ApiError::Unusable`] where the first that there is cannot be used.
pub async fn connect(kubeconfig: Option<&Path>) -> Result<Client, ApiError> {
    let unusable = |source: &str, e: &dyn std::fmt::Display| ApiError::Unusable {
        source_name: source.to_owned(),
        reason: e.to_string(),
    };
    let named = kubeconfigs_named();
    let (mut config, source) = match kubeconfig.or_else(|| (!named).then(admin).flatten()) {
        Some(path) => {
            let source = path.display().to_string();
            let read = Kubeconfig::read_from(path).map_err(|e| unusable(&source, &e))?;
            (of(read).await.map_err(|e| unusable(&source, &e))?, source)
        }
        None if named => {
            let source = "KUBECONFIG".to_owned();
            let read = Kubeconfig::read().map_err(|e| unusable(&source, &e))?;
            (of(read).await.map_err(|e| unusable(&source, &e))?, source)
        }
        None if in_a_pod() => {
            let source = "this pod's service account".to_owned();
            (Config::incluster().map_err(|e| unusable(&source, &e))?, source)
        }
        None => return Err(ApiError::NoWay { admin: ADMIN.into() }),
    };
    (config.connect_timeout, config.read_timeout, config.write_timeout) = (Some(CONNECT), Some(SILENCE), Some(SILENCE));
    // Where no certificate is looked at, the client would load the system's CAs all the same, and fail where there are none.
    if config.cluster_url.scheme_str() == Some("http") || config.accept_invalid_certs {
        config.root_cert.get_or_insert_default();
    }
    tls::name_provider();
    Client::try_from(config).map_err(|e| unusable(&source, &e))
}

/// Whether anything says where the API is, without looking at what it says. `admin` is the node's kubeconfig, where it is there.
pub fn known(admin: &Path) -> bool {
    kubeconfigs_named() || admin.exists() || in_a_pod()
}

/// The one kubeconfig that this process's surroundings lead to, for those who come back later with other variables: none where
/// there is none, where `KUBECONFIG` names several, and for a pod's service account.
pub fn only_kubeconfig(admin: &Path) -> Option<PathBuf> {
    match env::var_os("KUBECONFIG").filter(|value| !value.is_empty()) {
        Some(value) => {
            let mut paths = env::split_paths(&value);
            paths.next().filter(|_| paths.next().is_none())
        }
        None => admin.exists().then(|| admin.to_owned()),
    }
}

async fn of(kubeconfig: Kubeconfig) -> Result<Config, KubeconfigError> {
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await
}

fn kubeconfigs_named() -> bool {
    env::var_os("KUBECONFIG").is_some_and(|value| !value.is_empty())
}

fn in_a_pod() -> bool {
    env::var_os("KUBERNETES_SERVICE_HOST").is_some()
}

fn admin() -> Option<&'static Path> {
    let path = Path::new(ADMIN);
    path.exists().then_some(path)
}
