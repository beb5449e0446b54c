//! Every mistake in its own words, with its place.

use super::*;

#[test]
fn texts_that_are_no_yaml() {
    says!(init("nodeRegistration:\n\tname: a\n"), @"");
    says!(init("skipPhases: [\n"), @"");
    says!(init("timeouts: {}\ntimeouts: {}\n"), @"");
    says!(b"\xff\xfe", @"");
    says!(vec![b'#'; (1 << 20) + 1], @"");
}

#[test]
fn unknown_keys_and_wrong_types() {
    says!(init("nodeRegistraton: {}\n"), @"");
    says!(join("controlPlane: {localApiEndpoint: {}}\n"), @"");
    says!(cluster("etcd: {local: {dataDri: /a}}\n"), @"");
    says!(cluster("etcd: {local: [a]}\n"), @"");
    says!(init("nodeRegistration: {name: 7}\n"), @"");
    says!(init("localAPIEndpoint: {bindPort: '6443'}\n"), @"");
    says!(init("skipPhases: preflight\n"), @"");
    says!(cluster("featureGates: {EtcdLearnerMode: 'yes'}\n"), @"");
    says!(cluster("etcd: {local: {extraArgs: [{name: a, value: 5}]}}\n"), @"");
    says!(cluster("etcd: {local: {extraArgs: [{value: '5'}]}}\n"), @"");
    says!(cluster("etcd: {local: {extraArgs: [{name: a, valeu: '5'}]}}\n"), @"");
}

#[test]
fn keys_of_the_other_version() {
    says!(document("v1beta3", "InitConfiguration", "timeouts: {etcdAPICall: 1m}\n"), @"");
    says!(document("v1beta3", "JoinConfiguration", "dryRun: true\n"), @"");
    says!(join("discovery: {timeout: 5m}\n"), @"");
    says!(cluster("apiServer: {timeoutForControlPlane: 5m}\n"), @"");
    says!(cluster3("etcd: {local: {extraEnvs: [{name: A, value: b}]}}\n"), @"");
    says!(cluster3("etcd: {local: {extraArgs: [{name: a, value: b}]}}\n"), @"");
    says!(cluster("etcd: {local: {extraArgs: {a: b}}}\n"), @"");
}

#[test]
fn names_and_addresses() {
    let at = |address: &str| init(&format!("localAPIEndpoint: {{advertiseAddress: '{address}'}}\n"));
    says!(at("[fd00::1]"), @"");
    says!(at("10.0.0.1:6443"), @"");
    says!(at("[fd00::1]:6443"), @"");
    says!(at("https://10.0.0.1"), @"");
    says!(at("10.0.0"), @"");
    says!(at("0.0.0.0"), @"");
    says!(at("::"), @"");
    assert!(read(at("fd00::1")).is_ok());
    says!(init("localAPIEndpoint: {bindPort: 70000}\n"), @"");
    says!(join("controlPlane: {localAPIEndpoint: {bindPort: -1}}\n"), @"");
    says!(init("nodeRegistration: {name: node_1}\n"), @"");
    says!(init("nodeRegistration: {name: Node 1}\n"), @"");
}

#[test]
fn etcd() {
    says!(cluster("etcd: {external: {endpoints: ['https://10.0.0.9:2379']}}\n"), @"");
    says!(cluster("kubernetesVersion: v1.31.0\nfeatureGates: {EtcdLearnerMode: false}\n"), @"");
    says!(cluster("etcd: {local: {dataDir: etcd}}\n"), @"");
    says!(cluster("certificatesDir: pki\n"), @"");
    says!(cluster("kubernetesVersion: '1.33'\n"), @"");
    says!(cluster("etcd: {local: {extraArgs: [{name: --quota-backend-bytes, value: '1'}]}}\n"), @"");
    says!(cluster3("etcd: {local: {extraArgs: {'--quota-backend-bytes': '1'}}}\n"), @"");
    says!(cluster("etcd: {local: {extraArgs: [{name: '', value: '1'}]}}\n"), @"");
    says!(cluster("etcd: {local: {extraEnvs: [{name: 'A=B', value: '1'}]}}\n"), @"");
    says!(cluster("etcd: {local: {extraEnvs: [{name: A, valueFrom: {secretKeyRef: {}}}]}}\n"), @"");
    says!(cluster("etcd: {local: {serverCertSANs: [a, '[fd00::1]']}}\n"), @"");
    says!(cluster("etcd: {local: {peerCertSANs: ['https://a']}}\n"), @"");
}

#[test]
fn times() {
    let timeout = |time: &str| join(&format!("timeouts: {{etcdAPICall: {time}}}\n"));
    says!(timeout("2 minutes"), @"");
    says!(timeout("120"), @"");
    says!(timeout("'120'"), @"");
    says!(timeout("0s"), @"");
    says!(timeout("-1m"), @"");
    says!(cluster3("apiServer: {timeoutForControlPlane: 1d}\n"), @"");
}

#[test]
fn a_secret_is_never_shown() {
    const SECRET: &str = "e6a2eb8581237ab7";
    for text in [
        init(&format!("certificateKey: [{SECRET}]\nunknown: 1\n")),
        join(&format!("controlPlane: {{certificateKey: {SECRET}, bad: 1}}\n")),
        join(&format!("discovery: {{bootstrapToken: {{token: {SECRET}}}, tlsBootstrapToken: {{a: {SECRET}}}, bad: 1}}\n")),
        init(&format!("bootstrapTokens: {SECRET}\nskipPhases: 1\n")),
        join(&format!("discovery: {{tlsBootstrapToken: {SECRET}: 1}}\n")),
    ] {
        let mistake = read(&text).unwrap_err();
        assert!(!format!("{mistake} {mistake:?}").contains(SECRET), "{mistake}");
    }
    let kept = format!("{:?}", read(good::V1BETA4).unwrap());
    assert!(!kept.contains("abcdef.0123456789abcdef") && !kept.contains(SECRET));
}
