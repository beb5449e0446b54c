//! Secrets that a guest has seen in a call, blotted out of whatever it says.

use std::sync::{Arc, Mutex, PoisonError};

use super::roles::configuration_role::Problem;
use crate::pipeline::{Finding, Verdict};

/// The secrets of one call. Clones share them: the guest speaks by several ways.
#[derive(Clone, Debug, Default)]
pub(super) struct Blot(Arc<Mutex<Vec<Known>>>);

#[derive(Clone, Debug, PartialEq)]
struct Known {
    name: String,
    forms: Vec<String>,
}

/// Shorter ones would blot out half of every text.
const SHORTEST: usize = 4;

impl Blot {
    /// From now on this text is a secret.
    pub(super) fn learn(&self, name: &str, secret: &str) {
        let mut forms = forms(secret);
        // The longest first: one form may be a part of another.
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        forms.dedup();
        self.add(Known { name: name.to_owned(), forms });
    }

    /// Knows what the other knows, too.
    pub(super) fn join(&self, other: &Self) {
        if !Arc::ptr_eq(&self.0, &other.0) {
            let theirs = other.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
            theirs.into_iter().for_each(|known| self.add(known));
        }
    }

    /// Whether a secret is in the bytes that this stands for.
    pub(super) fn in_base64(&self, base64: &str) -> bool {
        use base64::Engine as _;
        let Ok(bytes) = base64::engine::general_purpose::STANDARD.decode(base64) else { return false };
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let holds = |form: &String| bytes.windows(form.len().max(1)).any(|window| window == form.as_bytes());
        known.iter().any(|known| known.forms.iter().any(holds))
    }

    fn add(&self, new: Known) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.contains(&new) {
            known.push(new);
        }
    }

    /// The text without the secrets: `[secret NAME]` stands in their place.
    ///
    /// Finds a secret as it is, as a JSON string has it, percent-encoded and in base64. What a guest makes of it beyond that (a
    /// hash, one letter a line) is not found.
    pub(super) fn out(&self, text: String) -> String {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().fold(text, |text, Known { name, forms }| {
            forms.iter().fold(text, |text, form| match text.contains(form.as_str()) {
                true => text.replace(form.as_str(), &format!("[secret {name}]")),
                false => text,
            })
        })
    }
}

/// What a guest said, with texts in it.
pub(super) trait Blotted {
    /// Puts each of its texts through `out`.
    fn blot(&mut self, out: &dyn Fn(String) -> String);
}

impl Blotted for () {
    fn blot(&mut self, _: &dyn Fn(String) -> String) {}
}

impl Blotted for String {
    fn blot(&mut self, out: &dyn Fn(String) -> String) {
        *self = out(std::mem::take(self));
    }
}

impl<T: Blotted> Blotted for Option<T> {
    fn blot(&mut self, out: &dyn Fn(String) -> String) {
        self.iter_mut().for_each(|it| it.blot(out));
    }
}

impl<T: Blotted> Blotted for Vec<T> {
    fn blot(&mut self, out: &dyn Fn(String) -> String) {
        self.iter_mut().for_each(|it| it.blot(out));
    }
}

impl Blotted for Finding {
    fn blot(&mut self, out: &dyn Fn(String) -> String) {
        self.code.blot(out);
        self.message.blot(out);
        self.remedy.blot(out);
        self.member.blot(out);
    }
}

impl Blotted for Verdict {
    fn blot(&mut self, out: &dyn Fn(String) -> String) {
        match self {
            Self::Approve => {}
            Self::Wait { reason, .. } | Self::Reject { reason } => reason.blot(out),
        }
    }
}

impl Blotted for Problem {
    fn blot(&mut self, out: &dyn Fn(String) -> String) {
        self.path.blot(out);
        self.message.blot(out);
    }
}

fn forms(secret: &str) -> Vec<String> {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

    let json = serde_json::Value::from(secret).to_string();
    let percent = |keep: &str| -> String {
        let byte = |b: u8| match b.is_ascii_alphanumeric() || keep.as_bytes().contains(&b) {
            true => char::from(b).to_string(),
            false => format!("%{b:02X}"),
        };
        secret.bytes().map(byte).collect()
    };
    let mut forms = vec![secret.to_owned(), secret.trim().to_owned(), json[1..json.len() - 1].to_owned()];
    forms.extend([percent("-_.~"), percent("-_.~/"), percent("-_.!~*'()")]);
    forms.extend([STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD].map(|engine| engine.encode(secret)));
    forms.retain(|form| form.len() >= SHORTEST);
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_its_usual_clothes() {
        let blot = Blot::default();
        blot.learn("hook", "https://h.example/s/\"T0k=n\"\n");
        for said in [
            "no: https://h.example/s/\"T0k=n\"",
            r#"{"url":"https://h.example/s/\"T0k=n\"\n"}"#,
            "https%3A%2F%2Fh.example%2Fs%2F%22T0k%3Dn%22%0A",
            "aHR0cHM6Ly9oLmV4YW1wbGUvcy8iVDBrPW4iCg==",
        ] {
            let out = blot.out(said.to_owned());
            assert!(out.contains("[secret hook]") && !out.contains("T0k") && !out.contains("aHR0"), "{out}");
        }
        assert_eq!(blot.out("nothing here".to_owned()), "nothing here");
    }
}
