//! The member that is to run on this node: its name, its URLs, its data, its etcd.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::bad_input;
use super::cluster_args::{absolute, check_url, host};
use super::defaults::Defaults;
use crate::launch::{ExternalConfig, MemberConfig, MemberTls, ProcessConfig};
use crate::pipeline::Failure;
use crate::pki::{NodeNames, Pki};

/// The member of this node.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Member")]
pub(super) struct MemberArgs {
    /// The member's name [default: this host's name]
    #[arg(long)]
    pub(super) name: Option<String>,
    /// The address at which the other members and clients reach this node
    #[arg(long, value_name = "IP")]
    advertise_address: Option<IpAddr>,
    /// The peer port, with --advertise-address [default: 2380]
    #[arg(long, value_name = "PORT")]
    peer_port: Option<u16>,
    /// The client port, with --advertise-address [default: 2379]
    #[arg(long, value_name = "PORT")]
    client_port: Option<u16>,
    /// Where the other members reach this one, instead of --advertise-address and --peer-port
    #[arg(long, value_name = "URL")]
    peer_url: Vec<String>,
    /// Where clients reach this member, instead of --advertise-address and --client-port
    #[arg(long, value_name = "URL")]
    client_url: Vec<String>,
    /// The member's data directory [default: /var/lib/etcd]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The etcd binary [default: the one on the PATH]
    #[arg(long, value_name = "FILE", env = "RUNNER_ETCD")]
    etcd: Option<PathBuf>,
    /// Where the member shows its metrics, over plain HTTP; on loopback it is seen by this node only [default:
    /// http://127.0.0.1:2381]
    #[arg(long, value_name = "URL")]
    metrics_url: Option<String>,
    /// A further argument for etcd, for example `--etcd-arg=--quota-backend-bytes=8589934592`; may be given several times
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    etcd_arg: Vec<String>,
}

/// The member, checked.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    pub(super) name: String,
    pub(super) peer_urls: Vec<String>,
    pub(super) client_urls: Vec<String>,
    /// Further names for the server's and for the peer's certificate.
    sans: (Vec<String>, Vec<String>),
}

impl MemberArgs {
    /// The name, checked.
    pub(super) fn name(&self, defaults: &Defaults) -> Result<String, Failure> {
        let name = match &self.name {
            Some(name) => name.clone(),
            None => defaults.node.name.clone().map_or_else(hostname, Ok)?,
        };
        // etcd separates the entries of --initial-cluster by commas, and name from URL by the first `=`; the name is also the name
        // of a folder for the run's journal.
        let usable = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || !name.chars().all(usable) || name.starts_with('.') {
            return Err(bad_input(format!("--name: {name:?} cannot be a member's name"))
                .hint("use letters, digits, `-`, `_` and `.`, not beginning with a `.`"));
        }
        Ok(name)
    }

    /// The name and URLs, checked before anything else happens.
    pub(super) fn planned(&self, defaults: &Defaults, insecure: bool) -> Result<Planned, Failure> {
        let name = self.name(defaults)?;
        let address = self.advertise_address.or(defaults.node.advertise_address);
        let urls = |given: &[String], port: u16, flag: &str| -> Result<Vec<String>, Failure> {
            let scheme = if insecure { "http" } else { "https" };
            let urls = match (given.is_empty(), address) {
                (true, Some(IpAddr::V6(ip))) => vec![format!("{scheme}://[{ip}]:{port}")],
                (true, Some(ip)) => vec![format!("{scheme}://{ip}:{port}")],
                (true, None) => {
                    return Err(bad_input(format!("{flag} or --advertise-address is needed"))
                        .hint("or --config with a document of kubeadm's that has the address"));
                }
                (false, _) => given.iter().map(|u| u.trim_end_matches('/').to_owned()).collect(),
            };
            urls.iter().try_for_each(|url| check_url(url, flag, insecure))?;
            match urls.iter().find(|u| host(u).parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified())) {
                Some(url) => Err(bad_input(format!("{flag}: nobody can reach {url}")).hint("give this node's own address")),
                None => Ok(urls),
            }
        };
        let peer_urls = urls(&self.peer_url, self.peer_port.unwrap_or(defaults.peer_port), "--peer-url")?;
        let client_urls = urls(&self.client_url, self.client_port.unwrap_or(defaults.client_port), "--client-url")?;
        if let Some(both) = peer_urls.iter().find(|u| client_urls.contains(u)) {
            return Err(bad_input(format!("{both} cannot serve both peers and clients")).hint("give two different ports"));
        }
        let sans = (defaults.node.server_sans.clone(), defaults.node.peer_sans.clone());
        Ok(Planned { name, peer_urls, client_urls, sans })
    }

    /// The process to start on this node.
    pub(super) fn process(
        &self,
        defaults: &Defaults,
        planned: &Planned,
        pki: Option<&Pki>,
        log_file: PathBuf,
    ) -> Result<ProcessConfig, Failure> {
        Ok(ProcessConfig { etcd: self.program(defaults)?, log_file, member: self.config(defaults, planned, pki) })
    }

    /// The etcd to start, absolute.
    pub(super) fn program(&self, defaults: &Defaults) -> Result<PathBuf, Failure> {
        self.etcd.clone().map_or_else(|| defaults.etcd(), |path| Ok(absolute(path)))
    }

    /// The member, as every launcher that starts it needs it.
    pub(super) fn config(&self, defaults: &Defaults, planned: &Planned, pki: Option<&Pki>) -> MemberConfig {
        MemberConfig {
            data_dir: self.data_dir(defaults),
            // Named, so that whether they are free is known before the cluster is changed.
            listen_peer_urls: Some(planned.peer_urls.iter().map(|url| listen(url)).collect()),
            listen_client_urls: Some(planned.client_urls.iter().map(|url| listen(url)).collect()),
            metrics_url: Some(self.metrics_url(defaults)),
            tls: pki.map(member_tls),
            extra_args: defaults.node.etcd_args(&self.etcd_arg),
            env: defaults.node.etcd_env.clone(),
            ..MemberConfig::default()
        }
    }

    /// What somebody else is to start.
    pub(super) fn external(&self, defaults: &Defaults, pki: Option<&Pki>) -> Result<ExternalConfig, Failure> {
        if !self.etcd_arg.is_empty() {
            return Err(bad_input("--etcd-arg is for a member that runner starts itself")
                .hint("whoever starts it adds its arguments"));
        }
        let data_dir = self.data_dir(defaults);
        Ok(ExternalConfig {
            version: None,
            local: data_dir.parent().is_some_and(Path::is_dir),
            data_dir,
            metrics_url: Some(self.metrics_url(defaults)),
            tls: pki.map(member_tls),
            ..ExternalConfig::default()
        })
    }

    /// The data directory, absolute.
    pub(super) fn data_dir(&self, defaults: &Defaults) -> PathBuf {
        absolute(self.data_dir.as_ref().unwrap_or(&defaults.data_dir).clone())
    }

    fn metrics_url(&self, defaults: &Defaults) -> String {
        self.metrics_url.as_ref().unwrap_or(&defaults.metrics_url).clone()
    }
}

impl Planned {
    /// For a look at the cluster alone: no member of this name is to join.
    pub(super) fn nobody(name: String) -> Self {
        Self { name, peer_urls: Vec::new(), client_urls: Vec::new(), sans: (Vec::new(), Vec::new()) }
    }

    /// Whom this node's certificates must name.
    pub(super) fn node_names(&self) -> NodeNames {
        let hosts: Vec<&str> = self.peer_urls.iter().chain(&self.client_urls).map(|u| host(u)).collect();
        let (server, peer) = self.sans.clone();
        let mut names = NodeNames { name: self.name.clone(), server, peer, ..NodeNames::default() };
        for host in hosts {
            match host.parse::<IpAddr>() {
                Ok(ip) if !names.ips.contains(&ip) => names.ips.push(ip),
                Err(_) if !names.dns.iter().any(|d| d == host) => names.dns.push(host.to_owned()),
                _ => {}
            }
        }
        names
    }
}

/// Where to listen for an advertised URL: etcd binds addresses only, so for a host name it is all of them.
fn listen(url: &str) -> String {
    match host(url).parse::<IpAddr>() {
        Ok(_) => url.to_owned(),
        Err(_) => url.replacen(host(url), "0.0.0.0", 1),
    }
}

fn member_tls(pki: &Pki) -> MemberTls {
    let ((server_cert, server_key), (peer_cert, peer_key)) = (pki.server(), pki.peer());
    MemberTls { ca: pki.ca_cert(), peer_ca: pki.peer_ca_cert(), peer_cert, peer_key, server_cert, server_key }
}

fn hostname() -> Result<String, Failure> {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    // kubeadm lower-cases node names, and etcd members on such nodes carry them.
    if name.is_empty() { Err(bad_input("this host has no name").hint("give --name")) } else { Ok(name.to_lowercase()) }
}
