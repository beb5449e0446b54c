//! Every mistake in its own words, with its place.

use super::*;

#[test]
fn texts_that_are_no_yaml() {
    says!(init("nodeRegistration:\n\tname: a\n"), @r"
    kubeadm.yaml:4:2: not valid YAML: tabs disallowed within this context (block indentation)
    hint: YAML does not take tabs for indentation: use spaces
    ");
    says!(init("skipPhases: [\n"), @"kubeadm.yaml:4:1: not valid YAML: while parsing a node, did not find expected node content");
    says!(init("timeouts: {}\ntimeouts: {}\n"), @"kubeadm.yaml:4:1: the key `timeouts` stands here twice");
    says!(b"\xff\xfe", @r"
    kubeadm.yaml:1:1: is not text in UTF-8
    hint: save it as UTF-8
    ");
    says!(vec![b'#'; (1 << 20) + 1], @r"
    kubeadm.yaml: is larger than 1 MiB, which no kubeadm configuration needs
    hint: is it the right file?
    ");
}

#[test]
fn unknown_keys_and_wrong_types() {
    says!(init("nodeRegistraton: {}\n"), @r"
    kubeadm.yaml:3:1: nodeRegistraton: there is no key `nodeRegistraton` here
    hint: did you mean `nodeRegistration`? there are apiVersion, kind, bootstrapTokens, dryRun, nodeRegistration, localAPIEndpoint, certificateKey, skipPhases, patches, timeouts
    ");
    says!(join("controlPlane: {localApiEndpoint: {}}\n"), @r"
    kubeadm.yaml:3:16: controlPlane.localApiEndpoint: there is no key `localApiEndpoint` here
    hint: did you mean `localAPIEndpoint`? there are localAPIEndpoint, certificateKey
    ");
    says!(cluster("etcd: {local: {dataDri: /a}}\n"), @r"
    kubeadm.yaml:3:16: etcd.local.dataDri: there is no key `dataDri` here
    hint: did you mean `dataDir`? there are imageRepository, imageTag, dataDir, extraArgs, extraEnvs, serverCertSANs, peerCertSANs
    ");
    says!(cluster("etcd: {local: [a]}\n"), @"kubeadm.yaml:3:15: etcd.local: a mapping is expected here, not a list");
    says!(cluster("etcd: {local: {extraArgs: [[a, b]]}}\n"), @"kubeadm.yaml:3:28: etcd.local.extraArgs[0]: a mapping is expected here, not a list");
    says!(init("nodeRegistration: {name: 7}\n"), @r"
    kubeadm.yaml:3:26: nodeRegistration.name: a string is expected here, not `7`
    hint: put it in quotes
    ");
    says!(init("localAPIEndpoint: {bindPort: '6443'}\n"), @r#"kubeadm.yaml:3:30: localAPIEndpoint.bindPort: a whole number is expected here, not the text "6443""#);
    says!(init("skipPhases: preflight\n"), @r#"kubeadm.yaml:3:13: skipPhases: a list is expected here, not the text "preflight""#);
    says!(cluster("featureGates: {EtcdLearnerMode: 'yes'}\n"), @r#"kubeadm.yaml:3:33: featureGates.EtcdLearnerMode: true or false is expected here, not the text "yes""#);
    says!(cluster("etcd: {local: {extraArgs: [{name: a, value: 5}]}}\n"), @r"
    kubeadm.yaml:3:45: etcd.local.extraArgs[0].value: a string is expected here, not `5`
    hint: put it in quotes
    ");
    says!(cluster("etcd: {local: {extraArgs: [{value: '5'}]}}\n"), @r"
    kubeadm.yaml:3:28: etcd.local.extraArgs[0]: an argument without a name
    hint: take it away
    ");
    says!(cluster("etcd: {local: {extraArgs: [{name: a, valeu: '5'}]}}\n"), @r"
    kubeadm.yaml:3:38: etcd.local.extraArgs[0].valeu: there is no key `valeu` here
    hint: did you mean `value`? there are name, value
    ");
}

#[test]
fn keys_of_the_other_version() {
    says!(document("v1beta3", "InitConfiguration", "timeouts: {etcdAPICall: 1m}\n"), @r"
    kubeadm.yaml:3:1: timeouts: v1beta3 has no such key, only v1beta4 has
    hint: v1beta3 has apiServer.timeoutForControlPlane in the ClusterConfiguration
    ");
    says!(document("v1beta3", "JoinConfiguration", "dryRun: true\n"), @r"
    kubeadm.yaml:3:1: dryRun: v1beta3 has no such key, only v1beta4 has
    hint: kubeadm's flag --dry-run does the same
    ");
    says!(join("discovery: {timeout: 5m}\n"), @r"
    kubeadm.yaml:3:13: discovery.timeout: v1beta4 has no such key, only v1beta3 has
    hint: v1beta4 has timeouts.discovery
    ");
    says!(cluster("apiServer: {timeoutForControlPlane: 5m}\n"), @r"
    kubeadm.yaml:3:13: apiServer.timeoutForControlPlane: v1beta4 has no such key, only v1beta3 has
    hint: v1beta4 has timeouts.controlPlaneComponentHealthCheck in the InitConfiguration and the JoinConfiguration
    ");
    says!(cluster3("etcd: {local: {extraEnvs: [{name: A, value: b}]}}\n"), @r"
    kubeadm.yaml:3:16: etcd.local.extraEnvs: v1beta3 has no such key, only v1beta4 has
    hint: leave it away
    ");
    says!(cluster3("etcd: {local: {extraArgs: [{name: a, value: b}]}}\n"), @r"
    kubeadm.yaml:3:27: etcd.local.extraArgs: v1beta3 has a mapping here, not a list
    hint: write `name: value`, a line each, or change to v1beta4
    ");
    says!(cluster("etcd: {local: {extraArgs: {a: b}}}\n"), @r"
    kubeadm.yaml:3:27: etcd.local.extraArgs: v1beta4 has a list here, not a mapping
    hint: write `- name: …` and `value: …` for each, or let `kubeadm config migrate` do it
    ");
}

#[test]
fn names_and_addresses() {
    let at = |address: &str| init(&format!("localAPIEndpoint: {{advertiseAddress: '{address}'}}\n"));
    says!(at("[fd00::1]"), @r#"
    kubeadm.yaml:3:38: localAPIEndpoint.advertiseAddress: "[fd00::1]" has brackets, which kubeadm does not take here
    hint: write fd00::1 without them
    "#);
    says!(at("10.0.0.1:6443"), @r#"
    kubeadm.yaml:3:38: localAPIEndpoint.advertiseAddress: "10.0.0.1:6443" has a port, which does not belong here
    hint: the port is `bindPort`'s
    "#);
    says!(at("[fd00::1]:6443"), @r#"
    kubeadm.yaml:3:38: localAPIEndpoint.advertiseAddress: "[fd00::1]:6443" has a port, which does not belong here
    hint: the port is `bindPort`'s
    "#);
    says!(at("https://10.0.0.1"), @r#"
    kubeadm.yaml:3:38: localAPIEndpoint.advertiseAddress: "https://10.0.0.1" is a URL; only its address is expected here
    hint: write an address such as 10.0.0.1 or fd00::1
    "#);
    says!(at("10.0.0"), @r#"
    kubeadm.yaml:3:38: localAPIEndpoint.advertiseAddress: "10.0.0" is not an IP address
    hint: write an address such as 10.0.0.1 or fd00::1
    "#);
    says!(at("0.0.0.0"), @r#"
    kubeadm.yaml:3:38: localAPIEndpoint.advertiseAddress: "0.0.0.0" leaves the choice to kubeadm, and etcd's certificates and URLs need one address
    hint: write this node's own address
    "#);
    says!(at("::"), @r#"
    kubeadm.yaml:3:38: localAPIEndpoint.advertiseAddress: "::" leaves the choice to kubeadm, and etcd's certificates and URLs need one address
    hint: write this node's own address
    "#);
    assert!(read(at("fd00::1")).is_ok());
    says!(init("localAPIEndpoint: {bindPort: 70000}\n"), @r"
    kubeadm.yaml:3:30: localAPIEndpoint.bindPort: 70000 is not a port
    hint: write one from 1 to 65535
    ");
    says!(join("controlPlane: {localAPIEndpoint: {bindPort: -1}}\n"), @r"
    kubeadm.yaml:3:45: controlPlane.localAPIEndpoint.bindPort: -1 is not a port
    hint: write one from 1 to 65535
    ");
    says!(init("nodeRegistration: {name: node_1}\n"), @r#"
    kubeadm.yaml:3:26: nodeRegistration.name: "node_1" cannot be a node's name
    hint: use lower-case letters, digits, `-` and `.`, with a letter or digit at each end
    "#);
    says!(init("nodeRegistration: {name: Node 1}\n"), @r#"
    kubeadm.yaml:3:26: nodeRegistration.name: "Node 1" cannot be a node's name
    hint: use lower-case letters, digits, `-` and `.`, with a letter or digit at each end
    "#);
}

#[test]
fn etcd() {
    says!(cluster("etcd: {external: {endpoints: ['https://10.0.0.9:2379']}}\n"), @r"
    kubeadm.yaml:3:18: etcd.external: this cluster's etcd is external, and runner joins members that live on control-plane nodes
    hint: run `runner join --endpoints …` on the new etcd host itself, without this file; kubeadm joins this node without etcd
    ");
    says!(cluster("kubernetesVersion: v1.31.0\nfeatureGates: {EtcdLearnerMode: false}\n"), @r"
    kubeadm.yaml:4:33: featureGates.EtcdLearnerMode: without learner mode a member votes before it has the data; runner always joins as a learner
    hint: take EtcdLearnerMode out of the file, or set it to true
    ");
    says!(cluster("etcd: {local: {dataDir: etcd}}\n"), @r#"
    kubeadm.yaml:3:25: etcd.local.dataDir: "etcd" is not an absolute path
    hint: write it from the root: `/…`
    "#);
    says!(cluster("certificatesDir: pki\n"), @r#"
    kubeadm.yaml:3:18: certificatesDir: "pki" is not an absolute path
    hint: write it from the root: `/…`
    "#);
    says!(cluster("kubernetesVersion: '1.33'\n"), @r#"kubeadm.yaml:3:20: kubernetesVersion: "1.33" is not a Kubernetes version: write it as `v1.33.2`"#);
    says!(cluster("etcd: {local: {extraArgs: [{name: --quota-backend-bytes, value: '1'}]}}\n"), @r#"
    kubeadm.yaml:3:28: etcd.local.extraArgs[0]: "--quota-backend-bytes" begins with a dash, and kubeadm puts two before it
    hint: write quota-backend-bytes
    "#);
    says!(cluster3("etcd: {local: {extraArgs: {'--quota-backend-bytes': '1'}}}\n"), @r#"
    kubeadm.yaml:3:28: etcd.local.extraArgs: "--quota-backend-bytes" begins with a dash, and kubeadm puts two before it
    hint: write quota-backend-bytes
    "#);
    says!(cluster("etcd: {local: {extraArgs: [{name: '', value: '1'}]}}\n"), @r"
    kubeadm.yaml:3:28: etcd.local.extraArgs[0]: an argument without a name
    hint: take it away
    ");
    says!(cluster("etcd: {local: {extraEnvs: [{name: 'A=B', value: '1'}]}}\n"), @r#"
    kubeadm.yaml:3:28: etcd.local.extraEnvs[0]: "A=B" cannot be a variable's name
    hint: use letters, digits and `_`
    "#);
    says!(cluster("etcd: {local: {extraEnvs: [{name: A, valueFrom: {secretKeyRef: {}}}]}}\n"), @r"
    kubeadm.yaml:3:28: etcd.local.extraEnvs[0]: A comes from elsewhere in Kubernetes, which a static pod has no access to
    hint: write the value itself, with `value`
    ");
    says!(cluster("etcd: {local: {serverCertSANs: [a, '[fd00::1]']}}\n"), @r#"
    kubeadm.yaml:3:36: etcd.local.serverCertSANs[1]: "[fd00::1]" is neither an address nor a host name
    hint: write an IPv6 address without brackets
    "#);
    says!(cluster("etcd: {local: {peerCertSANs: ['https://a']}}\n"), @r#"
    kubeadm.yaml:3:31: etcd.local.peerCertSANs[0]: "https://a" is neither an address nor a host name
    hint: write it without scheme and port
    "#);
}

#[test]
fn times() {
    let timeout = |time: &str| join(&format!("timeouts: {{etcdAPICall: {time}}}\n"));
    says!(timeout("2 minutes"), @r#"kubeadm.yaml:3:25: timeouts.etcdAPICall: "2 minutes" is not a time; write a time as `90s`, `2m30s` or `1h`"#);
    says!(timeout("120"), @r"
    kubeadm.yaml:3:25: timeouts.etcdAPICall: a string is expected here, not `120`
    hint: put it in quotes
    ");
    says!(timeout("'120'"), @r#"kubeadm.yaml:3:25: timeouts.etcdAPICall: "120" has a number without a unit; write a time as `90s`, `2m30s` or `1h`"#);
    says!(timeout("0s"), @"kubeadm.yaml:3:25: timeouts.etcdAPICall: without any time it cannot be done");
    says!(timeout("-1m"), @r#"kubeadm.yaml:3:25: timeouts.etcdAPICall: "-1m" is less than no time; write a time as `90s`, `2m30s` or `1h`"#);
    says!(cluster3("apiServer: {timeoutForControlPlane: 1d}\n"), @r#"kubeadm.yaml:3:37: apiServer.timeoutForControlPlane: "1d" is in days, which kubeadm does not know; write hours: `24h`"#);
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
