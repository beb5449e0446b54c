//! From a file to a policy: what is in it, what is passed over, and what is wrong with it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::model::JoinPolicy;
use crate::config::mistake::{Mistake, Place};
use crate::config::nearest::nearest;
use crate::config::yaml::{self, Bare, Node};

/// What messages call such a file.
const NOUN: &str = "policy";

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
        Self::of_bytes(path, &yaml::read(path)?)
    }

    /// [`read`](Self::read), of a file's content.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn of_bytes(path: &Path, bytes: &[u8]) -> Result<Self, Mistake> {
        let documents = yaml::documents_of(path, bytes, NOUN)?;
        if documents.is_empty() {
            return Err(Mistake::of_file(path, "holds nothing").hint(HOW_TO_BEGIN));
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
        let policy: JoinPolicy = document.decode(path)?;
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
            if plugin.limits.nothing() {
                return Err(self.plugin_mistake(i, "limits", "with a limit of nothing it cannot be asked"));
            }
        }
        if let Some((key, what)) = spec.timeouts.trouble() {
            return Err(self.spec_mistake(&["spec", "timeouts", key], what));
        }
        if let Some((key, what)) = spec.gate.trouble() {
            return Err(self.spec_mistake(&["spec", "gate", key], what));
        }
        Ok(())
    }

    /// A mistake in what stands under these keys, `spec` the first of them.
    pub(crate) fn spec_mistake(&self, keys: &[&str], what: impl Into<String>) -> Mistake {
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
