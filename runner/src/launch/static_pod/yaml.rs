//! A pod as YAML, in the form that kubeadm gives its manifests: keys in order, lists not indented, plain words bare.
//!
//! Whoever compares our manifest with kubeadm's sees only what differs. The kubelet reads YAML 1.1, where `yes`, `on` or `012`
//! are no strings: whatever could be read as something else is quoted, in JSON's way, which is YAML's too.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::Value;

/// The whole document.
pub(super) fn document(value: &Value) -> String {
    let mut out = String::new();
    block(value, 0, &mut out);
    out
}

/// A mapping's entries or a list's items, each from the beginning of a line on.
fn block(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            for (number, (key, value)) in entries.into_iter().enumerate() {
                // The first entry of a list's item stands behind the dash.
                if number > 0 || !out.ends_with("- ") {
                    indent(depth, out);
                }
                out.push_str(&scalar(&Value::String(key.clone())));
                out.push(':');
                below(value, depth, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                indent(depth, out);
                out.push_str("- ");
                block(item, depth + 1, out);
            }
        }
        other => {
            out.push_str(&scalar(other));
            out.push('\n');
        }
    }
}

/// What stands behind a key.
fn below(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            out.push('\n');
            block(value, depth + 1, out);
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            block(value, depth, out);
        }
        other => {
            out.push(' ');
            block(other, depth, out);
        }
    }
}

fn indent(depth: usize, out: &mut String) {
    out.extend(std::iter::repeat_n("  ", depth));
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) if plain(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Whether every YAML reader takes it for the string that it is.
fn plain(text: &str) -> bool {
    if is_address(text) || is_quantity(text) {
        return true;
    }
    let harmless = |c: char| c.is_ascii_alphanumeric() || "-_./:,=@+[]%".contains(c);
    let flag = text.strip_prefix("--").unwrap_or(text);
    let begins = flag.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let said_otherwise = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];
    begins
        && text.chars().all(harmless)
        && !text.ends_with(':')
        && !said_otherwise.iter().any(|word| text.eq_ignore_ascii_case(word))
        // `nan`, `inf`, `infinity`: some readers, serde-saphyr among them, take Rust's words for numbers.
        && text.parse::<f64>().is_err()
}

/// `127.0.0.1` or `::1`; not `1:2:3:4:5:6:7:8`, which YAML 1.1 reads as a number to the base of 60.
fn is_address(text: &str) -> bool {
    let short = text.starts_with("::") && !text.ends_with(':');
    text.parse::<Ipv4Addr>().is_ok() || (short && text.parse::<Ipv6Addr>().is_ok())
}

/// `100m` or `100Mi`.
fn is_quantity(text: &str) -> bool {
    let number = ["m", "Ki", "Mi", "Gi"].iter().find_map(|unit| text.strip_suffix(unit));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn it_is_written_as_kubeadm_writes_it() {
        let value = json!({
            "b": [{ "name": "x", "args": ["--a=b", "--url=https://[fd00::1]:2379"] }, "text", []],
            "a": { "number": 1, "yes": "yes", "empty": {}, "no": "012", "path": "/var/lib/etcd", "spaces": "a: b",
                "address": "::1", "amount": "100Mi", "sixty": "1:20", "words": ["nan", "inf", "Infinity", "info"] },
        });
        insta::assert_snapshot!(document(&value), @r#"
        a:
          address: ::1
          amount: 100Mi
          empty: {}
          "no": "012"
          number: 1
          path: /var/lib/etcd
          sixty: "1:20"
          spaces: "a: b"
          words:
          - "nan"
          - "inf"
          - "Infinity"
          - info
          "yes": "yes"
        b:
        - args:
          - --a=b
          - --url=https://[fd00::1]:2379
          name: x
        - text
        - []
        "#);
    }

    proptest! {
        #[test]
        fn every_text_comes_back(texts in proptest::collection::vec("\\PC{0,12}|[-:#, yesnotrufal0-9.~]{0,8}|--[a-z=: #]{0,9}|[:0-9a-f.]{0,9}[mKi]?", 0..5)) {
            let value = json!({ "list": texts, "map": { "key": texts.first() } });
            let read: Value = serde_saphyr::from_str(&document(&value)).expect("it is YAML");
            prop_assert_eq!(read, value);
        }
    }
}
