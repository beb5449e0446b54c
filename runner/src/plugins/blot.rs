//! Secrets of a plugin, blotted out of whatever it says.
//!
//! This keeps a secret out of logs and records where a plugin is careless: an error with its URL in it, a request that is printed.
//! A plugin that means harm can always dress a secret so that nobody knows it again; what it may tell the outside is decided by
//! its grants.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use url::Url;

use super::roles::configuration_role::SettingProblem;
use super::text::{MAX_NAME, MAX_PATH, MAX_TEXT};
use crate::pipeline::{Finding, Verdict};
use crate::text::one_line;

/// The secrets of one call. Clones share them: the guest speaks by several ways.
#[derive(Clone, Debug, Default)]
pub(super) struct Blot(Arc<Mutex<Vec<Known>>>);

#[derive(Clone, PartialEq)]
struct Known {
    name: String,
    forms: Vec<String>,
}

/// Shorter ones would blot out half of every text.
const SHORTEST: usize = 4;

/// Parts of a secret (a line of a key, a part of a URL's path) are secrets of their own from this length on: what is shorter is a
/// word that stands in other texts, too.
const SHORTEST_PART: usize = 12;

impl Blot {
    /// From now on this text is a secret.
    pub(super) fn learn(&self, name: &str, secret: &str) {
        let mut forms = forms(secret);
        // The longest first: one form may be a part of another.
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        self.add(Known { name: name.to_owned(), forms });
    }

    /// Another one that knows the same, and learns for itself.
    pub(super) fn copy(&self) -> Self {
        Self(Arc::new(Mutex::new(self.known().clone())))
    }

    /// Knows what the other knows, too.
    pub(super) fn join(&self, other: &Self) {
        if !Arc::ptr_eq(&self.0, &other.0) {
            let theirs = other.known().clone();
            theirs.into_iter().for_each(|known| self.add(known));
        }
    }

    /// Whether a secret is in the bytes that this stands for.
    pub(super) fn in_base64(&self, base64: &str) -> bool {
        use base64::Engine as _;
        let Ok(bytes) = base64::engine::general_purpose::STANDARD.decode(base64) else { return false };
        let holds = |form: &String| bytes.windows(form.len().max(1)).any(|window| window == form.as_bytes());
        self.known().iter().any(|known| known.forms.iter().any(holds))
    }

    fn add(&self, new: Known) {
        let mut known = self.known();
        if !known.contains(&new) {
            known.push(new);
        }
    }

    /// The text without the secrets: `[secret NAME]` stands in their place.
    ///
    /// Finds a secret as it is, in JSON and in Rust's debug form, percent-encoded, in hex and in base64, also where it is the part
    /// of a longer text in base64; lines of a long one, and the telling parts of a URL. What a guest makes of it beyond that (a
    /// hash, one letter a line) is not found.
    pub(super) fn out(&self, text: String) -> String {
        self.known().iter().fold(text, |text, Known { name, forms }| {
            forms.iter().fold(text, |text, form| match text.contains(form.as_str()) {
                true => text.replace(form.as_str(), &format!("[secret {name}]")),
                false => text,
            })
        })
    }

    /// One harmless line of at most so many characters, without the secrets: blotted before it is cut, so that no half of a secret
    /// is left at its end, and after it was cleaned, so that none hides behind characters that are not shown.
    pub(super) fn line(&self, text: &str, most: usize) -> String {
        if self.known().is_empty() {
            return one_line(text, most);
        }
        one_line(&self.out(one_line(&self.out(text.to_owned()), usize::MAX)), most)
    }

    fn known(&self) -> MutexGuard<'_, Vec<Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Known").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What a guest said, with texts in it.
pub(super) trait Blotted {
    /// Puts each of its texts through `out`, which cleans it, blots it and cuts it to so many characters.
    fn blot(&mut self, out: &dyn Fn(&str, usize) -> String);
}

impl Blotted for () {
    fn blot(&mut self, _: &dyn Fn(&str, usize) -> String) {}
}

impl<T: Blotted> Blotted for Vec<T> {
    fn blot(&mut self, out: &dyn Fn(&str, usize) -> String) {
        self.iter_mut().for_each(|it| it.blot(out));
    }
}

impl Blotted for Finding {
    fn blot(&mut self, out: &dyn Fn(&str, usize) -> String) {
        self.code = out(&self.code, MAX_NAME);
        self.message = out(&self.message, MAX_TEXT);
        self.remedy = self.remedy.as_ref().map(|remedy| out(remedy, MAX_TEXT));
        self.member = self.member.as_ref().map(|member| out(member, MAX_NAME));
    }
}

impl Blotted for Verdict {
    fn blot(&mut self, out: &dyn Fn(&str, usize) -> String) {
        match self {
            Self::Approve => {}
            Self::Wait { reason, .. } | Self::Reject { reason } => *reason = out(reason, MAX_TEXT),
        }
    }
}

impl Blotted for SettingProblem {
    fn blot(&mut self, out: &dyn Fn(&str, usize) -> String) {
        self.path = out(&self.path, MAX_PATH);
        self.message = out(&self.message, MAX_TEXT);
    }
}

/// Everything that gives the secret away.
fn forms(secret: &str) -> Vec<String> {
    let mut plain = vec![secret.to_owned(), secret.trim().to_owned(), one_line(secret, usize::MAX)];
    plain.extend(secret.lines().map(|line| line.trim().to_owned()).filter(|line| line.len() >= SHORTEST_PART));
    plain.extend(parts_of_url(secret));
    plain.sort();
    plain.dedup();
    let mut forms: Vec<String> = plain.iter().flat_map(|text| dressed(text)).chain(plain.iter().cloned()).collect();
    forms.retain(|form| form.len() >= SHORTEST);
    forms
}

/// Where the secret is a URL: the URL as clients spell it, what comes after its host, and what in it is long enough to be a token.
fn parts_of_url(secret: &str) -> Vec<String> {
    let Ok(url) = Url::parse(secret.trim()) else { return Vec::new() };
    if !url.has_host() {
        return Vec::new();
    }
    let after_host = &url[url::Position::BeforePath..];
    let mut parts = vec![url.to_string(), after_host.to_owned()];
    parts.extend(url.path_segments().into_iter().flatten().map(str::to_owned));
    parts.extend(url.query_pairs().map(|(_, value)| value.into_owned()));
    parts.extend(url.password().map(str::to_owned));
    parts.retain(|part| part.len() >= SHORTEST_PART);
    parts
}

/// The text as others write it.
fn dressed(text: &str) -> Vec<String> {
    let json = serde_json::Value::from(text).to_string();
    let json = json[1..json.len() - 1].to_owned();
    let debug = format!("{text:?}");
    let mut forms = vec![json.replace('/', "\\/"), json, debug[1..debug.len() - 1].to_owned()];
    for keep in ["-_.~", "-_.~/", "-_.!~*'()", "-_.~/:?&=@+$,;"] {
        forms.extend([percent(text, keep, "%20", false), percent(text, keep, "%20", true), percent(text, keep, "+", false)]);
    }
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    forms.extend([hex.to_uppercase(), hex]);
    forms.extend(in_base64(text));
    forms
}

fn percent(text: &str, keep: &str, space: &str, lower: bool) -> String {
    let byte = |b: u8| match b {
        b' ' => space.to_owned(),
        b if b.is_ascii_alphanumeric() || keep.as_bytes().contains(&b) => char::from(b).to_string(),
        b if lower => format!("%{b:02x}"),
        b => format!("%{b:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// The text in base64, whole, and what of it is to be seen wherever it stands in a longer text: three bytes make four letters, so
/// there are three ways to fall into them, and the letters that its neighbours have a part in are left out.
fn in_base64(text: &str) -> Vec<String> {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

    let mut forms: Vec<String> =
        [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD].map(|engine| engine.encode(text)).into();
    for (before, shared) in [(0, 0), (1, 2), (2, 3)] {
        let padded = [&vec![0; before], text.as_bytes()].concat();
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            let letters = engine.encode(&padded);
            let end = letters.len() - usize::from(padded.len() % 3 != 0);
            // Short ones could stand in any text.
            forms.extend(letters.get(shared..end).filter(|inner| inner.len() >= 6).map(str::to_owned));
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knowing(secret: &str) -> Blot {
        let blot = Blot::default();
        blot.learn("hook", secret);
        blot
    }

    #[test]
    fn a_secret_is_found_in_its_usual_clothes() {
        let blot = knowing("https://h.example/s/\"T0k=n\"\n");
        for said in [
            "no: https://h.example/s/\"T0k=n\"",
            r#"{"url":"https://h.example/s/\"T0k=n\"\n"}"#,
            r#"{"url":"https:\/\/h.example\/s\/\"T0k=n\"\n"}"#,
            "https%3A%2F%2Fh.example%2Fs%2F%22T0k%3Dn%22%0A",
            "https%3a%2f%2fh.example%2fs%2f%22T0k%3dn%22",
            "aHR0cHM6Ly9oLmV4YW1wbGUvcy8iVDBrPW4iCg==",
        ] {
            let out = blot.out(said.to_owned());
            assert!(out.contains("[secret hook]") && !out.contains("T0k") && !out.contains("aHR0"), "{out}");
        }
        assert_eq!(blot.out("nothing here".to_owned()), "nothing here");
    }

    #[test]
    fn a_url_is_known_by_what_is_secret_in_it() {
        let blot = knowing("https://Hooks.Example.com/services/T01234567/B0123456789ABCDEF?sig=0123456789abcdef");
        for said in [
            "POST https://hooks.example.com/services/T01234567/B0123456789ABCDEF?sig=0123456789abcdef failed",
            "POST /services/T01234567/B0123456789ABCDEF?sig=0123456789abcdef failed",
            "the hook B0123456789ABCDEF is gone",
            "sig 0123456789abcdef is wrong",
        ] {
            let out = blot.out(said.to_owned());
            assert!(out.contains("[secret hook]") && !out.contains("0123456789"), "{out}");
        }
        assert_eq!(
            blot.out("cannot connect to https://hooks.example.com".to_owned()),
            "cannot connect to https://hooks.example.com"
        );
    }

    #[test]
    fn a_secret_inside_of_base64_is_found_wherever_it_stands() {
        use base64::Engine as _;
        let blot = knowing("s3cr3t-p4ssw0rd");
        for user in ["", "a:", "ab:", "abc:", "admin:"] {
            for behind in ["", "x", "xy"] {
                let basic = base64::engine::general_purpose::STANDARD.encode(format!("{user}s3cr3t-p4ssw0rd{behind}"));
                let out = blot.out(format!("Basic {basic}"));
                // At most the letter at each end is left that the neighbours have a part in.
                assert!(out.contains("[secret hook]"), "{user}: {out}");
            }
        }
        assert_eq!(blot.out("7333637233742d703473737730726400".to_owned()), "[secret hook]00");
    }

    #[test]
    fn a_line_hides_nothing_and_cuts_no_secret_in_half() {
        let blot = knowing("marker-of-a-secret");
        assert_eq!(blot.line("marker-of\u{200b}-a-\u{1b}[0msecret", 100), "[secret hook]");
        assert_eq!(blot.line("0123456789marker-of-a-secret", 16), "0123456789[secre…");
        let lines = knowing("-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nshort\n-----END KEY-----\n");
        assert_eq!(lines.line("key is MIIEvQIBADANBgkq", 100), "key is [secret hook]");
        let whole = lines.line("-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nshort\n-----END KEY-----", 100);
        assert_eq!(whole, "[secret hook]");
    }
}
