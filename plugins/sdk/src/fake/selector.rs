//! Label selectors, as the Kubernetes API reads them: `app=etcd`, `tier!=x`, `zone in (a, b)`, `role notin (c)`, `app`, `!app`.

use serde_json::Value;

/// What labels must be like.
#[derive(Debug)]
pub(crate) struct Selector(Vec<Requirement>);

#[derive(Debug)]
enum Requirement {
    In(String, Vec<String>),
    /// Also where there is no such label.
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
}

impl Selector {
    /// Reads one; the empty text selects everything. The error is the part that cannot be read.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        parts(text)
            .iter()
            .filter(|part| !part.is_empty())
            .map(|part| Requirement::parse(part))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether these labels, an object of texts, are like that.
    pub(crate) fn matches(&self, labels: &Value) -> bool {
        self.0.iter().all(|requirement| requirement.matches(labels))
    }
}

impl Requirement {
    fn parse(part: &str) -> Result<Self, String> {
        let bad = || part.to_owned();
        if let Some((key, set)) = part.strip_suffix(')').and_then(|part| part.split_once('(')) {
            let values = set.split(',').map(|value| value.trim().to_owned()).collect();
            return match key.split_whitespace().collect::<Vec<_>>()[..] {
                [key, "in"] => Ok(Self::In(key.to_owned(), values)),
                [key, "notin"] => Ok(Self::NotIn(key.to_owned(), values)),
                _ => Err(bad()),
            };
        }
        let word = |text: &str| match text.trim() {
            "" => Err(bad()),
            text if text.contains(char::is_whitespace) => Err(bad()),
            text => Ok(text.to_owned()),
        };
        if let Some((key, value)) = part.split_once("!=") {
            return Ok(Self::NotIn(word(key)?, vec![value.trim().to_owned()]));
        }
        if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
            return Ok(Self::In(word(key)?, vec![value.trim().to_owned()]));
        }
        match part.strip_prefix('!') {
            Some(key) => Ok(Self::Absent(word(key)?)),
            None => Ok(Self::Exists(word(part)?)),
        }
    }

    fn matches(&self, labels: &Value) -> bool {
        let is_one_of =
            |key: &String, values: &[String]| labels[key].as_str().is_some_and(|v| values.iter().any(|w| w == v));
        match self {
            Self::In(key, values) => is_one_of(key, values),
            Self::NotIn(key, values) => !is_one_of(key, values),
            Self::Exists(key) => labels.get(key).is_some(),
            Self::Absent(key) => labels.get(key).is_none(),
        }
    }
}

/// The parts between the commas that are not in brackets.
fn parts(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0_usize);
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn selectors_are_read_as_the_api_reads_them() {
        let labels = json!({ "app": "etcd", "tier": "control-plane" });
        for yes in [
            "",
            "app=etcd",
            "app==etcd,tier",
            "app in (a, etcd)",
            "app notin (a,b), tier",
            "zone!=a",
            "!zone",
            "zone notin (a)",
        ] {
            assert!(Selector::parse(yes).unwrap().matches(&labels), "{yes}");
        }
        for no in ["app=x", "app!=etcd", "zone", "!app", "app in (a,b)", "app=etcd,zone=a", "zone in (a)"] {
            assert!(!Selector::parse(no).unwrap().matches(&labels), "{no}");
        }
        for bad in ["app etcd", "app within (a)", "=x", "!"] {
            assert!(Selector::parse(bad).is_err(), "{bad}");
        }
    }
}
