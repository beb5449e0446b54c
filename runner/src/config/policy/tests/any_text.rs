//! Whatever stands in the file: an answer, soon, and never a panic.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::good::FULL;
use super::*;

/// Longer would be a hang: the largest file that is read at all takes a fraction of it.
const SOON: Duration = Duration::from_secs(20);

fn is_answered(text: &[u8]) {
    let began = Instant::now();
    if let Err(mistake) = read(text) {
        let said = mistake.to_string();
        assert!(said.starts_with("policy.yaml") && !said.contains('\n'), "{said}");
    }
    assert!(began.elapsed() < SOON, "{:?} for {:?}", began.elapsed(), String::from_utf8_lossy(text));
}

/// Pieces that mean something in YAML, thrown together.
fn yamlish() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "apiVersion: runner.dev/v1alpha1\n",
        "kind: JoinPolicy\n",
        "metadata: {name: p}\n",
        "spec:\n",
        "  plugins:\n",
        "  - source: a.wasm\n",
        "    grants: ",
        "    limits: {cpu: ",
        "&a ",
        "*a",
        "<<: ",
        "- ",
        "? ",
        ": ",
        "!!str ",
        "!x ",
        "{",
        "}",
        "[",
        "]",
        ",",
        "|\n",
        ">-\n",
        "'",
        "\"",
        "\n",
        "\r\n",
        "\t",
        "  ",
        "---\n",
        "...\n",
        "%YAML 1.2\n",
        "#",
        "~",
        "\u{0}",
        "\u{feff}",
        "1e999",
        ".nan",
        "0x10",
        "-0",
        "99999999999999999999",
        "é",
        "null",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        is_answered(&bytes);
    }

    #[test]
    fn text(text in "\\PC{0,200}") {
        is_answered(text.as_bytes());
    }

    #[test]
    fn pieces_of_yaml(text in yamlish()) {
        is_answered(text.as_bytes());
        is_answered(spec(&text).as_bytes());
    }

    /// A good policy with some of it cut out, doubled or overwritten.
    #[test]
    fn a_policy_that_was_hurt(from in 0..FULL.len(), len in 0..40_usize, with in yamlish(), keep in any::<bool>()) {
        let to = (from + len).min(FULL.len());
        let rest = if keep { from } else { to };
        is_answered(&[&FULL.as_bytes()[..from], with.as_bytes(), &FULL.as_bytes()[rest..]].concat());
    }
}

#[test]
fn the_largest_files_are_answered_soon() {
    let size = super::super::MAX_SIZE as usize - 1000;
    for piece in [
        "a", "- ", "[", "{", "{a: ", "? ", "\"", "&a ", "*a ", "a: b\n", "- a\n", " ", "\n", "#\n", "'", "|\n", "!!a ",
        "---\n",
    ] {
        is_answered(piece.repeat(size / piece.len()).as_bytes());
        is_answered(spec(&piece.repeat((size - HEAD.len()) / piece.len())).as_bytes());
    }
}
