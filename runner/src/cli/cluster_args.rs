//! How the cluster is found and trusted: etcdctl's flags and variables, or a pki folder as kubeadm lays it out.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::bad_input;
use super::defaults::Defaults;
use super::kubernetes_args::{Found, KubernetesArgs, answers, discovered};
use crate::cluster::etcd::EtcdCluster;
use crate::kubernetes::Settings;
use crate::pipeline::Failure;
use crate::pki::{Pki, PkiError};
use crate::tls::{ClientTls, TlsError};

/// Which cluster, and by which certificates.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Cluster")]
pub(super) struct ClusterArgs {
    /// Client URLs of the cluster's members, for example `https://10.0.0.1:2379,https://10.0.0.2:2379` [default: those of etcd's
    /// pods, by the Kubernetes API]
    #[arg(long, env = "ETCDCTL_ENDPOINTS", value_delimiter = ',', value_name = "URL")]
    pub(super) endpoints: Vec<String>,
    #[command(flatten)]
    pub(super) trust: TrustArgs,
    #[command(flatten)]
    pub(super) kubernetes: KubernetesArgs,
}

/// The certificates.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Certificates")]
pub(super) struct TrustArgs {
    /// The folder with `etcd/ca.crt` and the rest, in kubeadm's layout [default: /etc/kubernetes/pki]
    #[arg(long, value_name = "DIR")]
    pub(super) pki_dir: Option<PathBuf>,
    /// The CA that signed the members' server certificates; instead of the pki folder's
    #[arg(long, env = "ETCDCTL_CACERT", value_name = "FILE")]
    pub(super) cacert: Option<PathBuf>,
    /// The client certificate; instead of the pki folder's
    #[arg(long, env = "ETCDCTL_CERT", value_name = "FILE", requires = "key")]
    pub(super) cert: Option<PathBuf>,
    /// The client certificate's key
    #[arg(long, env = "ETCDCTL_KEY", value_name = "FILE", requires = "cert")]
    pub(super) key: Option<PathBuf>,
    /// No TLS at all, neither towards the cluster nor for the new member: everybody on the network can read and write everything
    #[arg(long, conflicts_with_all = ["cacert", "cert", "key"])]
    pub(super) insecure: bool,
}

/// The client side of the certificates, as kept in the journal: paths only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Trust {
    pub(super) insecure: bool,
    pub(super) ca: Option<PathBuf>,
    pub(super) cert: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
}

impl ClusterArgs {
    /// The endpoints as full URLs, without a slash at the end. Those that were given win, and then Kubernetes is not asked.
    pub(super) async fn found(&self, kubernetes: Option<&Settings>) -> Result<Found, Failure> {
        let given: Vec<&String> = self.endpoints.iter().filter(|e| !e.trim().is_empty()).collect();
        if let Some(settings) = kubernetes.filter(|k| k.required) {
            answers(settings).await?;
        }
        if given.is_empty() {
            return discovered(kubernetes, self.trust.insecure).await;
        }
        let endpoints: Result<Vec<_>, _> = given.into_iter().map(|e| endpoint(e, self.trust.insecure)).collect();
        Ok(Found { endpoints: endpoints?, ..Found::default() })
    }
}

impl TrustArgs {
    /// Absolute paths, so that `resume` works from any folder.
    pub(super) fn trust(&self, defaults: &Defaults) -> Trust {
        let none = Trust { insecure: true, ca: None, cert: None, key: None };
        if self.insecure {
            return none;
        }
        let folder = self.pki(defaults).client_tls();
        // A client certificate belongs to its key: both are given, or both are the folder's.
        let (cert, key) =
            if self.cert.is_some() { (self.cert.clone(), self.key.clone()) } else { (folder.cert, folder.key) };
        let ca = self.cacert.clone().or(folder.ca);
        Trust { insecure: false, ca: ca.map(absolute), cert: cert.map(absolute), key: key.map(absolute) }
    }

    /// The pki folder.
    pub(super) fn pki(&self, defaults: &Defaults) -> Pki {
        Pki::with_layout(absolute(self.pki_dir(defaults).to_owned()), defaults.pki_layout.clone())
    }

    fn pki_dir<'a>(&'a self, defaults: &'a Defaults) -> &'a Path {
        self.pki_dir.as_deref().unwrap_or(&defaults.pki_dir)
    }
}

impl Trust {
    /// The real cluster. Reads and checks the files; connects to nothing yet.
    pub(super) fn cluster(&self) -> Result<Arc<EtcdCluster>, Failure> {
        EtcdCluster::new(self.tls()).map(Arc::new).map_err(|e| tls_failure(&e))
    }

    /// Every file that is named.
    pub(super) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.ca, &self.cert, &self.key].into_iter().flatten()
    }

    /// The first file that is named and is not there any more; none where all are.
    pub(super) fn lost(&self) -> Option<PathBuf> {
        self.files().find(|path| matches!(path.try_exists(), Ok(false))).cloned()
    }

    /// The files; none without TLS.
    pub(super) fn tls(&self) -> Option<ClientTls> {
        (!self.insecure).then(|| ClientTls {
            ca: self.ca.clone(),
            cert: self.cert.clone(),
            key: self.key.clone(),
            server_name: None,
        })
    }
}

pub(super) fn tls_failure(error: &TlsError) -> Failure {
    let failure = bad_input(error.to_string()).hint(error.hint());
    match error {
        TlsError::Missing { .. } => failure.hint(
            "give --pki-dir, or --cacert, --cert and --key; --insecure joins a cluster without TLS and protects nothing",
        ),
        _ => failure,
    }
}

pub(super) fn pki_failure(error: &PkiError) -> Failure {
    bad_input(error.to_string()).hint(error.hint())
}

pub(super) fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

/// Checks one endpoint and gives it the scheme that goes with TLS or without.
pub(super) fn endpoint(text: &str, insecure: bool) -> Result<String, Failure> {
    let text = text.trim().trim_end_matches('/');
    let scheme = if insecure { "http" } else { "https" };
    let url = if text.contains("://") { text.to_owned() } else { format!("{scheme}://{text}") };
    check_url(&url, "--endpoints", insecure)?;
    Ok(url)
}

/// Refuses what cannot be a member's URL: a wrong scheme, no host, no port, a path.
pub(super) fn check_url(url: &str, flag: &str, insecure: bool) -> Result<(), Failure> {
    let wrong = |what: &str| bad_input(format!("{flag}: {url:?} {what}")).hint("for example https://10.0.0.1:2379");
    let Some((scheme, rest)) = url.split_once("://") else { return Err(wrong("is not a URL")) };
    match (scheme, insecure) {
        ("https", false) | ("http", true) => {}
        ("http", false) => return Err(wrong("is without TLS").hint("--insecure allows that, for all URLs together")),
        ("https", true) => return Err(wrong("asks for TLS, and --insecure for none").hint("leave --insecure away")),
        _ => return Err(wrong("is neither http nor https")),
    }
    if rest.contains(['/', '?', '#', '@']) {
        return Err(wrong("has more than a host and a port"));
    }
    let Some((host, port)) = rest.rsplit_once(':') else { return Err(wrong("has no port")) };
    if port.parse::<u16>().map_or(true, |p| p == 0) {
        return Err(wrong("has no usable port"));
    }
    let bracketed = host.starts_with('[') && host.ends_with(']');
    match bracketed {
        true if host[1..host.len() - 1].parse::<std::net::Ipv6Addr>().is_err() => {
            Err(wrong("has no IPv6 address in its brackets"))
        }
        false if host.is_empty() => Err(wrong("has no host")),
        false if host.contains(':') => Err(wrong("has an IPv6 address without brackets")),
        _ => Ok(()),
    }
}

/// The host of a URL that [`check_url`] has accepted, without brackets.
pub(super) fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.rsplit_once(':').map_or(rest, |(host, _)| host).trim_start_matches('[').trim_end_matches(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str, insecure: bool) -> String {
        check_url(url, "--peer-url", insecure).unwrap_err().problem.message
    }

    #[test]
    fn urls_that_cannot_be_a_members() {
        insta::assert_snapshot!(refused("10.0.0.1:2380", false), @r#"--peer-url: "10.0.0.1:2380" is not a URL"#);
        insta::assert_snapshot!(refused("http://10.0.0.1:2380", false), @r#"--peer-url: "http://10.0.0.1:2380" is without TLS"#);
        insta::assert_snapshot!(refused("https://10.0.0.1", false), @r#"--peer-url: "https://10.0.0.1" has no port"#);
        insta::assert_snapshot!(refused("https://fd00::1:2380", false), @r#"--peer-url: "https://fd00::1:2380" has an IPv6 address without brackets"#);
        insta::assert_snapshot!(refused("https://a:2380/x", false), @r#"--peer-url: "https://a:2380/x" has more than a host and a port"#);
        assert!(check_url("https://[fd00::1]:2380", "", false).is_ok());
        assert!(check_url("http://node-1:2380", "", true).is_ok());
    }

    #[test]
    fn endpoints_get_their_scheme() {
        assert_eq!(endpoint("10.0.0.1:2379", false).unwrap(), "https://10.0.0.1:2379");
        assert_eq!(endpoint("http://10.0.0.1:2379/", true).unwrap(), "http://10.0.0.1:2379");
        assert_eq!(host("https://[fd00::1]:2380"), "fd00::1");
    }
}
