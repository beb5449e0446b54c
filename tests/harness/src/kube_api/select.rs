//! Label selectors and field selectors.

use serde_json::Value;

use super::failure::{Outcome, bad_request};
use super::http::Request;
use super::kinds::Kind;

/// Which objects a list or a watch is for.
#[derive(Clone, Debug, Default)]
pub(super) struct Selection {
    labels: Vec<Term>,
    /// Path of the field, whether it should be equal, value.
    fields: Vec<(String, bool, String)>,
}

#[derive(Clone, Debug)]
enum Term {
    Has(String),
    HasNot(String),
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
}

impl Selection {
    /// The selection that a request asks for.
    pub(super) fn of(request: &Request, kind: &Kind) -> Outcome<Self> {
        let labels = request.parameter("labelSelector").unwrap_or_default();
        let labels = split(&labels).into_iter().map(Term::parse).collect::<Option<_>>();
        let labels = labels.ok_or_else(|| bad_request("unable to parse requirement: found a selector that is none"))?;
        let mut fields = Vec::new();
        let text = request.parameter("fieldSelector").unwrap_or_default();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').ok_or_else(|| bad_request(&format!("invalid selector: '{part}'")))?;
            let (name, equal) = name.strip_suffix('!').map_or((name, true), |name| (name, false));
            if !known(kind, name) {
                return Err(bad_request(&format!("field label not supported: {name}")));
            }
            fields.push((name.to_owned(), equal, value.trim_start_matches('=').to_owned()));
        }
        Ok(Self { labels, fields })
    }

    /// Only the object of this name.
    pub(super) fn only(mut self, name: &str) -> Self {
        self.fields.push(("metadata.name".to_owned(), true, name.to_owned()));
        self
    }

    /// The one name that can be selected, if there is only one: RBAC looks at it.
    pub(super) fn name(&self) -> Option<&str> {
        self.fields.iter().find(|(field, equal, _)| *equal && field == "metadata.name").map(|(_, _, name)| name.as_str())
    }

    /// Whether everything is selected.
    pub(super) fn is_all(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// Whether an object, as its kind shows it, is selected.
    pub(super) fn has(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        let field = |path: &str| path.split('.').fold(object, |value, part| &value[part]).as_str().unwrap_or_default();
        self.labels.iter().all(|term| term.holds(labels))
            && self.fields.iter().all(|(path, equal, value)| (field(path) == value) == *equal)
    }
}

impl Term {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let key = |text: &str| text.trim().to_owned();
        let values = |text: &str| {
            let inner = text.trim().strip_prefix('(')?.strip_suffix(')')?;
            Some(inner.split(',').map(|value| value.trim().to_owned()).collect())
        };
        if let Some((name, rest)) = text.split_once(" notin ") {
            return Some(Self::NotIn(key(name), values(rest)?));
        }
        if let Some((name, rest)) = text.split_once(" in ") {
            return Some(Self::In(key(name), values(rest)?));
        }
        if let Some((name, value)) = text.split_once("!=") {
            return Some(Self::NotIn(key(name), vec![key(value)]));
        }
        if let Some((name, value)) = text.split_once('=') {
            return Some(Self::In(key(name), vec![key(value.trim_start_matches('='))]));
        }
        if let Some(name) = text.strip_prefix('!') {
            return Some(Self::HasNot(key(name)));
        }
        (!text.contains(char::is_whitespace)).then(|| Self::Has(text.to_owned()))
    }

    fn holds(&self, labels: &Value) -> bool {
        let label = |name: &str| labels.get(name).and_then(Value::as_str);
        match self {
            Self::Has(name) => label(name).is_some(),
            Self::HasNot(name) => label(name).is_none(),
            Self::In(name, values) => label(name).is_some_and(|value| values.iter().any(|v| v == value)),
            Self::NotIn(name, values) => !label(name).is_some_and(|value| values.iter().any(|v| v == value)),
        }
    }
}

/// The parts between commas that are not in parentheses.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0);
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts.retain(|part| !part.trim().is_empty());
    parts
}

/// The fields that the API selects by: every kind's, and those of some kinds.
fn known(kind: &Kind, field: &str) -> bool {
    let more: &[&str] = match (kind.group, kind.kind) {
        ("", "Pod") => &["spec.nodeName", "status.phase", "spec.restartPolicy"],
        ("", "Namespace") => &["status.phase"],
        ("", "Secret") => &["type"],
        ("", "Event") => &["involvedObject.kind", "involvedObject.name", "involvedObject.namespace", "reason", "type"],
        ("events.k8s.io", "Event") => &["regarding.kind", "regarding.name", "regarding.namespace", "reason", "type"],
        _ => &[],
    };
    matches!(field, "metadata.name" | "metadata.namespace") || more.contains(&field)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn labels_are_selected_as_the_api_does_it() {
        let object = json!({ "metadata": { "labels": { "a": "1", "b": "2" } } });
        for (selector, expected) in [
            ("a=1", true),
            ("a==1,b=2", true),
            ("a!=1", false),
            ("c!=1", true),
            ("a", true),
            ("!a", false),
            ("!c,b", true),
            ("a in (0, 1),b", true),
            ("a notin (0,1)", false),
            ("c notin (0,1)", true),
        ] {
            let labels = split(selector).into_iter().map(|term| Term::parse(term).expect(selector)).collect();
            assert_eq!(Selection { labels, fields: Vec::new() }.has(&object), expected, "{selector}");
        }
    }
}
