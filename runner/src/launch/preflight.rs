//! What can be known about a member before the cluster is changed.

use std::fs::File;
use std::path::Path;

use super::flags::Flag;
use super::url::{self, Listen};
use super::{MemberConfig, ProcessConfig, data_dir, flags, refuse};
use crate::Problem;
use crate::pipeline::MemberSpec;

/// A process: what [`member`] checks, and its log.
pub(super) fn process(config: &ProcessConfig) -> Result<(), Problem> {
    member(&config.member, flags::outputs())?;
    if config.log_file.starts_with(&config.member.data_dir) {
        let text = format!("the log {} lies in the data directory", config.log_file.display());
        return Err(refuse(text, &["put it elsewhere: the data directory is removed when a join is rolled back"]));
    }
    data_dir::writable(&config.log_file)
}

/// Flags, folders and files; not the ports, which our own member may have. `ours` are flags that not every launcher sets. Changes
/// nothing.
pub(super) fn member(config: &MemberConfig, ours: Vec<Flag>) -> Result<(), Problem> {
    flags::arguments(ours, &config.extra_args)?;
    flags::environment(&config.env)?;
    data_dir::guard(&config.data_dir)?;
    data_dir::writable(&config.data_dir)?;
    for file in config.tls.iter().flat_map(|tls| tls.files()) {
        readable(file)?;
    }
    Ok(())
}

/// The addresses that are given can be listened on. `free`: also, nobody else listens there now.
pub(super) fn given_addresses(config: &MemberConfig, free: bool) -> Result<(), Problem> {
    let (peer, client) = (config.listen_peer_urls.as_deref(), config.listen_client_urls.as_deref());
    addresses(config, peer.unwrap_or_default(), client.unwrap_or_default(), free)
}

/// The addresses that this member will listen on are there, and nobody else listens there now.
pub(super) fn its_addresses(config: &MemberConfig, spec: &MemberSpec) -> Result<(), Problem> {
    let peer = config.listen_peer_urls.as_deref().unwrap_or(&spec.peer_urls);
    let client = config.listen_client_urls.as_deref().unwrap_or(&spec.client_urls);
    addresses(config, peer, client, true)
}

/// Every listen URL that is known can be listened on, and fits the certificates. `free`: also, nobody else listens there now.
fn addresses(config: &MemberConfig, peer: &[String], client: &[String], free: bool) -> Result<(), Problem> {
    for address in peer.iter().chain(client) {
        let listen = url::listen(address)?;
        match (listen.tls, config.tls.is_some()) {
            (true, false) => return Err(refuse(format!("{address} needs certificates, and there are none"), &[])),
            (false, true) => {
                return Err(refuse(format!("{address} has certificates, but etcd uses them for https only"), &[]));
            }
            _ => ask(address, listen, free)?,
        }
    }
    if let Some(address) = &config.metrics_url {
        let listen = url::listen(address)?;
        if listen.tls {
            let hint = "give an http URL on 127.0.0.1, as kubeadm does";
            return Err(refuse(
                format!("the metrics URL {address} is https: a member that runner starts shows its metrics by plain HTTP"),
                &[hint],
            ));
        }
        ask(address, listen, free)?;
    }
    Ok(())
}

fn ask(url: &str, listen: Listen, free: bool) -> Result<(), Problem> {
    if free { url::free(url, listen.address) } else { Ok(()) }
}

fn readable(path: &Path) -> Result<(), Problem> {
    let cannot = |e: std::io::Error| refuse(format!("cannot read {}: {e}", path.display()), &[]);
    let found = File::open(path).and_then(|file| file.metadata()).map_err(cannot)?;
    if found.is_file() { Ok(()) } else { Err(refuse(format!("{} is not a file", path.display()), &[])) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::launch::MemberTls;

    fn config(folder: &Path) -> ProcessConfig {
        let member = MemberConfig { data_dir: folder.join("data"), ..MemberConfig::default() };
        ProcessConfig { log_file: folder.join("etcd.log"), member, ..ProcessConfig::default() }
    }

    #[test]
    fn bad_files_are_refused_each_with_a_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let good = config(folder.path());
        assert_eq!(process(&good), Ok(()));
        let message = |change: &dyn Fn(&mut ProcessConfig)| {
            let mut bad = good.clone();
            change(&mut bad);
            process(&bad).unwrap_err().message.replace(folder.path().to_str().unwrap(), "DIR")
        };
        assert_eq!(
            message(&|c| c.log_file = c.member.data_dir.join("log")),
            "the log DIR/data/log lies in the data directory"
        );
        std::fs::write(folder.path().join("file"), "").unwrap();
        let below = folder.path().join("file/data");
        assert!(message(&|c| c.member.data_dir = below.clone()).starts_with("cannot look at DIR/file/data"));
        let absent = folder.path().join("ca.crt");
        let tls = MemberTls {
            ca: absent.clone(),
            peer_ca: None,
            peer_cert: absent.clone(),
            peer_key: absent.clone(),
            server_cert: absent.clone(),
            server_key: absent,
        };
        let said = message(&|c| c.member.tls = Some(tls.clone()));
        assert_eq!(said, "cannot read DIR/ca.crt: No such file or directory (os error 2)");
        assert!(message(&|c| c.member.extra_args = vec!["--name=x".into()]).contains("runner sets it itself"));
    }

    #[test]
    fn urls_must_fit_the_certificates() {
        let folder = tempfile::tempdir().unwrap();
        let plain = config(folder.path()).member;
        let check = |c: &MemberConfig, url: &str| addresses(c, &[url.to_owned()], &[], false).map_err(|e| e.message);
        assert_eq!(check(&plain, "http://127.0.0.1:1"), Ok(()));
        assert!(check(&plain, "https://127.0.0.1:1").unwrap_err().contains("needs certificates"));
        let metrics = MemberConfig { metrics_url: Some("https://127.0.0.1:1".into()), ..plain };
        assert!(check(&metrics, "http://127.0.0.1:1").unwrap_err().contains("by plain HTTP"));
    }
}
