//! "Did you mean": the nearest of the names that there are.

/// The name that a person most likely meant; none where nothing is near.
pub(super) fn nearest<'a>(given: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Below this it is another word, not a slip of the finger: `limit` and `limits` are at 0.98, `grants` and `gate` at 0.75.
    const NEAR: f64 = 0.76;
    let plain = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    let given = plain(given);
    let scored = names.into_iter().map(|name| (strsim::jaro_winkler(&given, &plain(name)), name));
    scored.filter(|(score, _)| *score >= NEAR).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_other_words_are_not() {
        let names =
            ["name", "source", "digest", "settings", "grants", "limits", "failurePolicy", "mode", "order", "waivers"];
        for (given, meant) in [
            ("setings", Some("settings")),
            ("failure_policy", Some("failurePolicy")),
            ("FailurePolicy", Some("failurePolicy")),
            ("grant", Some("grants")),
            ("waiver", Some("waivers")),
            ("banana", None),
            ("", None),
        ] {
            assert_eq!(nearest(given, names), meant, "{given}");
        }
    }
}
