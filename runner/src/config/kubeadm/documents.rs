//! From a file to its documents: which there are, whose they are, and what is wrong with them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::cluster::ClusterDocument;
use super::node::NodeDocument;
use super::quantities::GoDuration;
use super::since;
use super::version::DocumentVersion;
use crate::config::mistake::{Mistake, Place};
use crate::config::nearest::nearest;
use crate::config::yaml::{self, Bare, Node};

/// What messages call such a file.
const NOUN: &str = "kubeadm configuration";
const GROUP: &str = "kubeadm.k8s.io";
const KINDS: [&str; 5] =
    ["InitConfiguration", "JoinConfiguration", "ClusterConfiguration", "ResetConfiguration", "UpgradeConfiguration"];

/// Documents that may stand in such a file and are not runner's business: group, kind, whose they are.
const OTHERS: [(&str, &str, &str); 4] = [
    ("kubelet.config.k8s.io", "KubeletConfiguration", "is kubeadm's to use, not runner's"),
    ("kubeproxy.config.k8s.io", "KubeProxyConfiguration", "is kubeadm's to use, not runner's"),
    ("kubelet.config.k8s.io", "CredentialProviderConfig", "is the kubelet's to use, not runner's"),
    ("runner.dev", "JoinPolicy", "is not read from here: give the file with --policy, too"),
];

/// What a file of kubeadm's says about this node and its cluster.
#[derive(Clone, Debug)]
pub struct Documents {
    /// The file.
    pub path: PathBuf,
    /// The InitConfiguration or the JoinConfiguration; none where there is neither.
    pub node: Option<NodeDocument>,
    /// The ClusterConfiguration; none where there is none: a joining node's file has none as a rule.
    pub cluster: Option<ClusterDocument>,
    /// What a person should know, and what is no mistake.
    pub notices: Vec<Notice>,
}

/// Something in a file that a person should know of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// With its place.
    pub text: String,
    /// What to do about it, a line each.
    pub hints: Vec<String>,
}

/// What reads one file: where it is, what it told on the way, how strict it is.
pub(super) struct Reader<'a> {
    pub(super) file: &'a Path,
    pub(super) notices: Vec<Notice>,
    lenient: bool,
}

enum Whose {
    Node(bool, DocumentVersion),
    Cluster(DocumentVersion),
    Others(String),
}

impl Documents {
    /// Reads a file.
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
        Reader { file: path, notices: Vec::new(), lenient: false }.documents(bytes)
    }

    /// The same, where a key that is not known is a notice.
    pub(super) fn lenient(path: &Path, bytes: &[u8]) -> Result<Self, Mistake> {
        Reader { file: path, notices: Vec::new(), lenient: true }.documents(bytes)
    }
}

impl Reader<'_> {
    fn documents(mut self, bytes: &[u8]) -> Result<Documents, Mistake> {
        let documents = yaml::documents_of(self.file, bytes, NOUN)?;
        let mut first: Vec<(String, u64)> = Vec::new();
        let (mut node, mut cluster) = (None, None);
        for document in &documents {
            let whose = self.whose(document)?;
            let kind = document.get("kind").and_then(Node::text).unwrap_or_default().to_owned();
            self.alone(&first, &kind, document)?;
            first.push((kind, document.place.line));
            match whose {
                Whose::Node(true, version) => node = Some(NodeDocument::init(&mut self, document, version)?),
                Whose::Node(false, version) => node = Some(NodeDocument::join(&mut self, document, version)?),
                Whose::Cluster(version) => cluster = Some(ClusterDocument::read(&mut self, document, version)?),
                Whose::Others(text) => {
                    self.notices.push(Notice::of(Mistake::of_file(self.file, text).at(document.place)));
                }
            }
        }
        if node.is_none() && cluster.is_none() {
            let what = match first.is_empty() {
                true => "holds nothing".to_owned(),
                false => {
                    let kinds: Vec<&str> = first.iter().map(|(kind, _)| kind.as_str()).collect();
                    format!("has no document about a node or its cluster in it, only {}", kinds.join(", "))
                }
            };
            return Err(Mistake::of_file(self.file, what).hint(HOW_TO_BEGIN));
        }
        Ok(Documents { path: self.file.to_owned(), node, cluster, notices: self.notices })
    }

    /// Refuses a second document of a kind, and a node that both begins a cluster and joins one.
    fn alone(&self, before: &[(String, u64)], kind: &str, document: &Node) -> Result<(), Mistake> {
        let twice = |(other, line): &(String, u64)| {
            (other == kind).then(|| {
                let what = format!("a second {kind}; the first begins in line {line}");
                (what, "one file holds one document of a kind")
            })
        };
        let node = |kind: &str| matches!(kind, "InitConfiguration" | "JoinConfiguration");
        let both = |(other, line): &(String, u64)| {
            (node(kind) && node(other)).then(|| {
                let what = format!("a {kind} beside the {other} of line {line}");
                (what, "a node begins a cluster or joins one: keep the one that is meant")
            })
        };
        match before.iter().find_map(twice).or_else(|| before.iter().find_map(both)) {
            Some((what, hint)) => Err(Mistake::of_file(self.file, what).at(document.place).hint(hint)),
            None => Ok(()),
        }
    }

    /// Whose a document is, by its version and kind; what is almost ours is a mistake.
    fn whose(&self, document: &Node) -> Result<Whose, Mistake> {
        let mistake = |what: String, at: Place| Mistake::of_file(self.file, what).at(at);
        if !matches!(document.bare, Bare::Mapping(_)) {
            return Err(mistake("this document is not a mapping".to_owned(), document.place).hint(HOW_TO_BEGIN));
        }
        let text = |key: &str| document.get(key).and_then(|node| Some((node.text()?, node.place)));
        let (Some((api_version, version_at)), Some((kind, kind_at))) = (text("apiVersion"), text("kind")) else {
            let missing = if text("kind").is_some() { "apiVersion" } else { "kind" };
            return Err(mistake(format!("this document has no `{missing}`"), document.place).hint(HOW_TO_BEGIN));
        };
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        if let Some((_, _, text)) = OTHERS.iter().find(|(g, k, _)| *g == group && *k == kind) {
            return Ok(Whose::Others(format!("this {kind} {text}")));
        }
        if group != GROUP {
            let near = nearest(group, [GROUP]).is_some() || KINDS.contains(&kind);
            let hint = if near { "did you mean `kubeadm.k8s.io/v1beta4`?" } else { "take it out of the file" };
            return Err(mistake(format!("runner does not know the kind `{kind}` of `{api_version}`"), version_at).hint(hint));
        }
        let version = match DocumentVersion::ALL.into_iter().find(|known| known.name() == version) {
            Some(version) => version,
            None => return Err(self.unknown_version(api_version, version).at(version_at)),
        };
        match kind {
            "InitConfiguration" => Ok(Whose::Node(true, version)),
            "JoinConfiguration" => Ok(Whose::Node(false, version)),
            "ClusterConfiguration" => Ok(Whose::Cluster(version)),
            "ResetConfiguration" | "UpgradeConfiguration" if version == DocumentVersion::V1Beta4 => {
                Ok(Whose::Others(format!("this {kind} is for other commands of kubeadm; runner does not use it")))
            }
            other => {
                let hint = match nearest(other, KINDS) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("there are {}", KINDS.join(", ")),
                };
                Err(mistake(format!("`{api_version}` has no kind `{other}`"), kind_at).hint(hint))
            }
        }
    }

    fn unknown_version(&self, api_version: &str, version: &str) -> Mistake {
        let mistake = |what: String| Mistake::of_file(self.file, what);
        // By kubeadm's own table of retired versions.
        let last = match version {
            "v1alpha1" => Some("1.11"),
            "v1alpha2" => Some("1.12"),
            "v1alpha3" => Some("1.14"),
            "v1beta1" => Some("1.15"),
            "v1beta2" => Some("1.22"),
            _ => None,
        };
        match last {
            Some(last) => mistake(format!("`{api_version}` is too old for runner and for every kubeadm that it works with"))
                .hint(format!("kubeadm {last} renews it: `kubeadm config migrate --old-config FILE --new-config NEW`")),
            None => mistake(format!("this runner does not know `{api_version}`"))
                .hint("it knows `kubeadm.k8s.io/v1beta3` and `kubeadm.k8s.io/v1beta4`"),
        }
    }

    /// A document as a type, with no key that its version does not have.
    pub(super) fn decode<T: DeserializeOwned>(
        &mut self,
        document: &Node,
        kind: &str,
        version: DocumentVersion,
    ) -> Result<T, Mistake> {
        since::check(self.file, document, kind, version)?;
        if !self.lenient {
            return document.decode(self.file);
        }
        let mut document = document.clone();
        loop {
            match document.decode_or_unknown(self.file) {
                Ok(decoded) => return Ok(decoded),
                Err((mistake, unknown)) if unknown && document.remove(&mistake) => {
                    self.notices.push(Notice::of(Mistake { hints: Vec::new(), ..*mistake }));
                }
                Err((mistake, _)) => return Err(*mistake),
            }
        }
    }

    /// A mistake in the value under these keys.
    pub(super) fn at(&self, document: &Node, keys: &[&str], what: impl Into<String>) -> Mistake {
        let value = keys.iter().try_fold(document, |node, key| node.get(key));
        let mut mistake = Mistake::of_file(self.file, what);
        (mistake.place, mistake.path) = (value.map(|node| node.place), keys.join("."));
        mistake
    }

    /// A mistake in an item: number `i` (from 0) of a list, the one under `key` of a mapping.
    pub(super) fn at_item(&self, document: &Node, keys: &[&str], i: usize, key: &str, what: impl Into<String>) -> Mistake {
        let mut mistake = self.at(document, keys, what);
        match keys.iter().try_fold(document, |node, key| node.get(key)).map(|node| &node.bare) {
            Some(Bare::List(items)) => {
                mistake.place = items.get(i).map(|item| item.place).or(mistake.place);
                mistake.path = format!("{}[{i}]", mistake.path);
            }
            Some(Bare::Mapping(entries)) => {
                mistake.place = entries.iter().find(|(k, _)| k.text == key).map(|(k, _)| k.place).or(mistake.place);
            }
            _ => {}
        }
        mistake
    }

    /// A time that is not nothing.
    pub(super) fn time(
        &self,
        document: &Node,
        keys: &[&str],
        time: Option<GoDuration>,
    ) -> Result<Option<Duration>, Mistake> {
        match time {
            Some(GoDuration(Duration::ZERO)) => Err(self.at(document, keys, "without any time it cannot be done")),
            other => Ok(other.map(|time| time.0)),
        }
    }

    /// A folder by its absolute path. An empty text is none, as with kubeadm.
    pub(super) fn folder(&self, document: &Node, keys: &[&str], path: Option<String>) -> Result<Option<PathBuf>, Mistake> {
        match path.filter(|path| !path.is_empty()).map(PathBuf::from) {
            Some(path) if !path.is_absolute() => {
                let what = format!("{:?} is not an absolute path", path.display().to_string());
                Err(self.at(document, keys, what).hint("write it from the root: `/…`"))
            }
            other => Ok(other),
        }
    }
}

impl Notice {
    /// Of a mistake that is none.
    pub(super) fn of(mistake: Mistake) -> Self {
        Self { text: mistake.to_string(), hints: mistake.hints }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

const HOW_TO_BEGIN: &str =
    "kubeadm's documents begin with `apiVersion: kubeadm.k8s.io/v1beta4` and, for example, `kind: JoinConfiguration`";
