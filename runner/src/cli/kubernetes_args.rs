//! Whether and how the Kubernetes API is used, and what it is asked before a run: where etcd is.

use std::path::PathBuf;

use super::bad_input;
use super::cluster_args::{absolute, check_url};
use super::defaults::Defaults;
use crate::kubernetes::{Api, ApiError, Settings, client, discover};
use crate::pipeline::{Failure, Finding, Outcome, Severity};

/// Kubernetes.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Kubernetes")]
pub(super) struct KubernetesArgs {
    /// The kubeconfig [default: those in KUBECONFIG, else /etc/kubernetes/admin.conf, else this pod's service account]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Whether the Kubernetes API is used: to find etcd, check nodes, show the join as a Lease, Events and a ConfigMap entry
    #[arg(long, value_enum, default_value_t)]
    kubernetes: Use,
    /// This node's name in Kubernetes [default: the member's name]
    #[arg(long, value_name = "NAME")]
    node_name: Option<String>,
}

/// Whether the API is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Use {
    /// Where a kubeconfig is found; an API that does not answer is said, and the join goes on without
    #[default]
    Auto,
    /// Never
    Off,
    /// A join without it is refused; once it has begun, it goes on without
    Require,
}

/// What Kubernetes says of etcd.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The client URLs of the other nodes' members.
    pub(super) endpoints: Vec<String>,
    /// The images that etcd's pods run, each once.
    pub(super) images: Vec<String>,
    /// Things worth knowing.
    pub(super) notes: Vec<Finding>,
}

impl KubernetesArgs {
    /// The API, where it is to be used and a way to it is known. Asks nothing of it.
    pub(super) fn api(&self, defaults: &Defaults) -> Result<Option<Api>, Failure> {
        // Whose node it is does not matter for reading.
        Ok(self.settings(defaults, "", false)?.map(|settings| Api::new(settings.kubeconfig)))
    }

    /// What a run needs to know; none where the API is not used. Asks nothing of it.
    pub(super) fn settings(&self, defaults: &Defaults, member: &str, mark: bool) -> Result<Option<Settings>, Failure> {
        let settings = |kubeconfig: Option<PathBuf>| {
            let node = self.node_name.clone().unwrap_or_else(|| member.to_owned());
            let required = self.kubernetes == Use::Require;
            let taints = defaults.node.taints.clone();
            Some(Settings { kubeconfig, node, names: defaults.kubernetes.clone(), mark, taints, required })
        };
        if self.kubernetes == Use::Off {
            let flag = if self.kubeconfig.is_some() { "--kubeconfig" } else { "--mark-control-plane" };
            if self.kubeconfig.is_some() || mark {
                let text = format!("{flag} needs the Kubernetes API, and --kubernetes off forbids it");
                return Err(bad_input(text).hint("leave one of them away"));
            }
            return Ok(None);
        }
        match &self.kubeconfig {
            Some(path) if !path.is_file() => Err(bad_input(format!("--kubeconfig: there is no file {}", path.display()))
                .hint(format!("kubeadm's is {}", client::ADMIN))),
            Some(path) => Ok(settings(Some(absolute(path.clone())))),
            None if client::known(&defaults.kubeconfig) => {
                Ok(settings(client::only_kubeconfig(&defaults.kubeconfig).map(absolute)))
            }
            None if self.kubernetes == Use::Require || mark => {
                let flag = if mark { "--mark-control-plane" } else { "--kubernetes require" };
                Err(bad_input(format!("{flag}: no kubeconfig is found")).hint("give --kubeconfig"))
            }
            None => Ok(None),
        }
    }
}

/// The endpoints that Kubernetes knows, where the user gave none.
pub(super) async fn discovered(settings: Option<&Settings>, insecure: bool) -> Result<Found, Failure> {
    let Some(settings) = settings else {
        return Err(bad_input("--endpoints is not given, and without a kubeconfig nothing says where etcd is")
            .hint("give --endpoints, or --kubeconfig to find etcd as kubeadm does"));
    };
    let api = Api::new(settings.kubeconfig.clone());
    let pods = discover(&api, &settings.node).await.map_err(|error| not_found(&error))?;
    let mut found = Found { images: pods.images, ..Found::default() };
    let mut passed_over = pods.passed_over;
    for url in pods.endpoints {
        match check_url(&url, "an etcd pod's annotation", insecure) {
            Ok(()) => found.endpoints.push(url),
            Err(failure) => passed_over.push(failure.problem.message),
        }
    }
    if found.endpoints.is_empty() {
        let others = if pods.pods == 0 { "no etcd pod" } else { "no etcd pod of another node that can be used" };
        let text = format!("--endpoints is not given, and Kubernetes knows {others} (component=etcd,tier=control-plane)");
        let mut failure = Failure::new(Outcome::Unreachable, text);
        failure.hints = passed_over;
        return Err(failure.hint("give --endpoints; an etcd outside of Kubernetes has no pods"));
    }
    found.notes.push(Finding {
        severity: Severity::Info,
        code: "endpoints-discovered".to_owned(),
        message: format!("etcd was found through its pods: {}", found.endpoints.join(", ")),
        remedy: None,
        member: None,
    });
    found.notes.extend(passed_over.into_iter().map(|message| Finding {
        severity: Severity::Warning,
        code: "etcd-pod-passed-over".to_owned(),
        message,
        remedy: Some(
            "look at the pod's annotations; kubeadm writes them into /etc/kubernetes/manifests/etcd.yaml".to_owned(),
        ),
        member: None,
    }));
    Ok(found)
}

/// Refuses where the user wants the API and it does not answer.
pub(super) async fn answers(settings: &Settings) -> Result<(), Failure> {
    let version = Api::new(settings.kubeconfig.clone()).version().await;
    version
        .map(drop)
        .map_err(|error| Failure::new(Outcome::Unreachable, format!("--kubernetes require: {error}")).hint(error.hint()))
}

fn not_found(error: &ApiError) -> Failure {
    Failure::new(Outcome::Unreachable, format!("--endpoints is not given, and etcd cannot be found by Kubernetes: {error}"))
        .hint(error.hint())
        .hint("give --endpoints: then Kubernetes is not needed")
}
