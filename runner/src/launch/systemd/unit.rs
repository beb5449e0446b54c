//! The unit and its environment file, as text.
//!
//! The flags are variables in the environment file, so that whoever runs the node changes them in one place; only the data directory is
//! on the command line, where it tells whose process this is. Quoting: systemd.service(5), "Command lines", and systemd.exec(5),
//! `EnvironmentFile=`.

use std::path::Path;

use crate::Problem;
use crate::launch::flags::{self, Wiring};
use crate::launch::{EtcdVersion, SystemdConfig, mark, refuse};
use crate::pipeline::MemberSpec;

/// A unit and its environment file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Files {
    pub(super) unit: String,
    pub(super) environment: String,
}

/// Writes both for this member; `environment` is where the second will be.
pub(super) fn files(
    spec: &MemberSpec,
    config: &SystemdConfig,
    version: &EtcdVersion,
    environment: &Path,
) -> Result<Files, Problem> {
    let member = &config.member;
    let mut flags = flags::flags(spec, &Wiring::of(member, version.minor));
    let at = flags.iter().position(|(name, _)| *name == "data-dir");
    let data_dir = at.map(|at| flags.remove(at)).into_iter();
    // Feature gates of both sides become one flag, which must then be a flag.
    let gates = member.extra_args.iter().any(|argument| flags::name(argument) == Some("feature-gates"));
    let at = flags.iter().position(|(name, _)| gates && *name == "feature-gates");
    let gates = at.map(|at| flags.remove(at));
    let arguments = flags::arguments(data_dir.chain(gates).collect(), &member.extra_args)?;
    let program = config.etcd.display().to_string();
    let command: Result<Vec<_>, _> = std::iter::once(&program).chain(&arguments).map(|word| argument(word)).collect();
    let mark = mark::line(&spec.name, spec.identity.as_ref());
    let data_dir = path(&member.data_dir)?;
    let unit = format!(
        "\
{mark}
[Unit]
Description=etcd member {name}
Documentation=https://etcd.io/docs/
Wants=network-online.target
After=network-online.target
# A member that cannot reach the others yet is tried again and again, not given up.
StartLimitIntervalSec=0

[Service]
# etcd says that it is ready once it serves clients. A member that first receives a large database takes its time.
Type=notify
TimeoutStartSec=infinity
EnvironmentFile={environment}
ExecStart={command}
SyslogIdentifier={unit}
Restart=on-failure
RestartSec=5s
LimitNOFILE=65536
OOMScoreAdjust=-999
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths={data_dir}
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
PrivateDevices=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
LockPersonality=yes

[Install]
WantedBy=multi-user.target
",
        name = spec.name.replace('%', "%%"),
        environment = path(environment)?,
        command = command?.join(" "),
        unit = config.unit,
    );
    let theirs = member.env.iter().map(|(name, value)| (name.clone(), value.as_str()));
    let lines: Result<Vec<_>, _> =
        flags::variables(&flags).chain(theirs).map(|(name, text)| variable(&name, text)).collect();
    Ok(Files { unit, environment: format!("{mark}\n{}\n", lines?.join("\n")) })
}

/// A word of a command line: nothing in it is a specifier, a variable or a quote.
fn argument(word: &str) -> Result<String, Problem> {
    let escaped = one_line(word)?.replace('%', "%%").replace('$', "$$");
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,@+[]%$".contains(c);
    Ok(if !word.is_empty() && escaped.chars().all(plain) { escaped } else { quoted(&escaped) })
}

/// A path as a setting's value. systemd splits some of these at spaces and knows no quotes in others: such paths are refused.
fn path(path: &Path) -> Result<String, Problem> {
    let text = path.display().to_string();
    if text.contains(|c: char| c.is_whitespace() || c.is_control() || "\"'\\".contains(c)) {
        return Err(refuse(
            format!("{text:?} cannot stand in a unit of systemd"),
            &["give a path without spaces and quotes"],
        ));
    }
    Ok(text.replace('%', "%%"))
}

/// `NAME="value"`
fn variable(name: &str, value: &str) -> Result<String, Problem> {
    let usable = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(usable) {
        return Err(refuse(format!("{name:?} cannot be the name of a variable"), &[]));
    }
    Ok(format!("{name}={}", quoted(one_line(value)?)))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn one_line(text: &str) -> Result<&str, Problem> {
    match text.contains(|c: char| c.is_control()) {
        false => Ok(text),
        true => Err(refuse(format!("{text:?} cannot stand in a unit of systemd: it has a control character"), &[])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::MemberId;
    use crate::launch::MemberConfig;
    use crate::pipeline::Identity;

    fn spec() -> MemberSpec {
        MemberSpec {
            identity: Some(Identity { cluster_id: 7, member_id: MemberId(0xbeef) }),
            started: false,
            name: "n2".into(),
            peer_urls: vec!["http://10.0.0.2:2380".into()],
            client_urls: vec!["http://10.0.0.2:2379".into()],
            initial_cluster: vec![
                ("n1".into(), "http://10.0.0.1:2380".into()),
                ("n2".into(), "http://10.0.0.2:2380".into()),
            ],
            existing: true,
        }
    }

    fn written(version: &str, extra: &[&str], env: &[(&str, &str)]) -> Result<Files, Problem> {
        let member = MemberConfig {
            data_dir: "/var/lib/etcd".into(),
            metrics_url: Some("http://127.0.0.1:2381".into()),
            extra_args: extra.iter().map(|e| (*e).to_owned()).collect(),
            env: env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            ..MemberConfig::default()
        };
        let config = SystemdConfig { etcd: "/usr/local/bin/etcd".into(), member, ..SystemdConfig::default() };
        files(&spec(), &config, &version.parse()?, Path::new("/etc/systemd/system/etcd.env"))
    }

    #[test]
    fn a_joining_member() {
        let files = written("3.6.5", &["--quota-backend-bytes=1"], &[("GOGC", "50")]).unwrap();
        insta::assert_snapshot!(files.unit, @r"
        # Written by runner for the etcd member n2 (member beef of cluster 7); removed when its join is undone.
        [Unit]
        Description=etcd member n2
        Documentation=https://etcd.io/docs/
        Wants=network-online.target
        After=network-online.target
        # A member that cannot reach the others yet is tried again and again, not given up.
        StartLimitIntervalSec=0

        [Service]
        # etcd says that it is ready once it serves clients. A member that first receives a large database takes its time.
        Type=notify
        TimeoutStartSec=infinity
        EnvironmentFile=/etc/systemd/system/etcd.env
        ExecStart=/usr/local/bin/etcd --data-dir=/var/lib/etcd --quota-backend-bytes=1
        SyslogIdentifier=etcd
        Restart=on-failure
        RestartSec=5s
        LimitNOFILE=65536
        OOMScoreAdjust=-999
        NoNewPrivileges=yes
        ProtectSystem=strict
        ReadWritePaths=/var/lib/etcd
        ProtectKernelTunables=yes
        ProtectKernelModules=yes
        ProtectControlGroups=yes
        PrivateDevices=yes
        RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
        RestrictNamespaces=yes
        RestrictRealtime=yes
        LockPersonality=yes

        [Install]
        WantedBy=multi-user.target
        ");
        insta::assert_snapshot!(files.environment, @r#"
        # Written by runner for the etcd member n2 (member beef of cluster 7); removed when its join is undone.
        ETCD_NAME="n2"
        ETCD_LISTEN_PEER_URLS="http://10.0.0.2:2380"
        ETCD_INITIAL_ADVERTISE_PEER_URLS="http://10.0.0.2:2380"
        ETCD_LISTEN_CLIENT_URLS="http://10.0.0.2:2379"
        ETCD_ADVERTISE_CLIENT_URLS="http://10.0.0.2:2379"
        ETCD_INITIAL_CLUSTER="n1=http://10.0.0.1:2380,n2=http://10.0.0.2:2380"
        ETCD_INITIAL_CLUSTER_STATE="existing"
        ETCD_LISTEN_METRICS_URLS="http://127.0.0.1:2381"
        ETCD_FEATURE_GATES="InitialCorruptCheck=true"
        ETCD_LOG_OUTPUTS="stderr"
        GOGC="50"
        "#);
    }

    #[test]
    fn odd_values_stay_what_they_are() {
        let files = written("3.6.5", &["--a=b c\"$x%y\\"], &[("ODD", "a \"b\" $c \\d %e")]).unwrap();
        assert!(
            files.unit.contains(r#"ExecStart=/usr/local/bin/etcd --data-dir=/var/lib/etcd "--a=b c\"$$x%%y\\""#),
            "{}",
            files.unit
        );
        assert!(files.environment.contains(r#"ODD="a \"b\" $c \\d %e""#), "{}", files.environment);
        for (extra, env) in [(&["--a=b\nc"][..], &[][..]), (&[], &[("A", "b\nc")]), (&[], &[("A=", "b")])] {
            assert!(written("3.6.5", extra, env).is_err(), "{extra:?} {env:?}");
        }
        assert!(path(Path::new("/var/lib/my etcd")).is_err());
    }

    #[test]
    fn feature_gates_of_both_become_one_flag() {
        let files = written("3.6.5", &["--feature-gates=A=true"], &[]).unwrap();
        assert!(files.unit.contains(" --feature-gates=InitialCorruptCheck=true,A=true\n"), "{}", files.unit);
        assert!(!files.environment.contains("FEATURE_GATES"));
    }
}
