//! Whatever stands in the file: an answer, soon, and never a panic.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::good::{V1BETA3, V1BETA4};
use super::*;

/// Longer would be a hang: the largest file that is read at all takes a fraction of it.
const SOON: Duration = Duration::from_secs(20);

fn is_answered(text: &[u8]) {
    let began = Instant::now();
    if let Err(mistake) = read(text) {
        let said = mistake.to_string();
        assert!(said.starts_with("kubeadm.yaml"), "{said}");
    }
    let _ = ClusterDocument::from_text("text", &String::from_utf8_lossy(text));
    assert!(began.elapsed() < SOON, "{:?} for {:?}", began.elapsed(), String::from_utf8_lossy(text));
}

/// Pieces that mean something in kubeadm's documents, thrown together.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "apiVersion: kubeadm.k8s.io/v1beta4\n",
        "apiVersion: kubeadm.k8s.io/v1beta3\n",
        "kind: JoinConfiguration\n",
        "kind: ClusterConfiguration\n",
        "nodeRegistration:\n",
        "  name: ",
        "controlPlane: {localAPIEndpoint: {advertiseAddress: ",
        "etcd: {local: {extraArgs: ",
        "  local:\n",
        "timeouts: {etcdAPICall: ",
        "featureGates: {EtcdLearnerMode: ",
        "kubernetesVersion: ",
        "[fd00::1]",
        "10.0.0.1",
        "- name: a\n",
        "1h",
        "1e308h",
        "&a ",
        "*a",
        "<<: ",
        "- ",
        ": ",
        "{",
        "}",
        "[",
        "]",
        ",",
        "'",
        "\n",
        "\t",
        "  ",
        "---\n",
        "~",
        "\u{0}",
        "µs",
        "99999999999999999999",
        "null",
    ]);
    prop::collection::vec(piece, 0..50).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        is_answered(&bytes);
    }

    #[test]
    fn pieces_of_documents(text in pieces()) {
        is_answered(text.as_bytes());
        is_answered(cluster(&text).as_bytes());
        is_answered(join(&text).as_bytes());
    }

    /// Good documents with some of them cut out, doubled or overwritten.
    #[test]
    fn documents_that_were_hurt(newer in any::<bool>(), from in 0..2000_usize, len in 0..40_usize, with in pieces()) {
        let full = if newer { V1BETA4 } else { V1BETA3 }.as_bytes();
        let from = from.min(full.len());
        let to = (from + len).min(full.len());
        is_answered(&[&full[..from], with.as_bytes(), &full[to..]].concat());
    }

    #[test]
    fn values(text in "\\PC{0,40}") {
        let _ = text.parse::<crate::config::kubeadm::GoDuration>();
        let _ = text.parse::<crate::config::kubeadm::KubernetesVersion>();
        let _ = text.parse::<crate::config::kubeadm::San>();
        let _ = crate::config::kubeadm::quantities::address(&text);
    }
}
