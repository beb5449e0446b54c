//! From a file to a policy: what is in it, what is passed over, and what is wrong with it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_path_to_error::Path as KeyPath;

use super::error::{Mistake, Place};
use super::model::JoinPolicy;
use super::names::explain;
use super::nearest::nearest;
use super::quantity::Span;
use super::yaml::{self, Bare, Node};

/// The largest policy file. One with a hundred plugins has some 50 KiB.
pub const MAX_SIZE: u64 = 1 << 20;

/// A policy, and the file that it comes from.
#[derive(Clone, Debug)]
pub struct PolicyFile {
    /// The file.
    pub path: PathBuf,
    /// What it says.
    pub policy: JoinPolicy,
    /// Documents of other kinds in the same file.
    pub passed_over: Vec<PassedOver>,
    document: Node,
}

/// A document that is somebody else's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver {
    /// Its kind.
    pub kind: String,
    /// Where it begins.
    pub line: u64,
}

impl PolicyFile {
    /// Reads a policy file. Opens none of the plugins that it names.
    ///
    /// # Errors
    ///
    /// The first mistake in it, with its place.
    pub fn read(path: &Path) -> Result<Self, Mistake> {
        let unreadable = |error: std::io::Error| Mistake::of_file(path, format!("cannot be read: {error}"));
        // Before it is opened: opening a pipe would wait for its writer.
        if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
            return Err(Mistake::of_file(path, "is not a file"));
        }
        let mut bytes = Vec::new();
        File::open(path).map_err(unreadable)?.take(MAX_SIZE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        Self::of_bytes(path, &bytes)
    }

    /// [`read`](Self::read), of a file's content.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn of_bytes(path: &Path, bytes: &[u8]) -> Result<Self, Mistake> {
        let mistake = |what: &str| Mistake::of_file(path, what);
        if bytes.len() as u64 > MAX_SIZE {
            return Err(mistake("is larger than 1 MiB, which no policy needs").hint("is it the right file?"));
        }
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let place = place_of(&bytes[..error.valid_up_to()]);
            mistake("is not text in UTF-8").at(place).hint("save it as UTF-8")
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let documents = yaml::documents(text).map_err(|not| {
            let mistake = mistake(&not.what).at(not.place);
            let tab = indented_by_tab(text, not.place.line);
            if tab { mistake.hint("YAML does not take tabs for indentation: use spaces") } else { mistake }
        })?;
        if documents.is_empty() {
            return Err(mistake("holds nothing").hint(HOW_TO_BEGIN));
        }
        Self::of_documents(path, documents)
    }

    fn of_documents(path: &Path, documents: Vec<Node>) -> Result<Self, Mistake> {
        let (mut ours, mut passed_over): (Option<Node>, Vec<PassedOver>) = (None, Vec::new());
        for document in documents {
            match whose(path, &document)? {
                Whose::Theirs(kind) => passed_over.push(PassedOver { kind, line: document.place.line }),
                Whose::Ours => {
                    if let Some(first) = &ours {
                        let what = format!("a second JoinPolicy; the first begins in line {}", first.place.line);
                        let mistake = Mistake::of_file(path, what).at(document.place);
                        return Err(mistake.hint("one file holds one policy: put the plugins of both into one list"));
                    }
                    ours = Some(document);
                }
            }
        }
        let Some(document) = ours else {
            let kinds: Vec<&str> = passed_over.iter().map(|other| other.kind.as_str()).collect();
            let what = format!("has no JoinPolicy in it, only {}", kinds.join(", "));
            return Err(Mistake::of_file(path, what).hint(HOW_TO_BEGIN));
        };
        let policy = serde_path_to_error::deserialize::<_, JoinPolicy>(document.value()).map_err(|error| {
            let (what, hint) = explain(&error.inner().to_string());
            let at_key = what.starts_with("there is no key");
            let mut mistake = Mistake::of_file(path, what).at(document.find(error.path(), at_key));
            mistake.path = path_text(error.path());
            mistake.hints.extend(hint);
            mistake
        })?;
        let file = Self { path: path.to_owned(), policy, passed_over, document };
        file.check()?;
        Ok(file)
    }

    /// The folder that relative paths count from.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// A mistake in what plugin number `plugin` (from 0) says under `key`.
    pub fn plugin_mistake(&self, plugin: usize, key: &str, what: impl Into<String>) -> Mistake {
        let entry = self.document.get("spec").and_then(|spec| match &spec.get("plugins")?.bare {
            Bare::List(plugins) => plugins.get(plugin),
            _ => None,
        });
        let place = entry.map(|entry| entry.get(key).map_or(entry.place, |value| value.place));
        let mut mistake = Mistake::of_file(&self.path, what);
        (mistake.place, mistake.path) = (place, format!("spec.plugins[{plugin}].{key}"));
        mistake
    }

    /// What no type can say: names that are taken, numbers that cannot work.
    fn check(&self) -> Result<(), Mistake> {
        let spec = &self.policy.spec;
        let mut names = BTreeMap::new();
        for (i, plugin) in spec.plugins.iter().enumerate() {
            if let Some(name) = &plugin.name
                && let Some(first) = names.insert(name, i)
            {
                return Err(self
                    .plugin_mistake(i, "name", format!("{} is the name of spec.plugins[{first}] already", name.0))
                    .hint("the name is how verdicts and flags refer to it: give each plugin its own"));
            }
            let limits = &plugin.limits;
            let zero = |span: Option<Span>| span.is_some_and(|s| s.0.is_zero());
            let none = zero(limits.cpu) || zero(limits.wall);
            if none || [limits.memory, limits.bytes].into_iter().flatten().any(|q| q.0 == 0) {
                return Err(self.plugin_mistake(i, "limits", "with a limit of nothing it cannot be asked"));
            }
        }
        for (key, span, may_be_zero) in spec.timeouts.given() {
            if span.0.is_zero() && !may_be_zero {
                return Err(self.spec_mistake(&["spec", "timeouts", key], "without any time it cannot be done"));
            }
        }
        let too_often = spec.gate.interval.is_some_and(|s| s.0 < std::time::Duration::from_millis(10));
        if too_often {
            return Err(self.spec_mistake(
                &["spec", "gate", "interval"],
                "10ms is the least: each sample is two requests to the cluster",
            ));
        }
        Ok(())
    }

    fn spec_mistake(&self, keys: &[&str], what: &str) -> Mistake {
        let value = keys.iter().try_fold(&self.document, |node, key| node.get(key));
        let mut mistake = Mistake::of_file(&self.path, what);
        mistake.place = value.map(|node| node.place);
        mistake.path = keys.join(".");
        mistake
    }
}

const HOW_TO_BEGIN: &str = "a policy begins with `apiVersion: runner.dev/v1alpha1` and `kind: JoinPolicy`";

enum Whose {
    Ours,
    /// Of this kind.
    Theirs(String),
}

/// Whether a document is a policy, by its kind and version; what is almost one is a mistake, not somebody else's.
fn whose(path: &Path, document: &Node) -> Result<Whose, Mistake> {
    let mistake = |what: String, at: Place| Mistake::of_file(path, what).at(at);
    if !matches!(document.bare, Bare::Mapping(_)) {
        return Err(mistake("this document is not a mapping".to_owned(), document.place).hint(HOW_TO_BEGIN));
    }
    let text = |key: &str| document.get(key).and_then(|node| Some((node.text()?, node.place)));
    let (Some((version, version_at)), Some((kind, kind_at))) = (text("apiVersion"), text("kind")) else {
        let missing = if text("kind").is_some() { "apiVersion" } else { "kind" };
        return Err(mistake(format!("this document has no `{missing}`"), document.place).hint(HOW_TO_BEGIN));
    };
    let group = version.split('/').next().unwrap_or_default();
    match (group, kind) {
        ("runner.dev", JoinPolicy::KIND) if version == JoinPolicy::API_VERSION => Ok(Whose::Ours),
        ("runner.dev", JoinPolicy::KIND) => Err(mistake(format!("this runner does not know `{version}`"), version_at)
            .hint(format!("it knows `{}`", JoinPolicy::API_VERSION))),
        ("runner.dev", other) => {
            Err(mistake(format!("there is no kind `{other}`"), kind_at).hint("did you mean `JoinPolicy`?"))
        }
        (_, JoinPolicy::KIND) => Err(mistake(format!("a JoinPolicy of `{version}` is not runner's"), version_at)
            .hint(format!("did you mean `{}`?", JoinPolicy::API_VERSION))),
        (_, other) if nearest(group, ["runner.dev"]).is_some() && nearest(other, [JoinPolicy::KIND]).is_some() => {
            Err(mistake(format!("`{other}` of `{version}` is nobody's kind"), kind_at).hint(HOW_TO_BEGIN))
        }
        (_, other) => Ok(Whose::Theirs(other.to_owned())),
    }
}

fn path_text(path: &KeyPath) -> String {
    let text = path.to_string();
    if text == "." { String::new() } else { text }
}

/// The place after this text.
fn place_of(before: &[u8]) -> Place {
    let text = String::from_utf8_lossy(before);
    let line = text.lines().last().filter(|_| !text.ends_with('\n')).unwrap_or_default();
    Place { line: text.matches('\n').count() as u64 + 1, column: line.chars().count() as u64 + 1 }
}

/// Whether this line, or the one before it, begins with a tab: the parser stumbles there or a line later.
fn indented_by_tab(text: &str, line: u64) -> bool {
    let line = usize::try_from(line).unwrap_or(usize::MAX);
    text.lines().take(line).skip(line.saturating_sub(2)).any(|l| l.trim_start_matches(' ').starts_with('\t'))
}
