//! The flags of one member, spelt as its etcd version understands them.

use std::collections::BTreeMap;
use std::path::Path;

use super::{MemberConfig, MemberTls, refuse};
use crate::Problem;
use crate::pipeline::MemberSpec;

/// One flag: its name without dashes, and its value.
pub(super) type Flag = (&'static str, String);

/// What the flags are made from, besides the member itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wiring<'a> {
    /// 5 for etcd 3.5; none where the version is not known, which leaves out what is spelt differently.
    pub(super) minor: Option<u32>,
    pub(super) data_dir: &'a Path,
    pub(super) listen_peer_urls: Option<&'a [String]>,
    pub(super) listen_client_urls: Option<&'a [String]>,
    pub(super) metrics_url: Option<&'a str>,
    pub(super) tls: Option<&'a MemberTls>,
    pub(super) cluster_token: Option<&'a str>,
}

impl<'a> Wiring<'a> {
    /// Of a member that runner starts itself, with an etcd of this minor version.
    pub(super) fn of(config: &'a MemberConfig, minor: u32) -> Self {
        Self {
            minor: Some(minor),
            data_dir: &config.data_dir,
            listen_peer_urls: config.listen_peer_urls.as_deref(),
            listen_client_urls: config.listen_client_urls.as_deref(),
            metrics_url: config.metrics_url.as_deref(),
            tls: config.tls.as_ref(),
            cluster_token: config.cluster_token.as_deref(),
        }
    }
}

/// What runner decides, by flag or by environment variable.
const OWNED: &[&str] = &[
    "name",
    "data-dir",
    "listen-peer-urls",
    "initial-advertise-peer-urls",
    "listen-client-urls",
    "advertise-client-urls",
    "listen-metrics-urls",
    "initial-cluster",
    "initial-cluster-state",
    "initial-cluster-token",
    "client-cert-auth",
    "trusted-ca-file",
    "cert-file",
    "key-file",
    "peer-client-cert-auth",
    "peer-trusted-ca-file",
    "peer-cert-file",
    "peer-key-file",
    "logger",
    "experimental-initial-corrupt-check",
];

/// The operator's where runner does not set it.
const OUTPUTS: &str = "log-outputs";

/// What would take the member out of runner's hands.
const FORBIDDEN: &[(&str, &str)] = &[
    ("config-file", "etcd ignores every other flag then"),
    ("force-new-cluster", "it makes a cluster of its own from the member's data"),
    ("wal-dir", "runner reads the member's identity from the write-ahead log in the data directory"),
    ("discovery", "runner gives the member list itself"),
    ("discovery-srv", "runner gives the member list itself"),
    ("auto-tls", "runner gives the certificates itself"),
    ("peer-auto-tls", "runner gives the certificates itself"),
];

/// The flags, in a fixed order.
pub(super) fn flags(spec: &MemberSpec, wiring: &Wiring<'_>) -> Vec<Flag> {
    let listen = |own: Option<&[String]>, advertised: &[String]| own.unwrap_or(advertised).join(",");
    let list: Vec<_> = spec.initial_cluster.iter().map(|(name, url)| format!("{name}={url}")).collect();
    let mut flags = vec![
        ("name", spec.name.clone()),
        ("data-dir", wiring.data_dir.display().to_string()),
        ("listen-peer-urls", listen(wiring.listen_peer_urls, &spec.peer_urls)),
        ("initial-advertise-peer-urls", spec.peer_urls.join(",")),
        ("listen-client-urls", listen(wiring.listen_client_urls, &spec.client_urls)),
        ("advertise-client-urls", spec.client_urls.join(",")),
        ("initial-cluster", list.join(",")),
        ("initial-cluster-state", if spec.existing { "existing" } else { "new" }.to_owned()),
    ];
    if let (Some(token), false) = (wiring.cluster_token, spec.existing) {
        flags.push(("initial-cluster-token", token.to_owned()));
    }
    if let Some(tls) = wiring.tls {
        let path = |path: &Path| path.display().to_string();
        flags.extend([
            ("client-cert-auth", "true".to_owned()),
            ("trusted-ca-file", path(&tls.ca)),
            ("cert-file", path(&tls.server_cert)),
            ("key-file", path(&tls.server_key)),
            ("peer-client-cert-auth", "true".to_owned()),
            ("peer-trusted-ca-file", path(tls.peer_ca.as_ref().unwrap_or(&tls.ca))),
            ("peer-cert-file", path(&tls.peer_cert)),
            ("peer-key-file", path(&tls.peer_key)),
        ]);
    }
    if let Some(url) = wiring.metrics_url {
        flags.push(("listen-metrics-urls", url.to_owned()));
    }
    match wiring.minor {
        // 3.4 still logs in another format unless told.
        Some(4) => {
            flags.push(("logger", "zap".to_owned()));
            flags.push(("experimental-initial-corrupt-check", "true".to_owned()));
        }
        Some(5) => flags.push(("experimental-initial-corrupt-check", "true".to_owned())),
        Some(_) => flags.push(("feature-gates", "InitialCorruptCheck=true".to_owned())),
        None => {}
    }
    flags.extend(outputs());
    flags
}

/// Where etcd logs to, for whoever reads its standard error. The default goes to the journal of the system where init started the
/// process, and the log would be empty.
pub(super) fn outputs() -> Vec<Flag> {
    vec![(OUTPUTS, "stderr".to_owned())]
}

/// The command line: our flags, then the operator's. Feature gates of both become one flag, since etcd takes the last.
pub(super) fn arguments(mut flags: Vec<Flag>, extra: &[String]) -> Result<Vec<String>, Problem> {
    let mut theirs = Vec::new();
    let mut rest = extra.iter();
    while let Some(argument) = rest.next() {
        let Some((name, value)) = split(argument) else {
            theirs.push(argument.clone());
            continue;
        };
        let said = format!("the flag `{argument}`");
        allow(name, &said)?;
        if name == OUTPUTS && flags.iter().any(|(ours, _)| *ours == OUTPUTS) {
            return Err(set_already(&said));
        }
        if name == "feature-gates"
            && let Some((_, gates)) = flags.iter_mut().find(|(name, _)| *name == "feature-gates")
        {
            let value = value.or_else(|| rest.next().map(String::as_str)).unwrap_or_default();
            // Last wins within the list too: a gate that the operator sets otherwise stays so.
            gates.push(',');
            gates.push_str(value);
            continue;
        }
        theirs.push(argument.clone());
    }
    Ok(flags.iter().map(|(name, value)| format!("--{name}={value}")).chain(theirs).collect())
}

/// Refuses environment that says again what a flag says: etcd ends with `conflicting environment variable is shadowed`.
pub(super) fn environment(env: &BTreeMap<String, String>) -> Result<(), Problem> {
    for name in env.keys() {
        if let Some(flag) = name.strip_prefix("ETCD_") {
            let (flag, said) = (flag.to_lowercase().replace('_', "-"), format!("the variable {name}"));
            allow(&flag, &said)?;
            if flag == OUTPUTS {
                return Err(set_already(&said));
            }
        }
    }
    Ok(())
}

/// The same as environment variables: `ETCD_DATA_DIR` and its value.
pub(super) fn variables(flags: &[Flag]) -> impl Iterator<Item = (String, &str)> {
    let name = |name: &str| format!("ETCD_{}", name.to_uppercase().replace('-', "_"));
    flags.iter().map(move |(flag, value)| (name(flag), value.as_str()))
}

/// The name of the flag that this argument gives; none where it is a value.
pub(super) fn name(argument: &str) -> Option<&str> {
    split(argument).map(|(name, _)| name)
}

/// The value of this flag among the arguments: the last, as etcd takes it.
pub(super) fn last<'a>(arguments: &'a [String], flag: &str) -> Option<&'a str> {
    let value = |(at, argument): (usize, &'a String)| {
        let (_, value) = split(argument).filter(|(name, _)| *name == flag)?;
        value.or_else(|| arguments.get(at + 1).map(String::as_str))
    };
    arguments.iter().enumerate().filter_map(value).next_back()
}

/// `--name=value`, `-name value` and `--name`.
fn split(argument: &str) -> Option<(&str, Option<&str>)> {
    let bare = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-'))?;
    match bare.split_once('=') {
        Some((name, value)) => Some((name, Some(value))),
        None => Some((bare, None)),
    }
}

fn allow(flag: &str, said: &str) -> Result<(), Problem> {
    if let Some((_, why)) = FORBIDDEN.iter().find(|(name, _)| *name == flag) {
        return Err(refuse(format!("{said} cannot be used with runner: {why}"), &[]));
    }
    if OWNED.contains(&flag) {
        return Err(set_already(said));
    }
    Ok(())
}

fn set_already(said: &str) -> Problem {
    refuse(format!("{said} cannot be given: runner sets it itself"), &["use runner's own option for it"])
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn spec(existing: bool) -> MemberSpec {
        MemberSpec {
            identity: None,
            started: false,
            name: "n2".into(),
            peer_urls: vec!["https://10.0.0.2:2380".into()],
            client_urls: vec!["https://10.0.0.2:2379".into()],
            initial_cluster: vec![
                ("n1".into(), "https://10.0.0.1:2380".into()),
                ("n2".into(), "https://10.0.0.2:2380".into()),
            ],
            existing,
        }
    }

    fn line(minor: u32, existing: bool, extra: &[&str]) -> Result<String, Problem> {
        let file = |name: &str| PathBuf::from("/pki").join(name);
        let tls = MemberTls {
            ca: file("ca.crt"),
            peer_ca: None,
            peer_cert: file("peer.crt"),
            peer_key: file("peer.key"),
            server_cert: file("server.crt"),
            server_key: file("server.key"),
        };
        let listen = ["https://0.0.0.0:2379".to_owned()];
        let wiring = Wiring {
            minor: Some(minor),
            data_dir: Path::new("/data"),
            listen_peer_urls: None,
            listen_client_urls: Some(&listen),
            metrics_url: Some("http://127.0.0.1:2381"),
            tls: Some(&tls),
            cluster_token: Some("token"),
        };
        let extra: Vec<_> = extra.iter().map(|e| (*e).to_owned()).collect();
        Ok(arguments(flags(&spec(existing), &wiring), &extra)?.join("\n"))
    }

    #[test]
    fn a_joining_member_of_3_6() {
        insta::assert_snapshot!(line(6, true, &["--quota-backend-bytes", "8589934592"]).unwrap(), @r"
        --name=n2
        --data-dir=/data
        --listen-peer-urls=https://10.0.0.2:2380
        --initial-advertise-peer-urls=https://10.0.0.2:2380
        --listen-client-urls=https://0.0.0.0:2379
        --advertise-client-urls=https://10.0.0.2:2379
        --initial-cluster=n1=https://10.0.0.1:2380,n2=https://10.0.0.2:2380
        --initial-cluster-state=existing
        --client-cert-auth=true
        --trusted-ca-file=/pki/ca.crt
        --cert-file=/pki/server.crt
        --key-file=/pki/server.key
        --peer-client-cert-auth=true
        --peer-trusted-ca-file=/pki/ca.crt
        --peer-cert-file=/pki/peer.crt
        --peer-key-file=/pki/peer.key
        --listen-metrics-urls=http://127.0.0.1:2381
        --feature-gates=InitialCorruptCheck=true
        --log-outputs=stderr
        --quota-backend-bytes
        8589934592
        ");
    }

    #[test]
    fn spelling_follows_the_version() {
        let has = |minor, flag: &str| line(minor, true, &[]).unwrap().lines().any(|l| l == flag);
        let old = "--experimental-initial-corrupt-check=true";
        let new = "--feature-gates=InitialCorruptCheck=true";
        assert_eq!([4, 5, 6, 7].map(|m| has(m, old)), [true, true, false, false]);
        assert_eq!([4, 5, 6, 7].map(|m| has(m, new)), [false, false, true, true]);
        assert_eq!([4, 5, 6, 7].map(|m| has(m, "--logger=zap")), [true, false, false, false]);
    }

    #[test]
    fn only_a_new_cluster_gets_a_token() {
        assert!(line(6, false, &[]).unwrap().contains("--initial-cluster-state=new\n--initial-cluster-token=token"));
        assert!(!line(6, true, &[]).unwrap().contains("token"));
    }

    #[test]
    fn feature_gates_are_merged() {
        for extra in [&["--feature-gates=A=true"][..], &["--feature-gates", "A=true"]] {
            assert!(line(7, true, extra).unwrap().contains("--feature-gates=InitialCorruptCheck=true,A=true\n"));
        }
        assert!(line(5, true, &["--feature-gates=A=true"]).unwrap().ends_with("\n--feature-gates=A=true"));
    }

    #[test]
    fn what_runner_decides_is_refused() {
        for extra in ["--name=x", "-name", "--data-dir", "--initial-cluster-state=new", "--log-outputs=stdout"] {
            assert!(line(6, true, &[extra]).unwrap_err().message.ends_with("runner sets it itself"), "{extra}");
        }
        let refused = line(6, true, &["--config-file=/etc/etcd.yaml"]).unwrap_err().message;
        assert_eq!(
            refused,
            "the flag `--config-file=/etc/etcd.yaml` cannot be used with runner: etcd ignores every other flag then"
        );
        let env = |name: &str| environment(&BTreeMap::from([(name.to_owned(), "x".to_owned())]));
        assert!(env("ETCD_DATA_DIR").is_err() && env("ETCD_LOG_OUTPUTS").is_err());
        // A pod's log is the kubelet's: there runner does not set it.
        assert!(arguments(Vec::new(), &["--log-outputs=stdout".to_owned()]).is_ok());
        assert_eq!(env("ETCD_QUOTA_BACKEND_BYTES"), Ok(()));
        assert_eq!(env("GOMAXPROCS"), Ok(()));
    }

    #[test]
    fn variables_say_the_same() {
        let flags = [("name", "n2".to_owned()), ("listen-peer-urls", "http://a:1".to_owned())];
        let said: Vec<_> = variables(&flags).map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(said, ["ETCD_NAME=n2", "ETCD_LISTEN_PEER_URLS=http://a:1"]);
    }
}
