//! What serde says of a mistake, in words for people.

use super::nearest::nearest;

/// What is wrong, and the hint that goes with it.
pub(super) fn explain(said: &str) -> (String, Option<String>) {
    if let Some((given, names)) = unknown(said, "unknown field ") {
        return (format!("there is no key `{given}` here"), Some(choice(given, &names)));
    }
    if let Some((given, names)) = unknown(said, "unknown variant ") {
        return (format!("`{given}` is not one of the values that can stand here"), Some(choice(given, &names)));
    }
    if let Some(name) = said.strip_prefix("missing field ") {
        return (format!("{name} is missing"), None);
    }
    if let Some((found, expected)) = said.strip_prefix("invalid type: ").and_then(|rest| rest.split_once(", expected ")) {
        let hint = match (found.split(' ').next(), expected) {
            (Some("integer" | "floating" | "boolean"), "a string") => Some("put it in quotes".to_owned()),
            _ => None,
        };
        return (format!("{} is expected here, not {}", kind(expected), kind(found)), hint);
    }
    if let Some((found, expected)) = said.strip_prefix("invalid value: ").and_then(|rest| rest.split_once(", expected ")) {
        return (format!("{} is expected here, not {}", kind(expected), kind(found)), None);
    }
    (said.to_owned(), None)
}

/// The given name and the names that there are, of serde's sentence "unknown field `x`, expected one of `a`, `b`".
fn unknown<'a>(said: &'a str, start: &str) -> Option<(&'a str, Vec<&'a str>)> {
    let rest = said.strip_prefix(start)?.strip_prefix('`')?;
    // The name is the file's: it may hold anything, so the sentence is cut at its own last words.
    let (given, names) = match rest.rsplit_once("`, expected ") {
        Some(cut) => cut,
        None => (rest.rsplit_once("`, there are no ")?.0, ""),
    };
    Some((given, names.split('`').skip(1).step_by(2).collect()))
}

fn choice(given: &str, names: &[&str]) -> String {
    let all = names.join(", ");
    match nearest(given, names.iter().copied()) {
        _ if names.is_empty() => "nothing can stand here".to_owned(),
        Some(near) => format!("did you mean `{near}`? there are {all}"),
        None if names.len() == 1 => format!("there is {all} only"),
        None => format!("there are {all}"),
    }
}

/// serde's words for kinds of values, in YAML's.
fn kind(said: &str) -> String {
    match said {
        "map" => "a mapping".to_owned(),
        "sequence" | "a sequence" => "a list".to_owned(),
        "null" | "unit" | "unit value" => "nothing".to_owned(),
        "a map" => "a mapping".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "u16" => "a whole number from 0 to 65535".to_owned(),
        "u32" | "u64" | "usize" => "a whole number, not negative".to_owned(),
        "i32" | "i64" => "a whole number".to_owned(),
        _ if said.starts_with("struct ") => "a mapping".to_owned(),
        _ => match said.split_once(' ') {
            Some(("string", text)) => format!("the text {text}"),
            Some(("integer" | "boolean", value)) => value.to_owned(),
            Some(("floating", value)) => value.trim_start_matches("point ").to_owned(),
            _ => said.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strange_name_does_not_confuse_it() {
        let said = "unknown field `a`, expected `b``, expected one of `name`, `source`";
        let (what, hint) = explain(said);
        assert_eq!(what, "there is no key `a`, expected `b`` here");
        assert_eq!(hint.unwrap(), "there are name, source");
    }

    #[test]
    fn kinds_have_yamls_names() {
        assert_eq!(explain("invalid type: map, expected a sequence").0, "a list is expected here, not a mapping");
        assert_eq!(explain("invalid type: null, expected struct Spec").0, "a mapping is expected here, not nothing");
        assert_eq!(explain("invalid type: integer `7`, expected a string").1.unwrap(), "put it in quotes");
    }
}
