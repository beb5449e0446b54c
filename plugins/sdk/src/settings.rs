//! From the settings' JSON to the plugin, with the path of every field that is wrong.

use crate::{Error, Plugin, Problem, Result};

/// Everything that is wrong with these settings; empty where the plugin can work with them.
///
/// Text that cannot be read into `P` gives one problem (serde stops at the first); else what [`Plugin::validate`] says.
pub fn problems<P: Plugin>(json: &str) -> Vec<Problem> {
    match read::<P>(json) {
        Ok(plugin) => plugin.validate(),
        Err(problem) => vec![problem],
    }
}

/// The plugin with these settings. Does not ask [`Plugin::validate`].
///
/// # Errors
/// Says which field cannot be read and why.
pub fn plugin<P: Plugin>(json: &str) -> Result<P> {
    read(json).map_err(|Problem { path, message }| match path.as_str() {
        "" => Error::new(format!("bad settings: {message}")),
        path => Error::new(format!("bad settings: {path}: {message}")),
    })
}

fn read<P: Plugin>(json: &str) -> std::result::Result<P, Problem> {
    // serde would also take a list, field by field in the order of the source code.
    if !json.trim_start().starts_with('{') {
        return Err(Problem::new("", "expected a JSON object"));
    }
    let mut input = serde_json::Deserializer::from_str(json);
    let plugin = serde_path_to_error::deserialize(&mut input).map_err(|error| {
        let path = error.path().to_string();
        let error = error.into_inner();
        let path = if path == "." || error.is_syntax() || error.is_eof() { String::new() } else { path };
        Problem::new(path, message(&error))
    })?;
    input.end().map_err(|error| Problem::new("", message(&error)))?;
    Ok(plugin)
}

/// serde's message. Its line and column are of a text that the operator may never have seen, so they stay only where the text
/// is not JSON at all.
fn message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if error.is_data() {
        let place = format!(" at line {} column {}", error.line(), error.column());
        if let Some(text) = text.strip_suffix(&place) {
            return text.to_owned();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields, default)]
    struct Limits {
        max_lag: u64,
        window: Window,
        hosts: Vec<String>,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields, default)]
    struct Window {
        start: u32,
        end: u32,
    }

    impl Plugin for Limits {
        fn validate(&self) -> Vec<Problem> {
            match self.window.start <= self.window.end {
                true => vec![],
                false => vec![Problem::new("window.start", "comes after window.end")],
            }
        }
    }

    fn only(json: &str) -> (String, String) {
        let mut found = problems::<Limits>(json);
        assert_eq!(found.len(), 1, "{found:?}");
        let Problem { path, message } = found.remove(0);
        (path, message)
    }

    #[test]
    fn good_settings_have_no_problems() {
        for json in ["{}", r#"{"maxLag": 3, "window": {"end": 4}, "hosts": ["a"]}"#] {
            assert_eq!(problems::<Limits>(json), []);
        }
    }

    #[test]
    fn a_bad_value_is_named_by_its_path() {
        assert_eq!(only(r#"{"maxLag": -1}"#).0, "maxLag");
        assert_eq!(only(r#"{"window": {"start": "now"}}"#).0, "window.start");
        let (path, message) = only(r#"{"hosts": ["a", "b", 3]}"#);
        assert_eq!(path, "hosts[2]");
        assert_eq!(message, "invalid type: integer `3`, expected a string");
    }

    #[test]
    fn an_unknown_field_is_named_with_those_that_there_are() {
        let (path, message) = only(r#"{"maxlag": 1}"#);
        assert_eq!(path, "maxlag");
        assert_eq!(message, "unknown field `maxlag`, expected one of `maxLag`, `window`, `hosts`");
        assert_eq!(only(r#"{"window": {"begin": 1}}"#).0, "window.begin");
    }

    #[test]
    fn what_is_no_settings_object_is_about_the_whole() {
        for json in ["3", "[]", "", "nonsense"] {
            assert_eq!(only(json), (String::new(), "expected a JSON object".to_owned()));
        }
        assert_eq!(only("{").0, "");
        assert_eq!(only(r#"{"window": {"start": 1"#).0, "");
        assert_eq!(only("{} {}"), (String::new(), "trailing characters at line 1 column 4".to_owned()));
    }

    #[test]
    fn what_contradicts_itself_is_refused_by_the_plugin() {
        assert_eq!(only(r#"{"window": {"start": 3}}"#), ("window.start".to_owned(), "comes after window.end".to_owned()));
    }

    #[test]
    fn a_call_with_bad_settings_says_where() {
        let error = plugin::<Limits>(r#"{"maxLag": "x"}"#).unwrap_err().to_string();
        assert_eq!(error, "bad settings: maxLag: invalid type: string \"x\", expected u64");
        assert!(plugin::<Limits>("nonsense").unwrap_err().to_string().starts_with("bad settings: expected"));
    }
}
