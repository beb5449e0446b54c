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
        identity: None,
        started: false,
        name: "n2".into(),
        peer_urls: vec!["https://10.0.0.2:2380".into()],
        client_urls: vec!["https://10.0.0.2:2379".into()],
        initial_cluster,
        existing,
    }
}

fn written(config: &StaticPodConfig, version: &str, existing: bool) -> Result<String, Problem> {
    manifest(&spec(existing), config, &version.parse()?)
}

fn arguments(version: &str, extra: &[&str]) -> Vec<String> {
    let mut config = config(version);
    config.member.extra_args = extra.iter().map(|e| (*e).to_owned()).collect();
    command(&spec(true), &config.member, &version.parse().unwrap()).unwrap()
}

#[test]
fn other_members_make_no_other_manifest() {
    let of = |existing: bool| written(&config("3.6.5"), "3.6.5", existing).unwrap();
    let (first, joining) = (of(false), of(true));
    assert_ne!(first, joining);
    assert!(same_but_for_others(&first, &joining), "{first}\n{joining}");
    let elsewhere = joining.replace("listen-peer-urls=https://10.0.0.2", "listen-peer-urls=https://10.0.0.9");
    assert!(elsewhere != joining && !same_but_for_others(&joining, &elsewhere));
    assert!(!same_but_for_others(&joining, &joining.replace("3.6.5-0", "3.6.6-0")));
}

#[test]
fn a_joining_member_of_3_6() {
    insta::assert_snapshot!(written(&config("3.6.5"), "3.6.5", true).unwrap(), @r"
    # Written by runner for the etcd member n2; removed when its join is undone.
    apiVersion: v1
    kind: Pod
    metadata:
      annotations:
        kubeadm.kubernetes.io/etcd.advertise-client-urls: https://10.0.0.2:2379
      labels:
        component: etcd
        tier: control-plane
      name: etcd
      namespace: kube-system
    spec:
      containers:
      - command:
        - etcd
        - --advertise-client-urls=https://10.0.0.2:2379
        - --cert-file=/etc/kubernetes/pki/etcd/server.crt
        - --client-cert-auth=true
        - --data-dir=/var/lib/etcd
        - --feature-gates=InitialCorruptCheck=true
        - --initial-advertise-peer-urls=https://10.0.0.2:2380
        - --initial-cluster=n1=https://10.0.0.1:2380,n2=https://10.0.0.2:2380
        - --initial-cluster-state=existing
        - --key-file=/etc/kubernetes/pki/etcd/server.key
        - --listen-client-urls=https://127.0.0.1:2379,https://10.0.0.2:2379
        - --listen-metrics-urls=http://127.0.0.1:2381
        - --listen-peer-urls=https://10.0.0.2:2380
        - --name=n2
        - --peer-cert-file=/etc/kubernetes/pki/etcd/peer.crt
        - --peer-client-cert-auth=true
        - --peer-key-file=/etc/kubernetes/pki/etcd/peer.key
        - --peer-trusted-ca-file=/etc/kubernetes/pki/etcd/ca.crt
        - --snapshot-count=10000
        - --trusted-ca-file=/etc/kubernetes/pki/etcd/ca.crt
        - --watch-progress-notify-interval=5s
        image: registry.k8s.io/etcd:3.6.5-0
        imagePullPolicy: IfNotPresent
        livenessProbe:
          failureThreshold: 8
          httpGet:
            host: 127.0.0.1
            path: /livez
            port: probe-port
            scheme: HTTP
          initialDelaySeconds: 10
          periodSeconds: 10
          timeoutSeconds: 15
        name: etcd
        ports:
        - containerPort: 2381
          name: probe-port
          protocol: TCP
        readinessProbe:
          failureThreshold: 3
          httpGet:
            host: 127.0.0.1
            path: /readyz
            port: probe-port
            scheme: HTTP
          periodSeconds: 1
          timeoutSeconds: 15
        resources:
          requests:
            cpu: 100m
            memory: 100Mi
        startupProbe:
          failureThreshold: 24
          httpGet:
            host: 127.0.0.1
            path: /livez
            port: probe-port
            scheme: HTTP
          initialDelaySeconds: 10
          periodSeconds: 10
          timeoutSeconds: 15
        volumeMounts:
        - mountPath: /var/lib/etcd
          name: etcd-data
        - mountPath: /etc/kubernetes/pki/etcd
          name: etcd-certs
      hostNetwork: true
      priority: 2000001000
      priorityClassName: system-node-critical
      securityContext:
        seccompProfile:
          type: RuntimeDefault
      volumes:
      - hostPath:
          path: /etc/kubernetes/pki/etcd
          type: DirectoryOrCreate
        name: etcd-certs
      - hostPath:
          path: /var/lib/etcd
          type: DirectoryOrCreate
        name: etcd-data
    status: {}
    ");
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

/// A flag that one of the documents gives etcd as a further argument. For runner it is an option of its own.
const METRICS: &str = "--listen-metrics-urls=";

/// That it stands with kubeadm's own flags, not behind them.
const MOVED: [&str; 2] =
    ["+ - --listen-metrics-urls=http://127.0.0.1:2381", "- - --listen-metrics-urls=http://127.0.0.1:2381"];

/// What real kubeadm wrote for a first member, and what ours for the same one has otherwise, line by line.
fn differences(minor: &str, name: &str) -> Vec<String> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/kubeadm").join(minor);
    let path = folder.join(name);
    let theirs = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let read: Pod = serde_saphyr::from_str(&theirs).unwrap();
    let container = read.spec.unwrap().containers.remove(0);
    let command = container.command.unwrap();
    let value = |flag: &str| {
        let found = command.iter().find_map(|argument| argument.strip_prefix(&format!("--{flag}=")));
        found.unwrap_or_else(|| panic!("{flag} in {command:?}")).to_owned()
    };
    let list = |flag: &str| value(flag).split(',').map(str::to_owned).collect::<Vec<_>>();
    let image = container.image.unwrap();
    let version = super::super::image::version(&image, None).unwrap();
    let mut config = config("3.6.5");
    config.image = image;
    config.member.data_dir = value("data-dir").into();
    config.member.metrics_url = Some(value("listen-metrics-urls"));
    // What stands behind kubeadm's own flags, which end with this one or that.
    let last = |argument: &String| ["--watch-progress-notify", "--trusted-ca-file"].iter().any(|a| argument.starts_with(a));
    let further = &command[command.iter().rposition(last).unwrap() + 1..];
    config.member.extra_args = further.iter().filter(|argument| !argument.starts_with(METRICS)).cloned().collect();
    let variables = container.env.into_iter().flatten().map(|e| (e.name, e.value.unwrap_or_default()));
    config.member.env = variables.collect();
    let failures = container.startup_probe.unwrap().failure_threshold.unwrap();
    config.startup_timeout = std::time::Duration::from_secs(failures as u64 * 10);
    let name = value("name");
    let spec = MemberSpec {
        identity: None,
        started: false,
        peer_urls: list("initial-advertise-peer-urls"),
        client_urls: list("advertise-client-urls"),
        initial_cluster: vec![(name.clone(), value("initial-advertise-peer-urls"))],
        name,
        existing: false,
    };
    let ours = manifest(&spec, &config, &version).unwrap();
    lines_apart(&theirs, &ours)
}

/// `-` lines that only the first text has, `+` lines that only the second has, in their order; texts with few differences.
fn lines_apart(a: &str, b: &str) -> Vec<String> {
    let (mut a, mut b): (Vec<_>, Vec<_>) = (a.lines().collect(), b.lines().collect());
    let mut apart = Vec::new();
    while !a.is_empty() || !b.is_empty() {
        let (first, second) = (a.first().copied(), b.first().copied());
        if first == second {
            a.remove(0);
            b.remove(0);
            continue;
        }
        // The shorter way to meet again wins.
        let gone = first.and_then(|_| second.and_then(|line| a.iter().position(|other| *other == line)));
        let new = second.and_then(|_| first.and_then(|line| b.iter().position(|other| *other == line)));
        match (gone, new) {
            (None, None) => {
                apart.extend(first.map(|line| format!("- {}", line.trim())));
                apart.extend(second.map(|line| format!("+ {}", line.trim())));
                a.drain(..usize::from(first.is_some()));
                b.drain(..usize::from(second.is_some()));
            }
            (Some(gone), new) if new.is_none_or(|new| gone <= new) => {
                apart.extend(a.drain(..gone).map(|line| format!("- {}", line.trim())));
            }
            (_, new) => apart.extend(b.drain(..new.unwrap_or(b.len())).map(|line| format!("+ {}", line.trim()))),
        }
    }
    apart
}

#[test]
fn it_is_what_real_kubeadm_writes_but_for_the_comment_and_the_startup_probe() {
    let comment = "+ # Written by runner for the etcd member cp-1; removed when its join is undone.";
    // Since 1.36 kubeadm writes the flags of etcd 3.6 whatever the image: etcd 3.5 would not start with them.
    let older = [
        "- - --feature-gates=InitialCorruptCheck=true",
        "+ - --experimental-initial-corrupt-check=true",
        "+ - --experimental-watch-progress-notify-interval=5s",
        "- - --watch-progress-notify-interval=5s",
    ];
    for minor in ["v1.35", "v1.36"] {
        for name in ["v1beta3-ipv4.etcd.yaml", "v1beta4-ipv4.etcd.yaml", "v1beta4-ipv6.etcd.yaml"] {
            let moved = MOVED.iter().filter(|_| name == "v1beta4-ipv4.etcd.yaml").copied();
            let older = older.iter().filter(|_| (minor, name) == ("v1.36", "v1beta3-ipv4.etcd.yaml")).copied();
            let flags = [comment].into_iter().chain(moved).chain(older);
            let expected: Vec<_> = flags.chain(["- path: /readyz", "+ path: /livez"]).collect();
            assert_eq!(differences(minor, name), expected, "{minor} {name}");
        }
    }
    // Before 1.34 the probes name the port by its number, and an empty time is written out; the flags are those of etcd 3.5, which 3.6
    // takes, too, and 3.7 does not.
    let newer = [
        "- - --experimental-initial-corrupt-check=true",
        "+ - --feature-gates=InitialCorruptCheck=true",
        "- - --experimental-watch-progress-notify-interval=5s",
        MOVED[0],
        "+ - --watch-progress-notify-interval=5s",
        MOVED[1],
    ];
    for name in ["v1beta3-ipv4.etcd.yaml", "v1beta4-ipv4.etcd.yaml", "v1beta4-ipv6.etcd.yaml"] {
        let found = differences("v1.33", name);
        let port = ["- port: 2381", "+ port: probe-port"];
        let ports = ["+ ports:", "+ - containerPort: 2381", "+ name: probe-port", "+ protocol: TCP"];
        let newer = newer.iter().filter(|_| name == "v1beta4-ipv4.etcd.yaml").copied();
        let expected: Vec<_> = [comment, "- creationTimestamp: null"]
            .into_iter()
            .chain(newer)
            .chain(port)
            .chain(ports)
            .chain(port)
            .chain(["- path: /readyz", "+ path: /livez"])
            .chain(port)
            .collect();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn a_manifest_says_whose_it_is() {
    use crate::cluster::MemberId;
    let whose = crate::pipeline::Identity { cluster_id: 7, member_id: MemberId(0xbeef) };
    let spec = MemberSpec { identity: Some(whose), ..spec(true) };
    let text = manifest(&spec, &config("3.6.5"), &"3.6.5".parse().unwrap()).unwrap();
    assert_eq!(mark::identity(&text), Some(whose));
    assert_eq!(mark::identity(&written(&config("3.6.5"), "3.6.5", true).unwrap()), None);
}
