//! `plugins.lock`: what a person accepted, plugin by plugin.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Digest, SupplyError};
use crate::text::one_line;

/// The file's name in the store.
pub(super) const FILE: &str = "plugins.lock";

/// Largest lock that is read: thousands of plugins.
pub(super) const MAX_SIZE: u64 = 4 << 20;

/// The form that this runner writes.
const VERSION: u32 = 1;

/// What the last line begins with.
const SEAL: &str = "# seal: ";

const HEADER: &str =
    "# What was accepted, by `runner plugin add` and `runner plugin update`. Not to be edited: it is sealed.\n";

/// The lock: accepted plugins, sorted by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    entries: Vec<Entry>,
}

/// One accepted plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Where it came from: an absolute path, or `oci://…`.
    pub source: String,
    /// The digest of its manifest in the registry; none for a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Digest>,
    /// The digest of the component.
    pub digest: Digest,
    /// The component's size in bytes.
    pub size: u64,
    /// The version of the contract that it was built against.
    pub contract: String,
    /// The interfaces that it imported when it was accepted, sorted: it is granted no others.
    pub imports: Vec<String>,
    /// Who signed it; none where no signature was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<Signer>,
}

/// Who signed a plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Signer {
    /// The public key's fingerprint: SHA-256 of its DER form.
    pub key: Digest,
    /// The digest of the signature that is kept in the store.
    pub signature: Digest,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    plugins: Vec<Entry>,
}

/// What of a lock is understood whatever its version.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

impl Lock {
    /// The accepted plugins, by name.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The plugin of this name.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// Adds a plugin, or replaces the one of its name.
    pub(super) fn put(&mut self, entry: Entry) {
        self.remove(&entry.name.clone());
        self.entries.push(entry);
        self.entries.sort_by(|a, b| a.name.cmp(&b.name));
    }

    /// Takes a plugin out.
    pub(super) fn remove(&mut self, name: &str) -> Option<Entry> {
        let at = self.entries.iter().position(|entry| entry.name == name)?;
        Some(self.entries.remove(at))
    }

    /// The lock as text, with its seal.
    pub(super) fn to_text(&self) -> String {
        let document = Document { version: VERSION, plugins: self.entries.clone() };
        let mut text = HEADER.to_owned() + &serde_json::to_string_pretty(&document).unwrap_or_default();
        text.push('\n');
        let seal = Digest::of(text.as_bytes());
        text + &format!("{SEAL}{seal}\n")
    }

    /// Reads a lock. The seal shows that it is as runner wrote it; it keeps nobody out who may write to the store.
    ///
    /// # Errors
    ///
    /// It is not a lock, of a newer version, or was changed by something else. `path` is for the message.
    pub(super) fn parse(bytes: &[u8], path: &Path) -> Result<Self, SupplyError> {
        let bad = |reason: String| SupplyError::BadLock { path: path.to_owned(), reason };
        let text = std::str::from_utf8(bytes).map_err(|_| bad("it is not text".to_owned()))?;
        let at = text.rfind(SEAL).filter(|at| *at == 0 || text[..*at].ends_with('\n'));
        let at = at.ok_or_else(|| bad("it has no seal; it may be cut off".to_owned()))?;
        let (content, seal) = (&text[..at], text[at + SEAL.len()..].trim_end());
        let json: String = content.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
        let unreadable = |e: serde_json::Error| bad(one_line(&e.to_string(), 200));
        let Versioned { version } = serde_json::from_str(&json).map_err(unreadable)?;
        if version > VERSION {
            return Err(SupplyError::NewerLock { path: path.to_owned(), found: version, known: VERSION });
        }
        if seal.parse::<Digest>().ok() != Some(Digest::of(content.as_bytes())) {
            return Err(SupplyError::BrokenSeal(path.to_owned()));
        }
        let document: Document = serde_json::from_str(&json).map_err(unreadable)?;
        let mut lock = Self::default();
        for entry in document.plugins {
            if !is_name(&entry.name) {
                return Err(bad(format!("{:?} cannot be a plugin's name", one_line(&entry.name, 80))));
            }
            if lock.get(&entry.name).is_some() {
                return Err(bad(format!("it has {} twice", entry.name)));
            }
            lock.put(entry);
        }
        Ok(lock)
    }
}

/// Whether a plugin can have this name: it is part of messages, settings and file names.
pub(super) fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::supply) fn entry(name: &str) -> Entry {
        Entry {
            name: name.into(),
            source: format!("oci://r.example/{name}:1.0"),
            manifest: Some(Digest::of(b"manifest")),
            digest: Digest::of(b"component"),
            size: 9,
            contract: "0.1.1".into(),
            imports: vec!["runner:plugin/facts@0.1.1".into()],
            signer: Some(Signer { key: Digest::of(b"key"), signature: Digest::of(b"signature") }),
        }
    }

    fn parse(text: &str) -> Result<Lock, SupplyError> {
        Lock::parse(text.as_bytes(), Path::new("plugins.lock"))
    }

    fn sealed(content: &str) -> String {
        format!("{content}{SEAL}{}\n", Digest::of(content.as_bytes()))
    }

    #[test]
    fn what_was_written_is_read_again() {
        let mut lock = Lock::default();
        assert_eq!(parse(&lock.to_text()).unwrap(), lock);
        lock.put(entry("b"));
        lock.put(Entry { signer: None, manifest: None, source: "/a \"b\"\n.wasm".into(), ..entry("a") });
        assert_eq!(parse(&lock.to_text()).unwrap(), lock);
        assert_eq!(lock.entries().iter().map(|e| e.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        lock.put(Entry { size: 10, ..entry("b") });
        assert_eq!((lock.entries().len(), lock.get("b").unwrap().size), (2, 10));
        assert!(lock.remove("b").is_some() && lock.remove("b").is_none());
    }

    #[test]
    fn each_broken_lock_has_its_own_message() {
        let mut lock = Lock::default();
        lock.put(entry("a"));
        let text = lock.to_text();
        let why = |text: &str| parse(text).unwrap_err().to_string();
        assert!(why("").contains("no seal"));
        assert!(why(&text[..text.len() / 2]).contains("no seal"));
        assert!(why("\u{0}\u{1}").contains("no seal"));
        assert!(Lock::parse(&[0xff, 0xfe], Path::new("l")).unwrap_err().to_string().contains("not text"));
        assert!(why(&sealed("garbage\n")).contains("not a lock that runner wrote"));
        assert!(why(&text.replace("0.1.1", "0.1.9")).contains("its seal does not fit"));
        assert!(
            why(&sealed("{\"version\": 2, \"plugins\": {}}\n")).contains("of version 2, and this runner knows version 1")
        );
        let content = &text[..text.rfind(SEAL).unwrap()];
        assert!(
            why(&sealed(&content.replace("\"name\": \"a\"", "\"name\": \"../a\""))).contains("cannot be a plugin's name")
        );
        assert!(why(&sealed(&content.replace("\"size\"", "\"sizes\""))).contains("unknown field `sizes`"));
    }
}
