//! How to reach the API: where the kubeconfig comes from, and bounds for every connection.

use std::env;
use std::path::Path;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use crate::surroundings::Refused;
use crate::tls;

/// kubeadm's, for whoever administers the cluster.
const ADMIN: &str = "/etc/kubernetes/admin.conf";

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);

/// How long it may be silent while something is awaited.
const SILENCE: Duration = Duration::from_secs(15);

/// A client of the API that the first of these leads to: the given kubeconfig, those in `KUBECONFIG`, kubeadm's admin.conf, the
/// service account of the pod that runner is in. Not `~/.kube/config`: that of a person may lead to another cluster.
///
/// Connects to nothing yet.
pub(super) async fn connect(kubeconfig: Option<&Path>) -> Result<Client, Refused> {
    let unusable = |what: &str, e: &dyn std::fmt::Display| {
        Refused::new("unavailable", format!("the Kubernetes API cannot be reached by {what}: {e}"))
    };
    let named = env::var_os("KUBECONFIG").filter(|value| !value.is_empty());
    let (mut config, source) = match kubeconfig.or_else(|| named.is_none().then(admin).flatten()) {
        Some(path) => {
            let source = path.display().to_string();
            let read = Kubeconfig::read_from(path).map_err(|e| unusable(&source, &e))?;
            (of(read).await.map_err(|e| unusable(&source, &e))?, source)
        }
        None if named.is_some() => {
            let source = "KUBECONFIG".to_owned();
            let read = Kubeconfig::read().map_err(|e| unusable(&source, &e))?;
            (of(read).await.map_err(|e| unusable(&source, &e))?, source)
        }
        None if env::var_os("KUBERNETES_SERVICE_HOST").is_some() => {
            let source = "this pod's service account".to_owned();
            (Config::incluster().map_err(|e| unusable(&source, &e))?, source)
        }
        None => {
            let message =
                format!("no way to the Kubernetes API is known: KUBECONFIG names no file, and there is no {ADMIN}");
            return Err(Refused::new("unavailable", message));
        }
    };
    (config.connect_timeout, config.read_timeout, config.write_timeout) = (Some(CONNECT), Some(SILENCE), Some(SILENCE));
    tls::name_provider();
    Client::try_from(config).map_err(|e| unusable(&source, &e))
}

async fn of(kubeconfig: Kubeconfig) -> Result<Config, kube::config::KubeconfigError> {
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await
}

fn admin() -> Option<&'static Path> {
    let path = Path::new(ADMIN);
    path.exists().then_some(path)
}
