use super::*;
use crate::launch::MemberTls;

fn config(version: &str) -> StaticPodConfig {
    let file = |name: &str| std::path::Path::new("/etc/kubernetes/pki/etcd").join(name);
    let tls = MemberTls {
        ca: file("ca.crt"),
        peer_ca: None,
        peer_cert: file("peer.crt"),
        peer_key: file("peer.key"),
        server_cert: file("server.crt"),
        server_key: file("server.key"),
    };
    let member = MemberConfig {
        data_dir: "/var/lib/etcd".into(),
        metrics_url: Some("http://127.0.0.1:2381".into()),
        tls: Some(tls),
        ..MemberConfig::default()
    };
    StaticPodConfig { image: format!("registry.k8s.io/etcd:{version}-0"), member, ..StaticPodConfig::default() }
}

fn spec(existing: bool) -> MemberSpec {
    let entry = |name: &str, host: &str| (name.to_owned(), format!("https://{host}:2380"));
    let mut initial_cluster = vec![entry("n1", "10.0.0.1"), entry("n2", "10.0.0.2")];
    if !existing {
        initial_cluster.remove(0);
    }
    MemberSpec {
        name: "n2".into(),
        peer_urls: vec!["https://10.0.0.2:2380".into()],
        client_urls: vec!["https://10.0.0.2:2379".into()],
        initial_cluster,
        existing,
    }
}

fn written(config: &StaticPodConfig, version: &str, existing: bool) -> Result<String, LaunchError> {
    manifest(&spec(existing), config, &version.parse()?)
}

fn arguments(version: &str, extra: &[&str]) -> Vec<String> {
    let mut config = config(version);
    config.member.extra_args = extra.iter().map(|e| (*e).to_owned()).collect();
    command(&spec(true), &config.member, &version.parse().unwrap()).unwrap()
}

#[test]
fn a_joining_member_of_3_6() {
    insta::assert_snapshot!(written(&config("3.6.5"), "3.6.5", true).unwrap(), @"");
}

#[test]
fn the_first_member_is_given_no_state() {
    let text = written(&config("3.6.5"), "3.6.5", false).unwrap();
    assert!(text.contains("- --initial-cluster=n2=https://10.0.0.2:2380\n"), "{text}");
    assert!(!text.contains("initial-cluster-state"), "{text}");
}

#[test]
fn spelling_follows_the_version() {
    let flags = |version: &str| {
        arguments(version, &[])
            .into_iter()
            .filter(|a| a.contains("5s") || a.contains("corrupt") || a.contains("Corrupt"))
            .collect::<Vec<_>>()
    };
    let old = ["--experimental-initial-corrupt-check=true", "--experimental-watch-progress-notify-interval=5s"];
    let new = ["--feature-gates=InitialCorruptCheck=true", "--watch-progress-notify-interval=5s"];
    assert_eq!(flags("3.5.16"), old);
    assert_eq!(flags("3.4.23"), old);
    assert_eq!(flags("3.4.10"), old[..1]);
    assert_eq!(flags("3.6.5"), new);
    assert_eq!(flags("3.7.3"), new);
}

#[test]
fn the_operators_flags_come_last_and_win_over_kubeadms() {
    let all = arguments("3.6.5", &["--snapshot-count=5000", "--feature-gates=A=true", "--quota-backend-bytes=1"]);
    assert_eq!(all.iter().filter(|a| a.starts_with("--snapshot-count")).collect::<Vec<_>>(), ["--snapshot-count=5000"]);
    assert!(all.contains(&"--feature-gates=InitialCorruptCheck=true,A=true".to_owned()));
    assert_eq!(all.last().unwrap(), "--quota-backend-bytes=1");
    let mut config = config("3.6.5");
    config.member.extra_args = vec!["--name=x".to_owned()];
    assert!(written(&config, "3.6.5", true).unwrap_err().message.contains("runner sets it itself"));
}

#[test]
fn environment_and_odd_values_stay_what_they_are() {
    let mut config = config("3.6.5");
    let env = [("GOGC", "50"), ("FLAG", "yes"), ("ODD", "a: \"b\"\n#c")];
    config.member.env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let read: Pod = serde_saphyr::from_str(&written(&config, "3.6.5", true).unwrap()).unwrap();
    let container = &read.spec.unwrap().containers[0];
    let found: Vec<_> = container.env.iter().flatten().map(|e| (e.name.as_str(), e.value.as_deref().unwrap())).collect();
    assert_eq!(found, [("FLAG", "yes"), ("GOGC", "50"), ("ODD", "a: \"b\"\n#c")]);
}

#[test]
fn loopback_is_listened_on_once() {
    let listen = |urls: &[&str]| listen_client_urls(&urls.iter().map(|u| (*u).to_owned()).collect::<Vec<_>>());
    assert_eq!(listen(&["https://10.0.0.2:2379"]), ["https://127.0.0.1:2379", "https://10.0.0.2:2379"]);
    assert_eq!(listen(&["https://[fd00::2]:2379"]), ["https://[::1]:2379", "https://[fd00::2]:2379"]);
    assert_eq!(listen(&["https://127.0.0.1:2379"]), ["https://127.0.0.1:2379"]);
    assert_eq!(listen(&["https://0.0.0.0:2379"]), ["https://0.0.0.0:2379"]);
    assert_eq!(
        listen(&["https://10.0.0.2:2379", "https://[fd00::2]:2379"]),
        ["https://127.0.0.1:2379", "https://[::1]:2379", "https://10.0.0.2:2379", "https://[fd00::2]:2379"]
    );
}

#[test]
fn what_the_pod_cannot_see_is_refused() {
    let mut scattered = config("3.6.5");
    if let Some(tls) = &mut scattered.member.tls {
        tls.ca = "/elsewhere/ca.crt".into();
    }
    assert_eq!(
        written(&scattered, "3.6.5", true).unwrap_err().message,
        "the certificates lie in several folders (/elsewhere, /etc/kubernetes/pki/etcd), and the pod sees one"
    );
}
