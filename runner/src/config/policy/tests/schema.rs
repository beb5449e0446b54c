//! The published schema: current, and as strict and as lenient as runner itself.

use std::path::Path;

use serde_json::Value;

use super::good::FULL;
use super::*;
use crate::config::policy::schema;

fn committed() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/join-policy.v1alpha1.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).expect("the schema is JSON")
}

#[test]
fn the_committed_schema_is_current() {
    assert!(
        committed() == schema(),
        "runner/schemas/join-policy.v1alpha1.json is not current; renew it with \
         `cargo run -- policy schema > runner/schemas/join-policy.v1alpha1.json`"
    );
}

#[test]
fn every_key_and_value_has_a_description() {
    fn walk(path: &str, schema: &Value) {
        for (key, property) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{key}");
            assert!(property["description"].is_string(), "{path} has no description");
        }
        for (name, definition) in schema["$defs"].as_object().into_iter().flatten() {
            walk(name, definition);
        }
    }
    let schema = schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    walk("", &schema);
}

/// What the schema has against a value: the keywords that it uses and no others, so that a new one is not passed over.
fn against(value: &Value, schema: &Value, root: &Value) -> Option<String> {
    let schema = match schema {
        Value::Bool(true) => return None,
        Value::Object(schema) => schema,
        other => panic!("a schema that is {other}"),
    };
    for (keyword, rule) in schema {
        let trouble =
            match keyword.as_str() {
                "$ref" => {
                    let place = rule.as_str().unwrap().strip_prefix('#').unwrap();
                    against(value, root.pointer(place).expect("the reference leads somewhere"), root)
                }
                "type" => {
                    let is = |kind: &Value| match kind.as_str().unwrap() {
                        "object" => value.is_object(),
                        "array" => value.is_array(),
                        "string" => value.is_string(),
                        "boolean" => value.is_boolean(),
                        "null" => value.is_null(),
                        "integer" => value.is_i64() || value.is_u64(),
                        other => panic!("a type {other}"),
                    };
                    let fits = rule.as_array().map_or_else(|| is(rule), |kinds| kinds.iter().any(is));
                    (!fits).then(|| format!("{value} is not {rule}"))
                }
                "properties" => value.as_object().into_iter().flatten().find_map(|(key, value)| {
                    against(value, rule.get(key)?, root).map(|trouble| format!("{key}: {trouble}"))
                }),
                "additionalProperties" => value.as_object().into_iter().flatten().find_map(|(key, inner)| {
                    match schema.get("properties").and_then(|known| known.get(key)) {
                        Some(_) => None,
                        None if *rule == Value::Bool(false) => Some(format!("{key} is unknown")),
                        None => against(inner, rule, root),
                    }
                }),
                "required" => {
                    let has = |key: &Value| value.get(key.as_str().unwrap()).is_some();
                    rule.as_array()
                        .unwrap()
                        .iter()
                        .find(|key| value.is_object() && !has(key))
                        .map(|key| format!("{key} is missing"))
                }
                "items" => value.as_array().into_iter().flatten().find_map(|item| against(item, rule, root)),
                "enum" => (!rule.as_array().unwrap().contains(value)).then(|| format!("{value} is none of {rule}")),
                "const" => (rule != value).then(|| format!("{value} is not {rule}")),
                "oneOf" | "anyOf" => {
                    let fitting = rule.as_array().unwrap().iter().filter(|s| against(value, s, root).is_none()).count();
                    let right = if keyword == "oneOf" { fitting == 1 } else { fitting > 0 };
                    (!right).then(|| format!("{value} fits {fitting} of {keyword}"))
                }
                "minimum" => value.as_f64().filter(|n| *n < rule.as_f64().unwrap()).map(|n| format!("{n} is too small")),
                "maximum" => value.as_f64().filter(|n| *n > rule.as_f64().unwrap()).map(|n| format!("{n} is too large")),
                "minLength" => {
                    value.as_str().filter(|t| (t.len() as u64) < rule.as_u64().unwrap()).map(|t| format!("{t:?} is short"))
                }
                // Patterns are compared with what runner takes by runner's own types, in the tests of those.
                "pattern" | "maxLength" | "format" => None,
                "description" | "title" | "default" | "$schema" | "$defs" => None,
                other => panic!("the keyword {other} is not looked at by this test"),
            };
        if trouble.is_some() {
            return trouble;
        }
    }
    None
}

#[test]
fn it_accepts_what_runner_accepts_and_refuses_what_runner_refuses() {
    let root = committed();
    let check = |text: &str| {
        let documents = crate::config::yaml::documents(text, "policy").unwrap_or_else(|not| panic!("{}", not.what));
        let ours = documents.iter().find(|d| d.get("kind").and_then(|k| k.text()) == Some("JoinPolicy")).unwrap().value();
        against(&ours, &root, &root)
    };
    let least = "apiVersion: runner.dev/v1alpha1\nkind: JoinPolicy\nmetadata: {name: p}\nspec: {}\n";
    for good in [FULL, least] {
        assert!(read(good).is_ok());
        assert_eq!(check(good), None);
    }
    for bad in [
        FULL.replace("maxLag", "maxLags"),
        FULL.replace("maxLag: 20", "maxLag: many"),
        FULL.replace("Monitor", "monitor"),
        FULL.replace("      reason: cp-1 is replaced in December\n", ""),
        FULL.replace("hook: {file: hook.txt}", "hook: {file: hook.txt, env: A}"),
        FULL.replace("ports: [443, 8443]", "ports: [443, 70000]"),
        FULL.replace("runner.dev/v1alpha1", "runner.dev/v1"),
        FULL.replace("metadata:\n  name: production\n", ""),
    ] {
        assert!(read(&bad).is_err(), "{bad}");
        assert!(check(&bad).is_some(), "{bad}");
    }
}
