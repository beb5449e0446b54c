//! What the API holds: objects, the revision of each, and the changes that watchers are told.

use std::collections::{BTreeMap, VecDeque};

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use super::kinds::Kind;

/// How many changes are remembered. A watch from before them is told 410, as after a compaction.
const REMEMBERED: usize = 1_000;

/// Where an object is: group, plural, namespace (empty without one) and name. In the API's order of lists.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) group: &'static str,
    pub(super) plural: &'static str,
    pub(super) namespace: String,
    pub(super) name: String,
}

impl Key {
    pub(super) fn of(kind: &Kind, namespace: &str, name: &str) -> Self {
        Self { group: kind.kept_as(), plural: kind.plural, namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// Whether it is of this kind, and in this namespace if one is named.
    pub(super) fn is_in(&self, kind: &Kind, namespace: Option<&str>) -> bool {
        (self.group, self.plural) == (kind.kept_as(), kind.plural) && namespace.is_none_or(|n| n == self.namespace)
    }
}

/// One change: the object before (none if it is new) and after (none if it is gone).
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) revision: u64,
    pub(super) key: Key,
    pub(super) before: Option<Value>,
    pub(super) after: Option<Value>,
}

/// The objects and their history.
#[derive(Debug, Default)]
pub(super) struct Store {
    objects: BTreeMap<Key, Value>,
    revision: u64,
    changes: VecDeque<Change>,
    /// The newest revision whose change was forgotten.
    forgotten: u64,
}

impl Store {
    /// The revision of the last change.
    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Value> {
        self.objects.get(key)
    }

    /// The objects of a kind, in one namespace or in all.
    pub(super) fn all<'a>(
        &'a self,
        kind: &'a Kind,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a Key, &'a Value)> {
        self.objects.iter().filter(move |(key, _)| key.is_in(kind, namespace))
    }

    /// The keys of everything in a namespace.
    pub(super) fn in_namespace(&self, namespace: &str) -> Vec<Key> {
        self.objects.keys().filter(|k| k.namespace == namespace).cloned().collect()
    }

    /// Puts an object there with a new resourceVersion, which it gets, and tells the watchers.
    pub(super) fn put(&mut self, key: Key, mut object: Value) -> Value {
        self.revision += 1;
        object["metadata"]["resourceVersion"] = json!(self.revision.to_string());
        let before = self.objects.insert(key.clone(), object.clone());
        self.remember(Change { revision: self.revision, key, before, after: Some(object.clone()) });
        object
    }

    /// Takes an object away and tells the watchers.
    pub(super) fn remove(&mut self, key: &Key) -> Option<Value> {
        let object = self.objects.remove(key)?;
        self.revision += 1;
        let before = Some(object.clone());
        self.remember(Change { revision: self.revision, key: key.clone(), before, after: None });
        Some(object)
    }

    /// The changes after a revision; none if some of them are forgotten.
    pub(super) fn since(&self, revision: u64) -> Option<impl Iterator<Item = &Change>> {
        (revision >= self.forgotten).then(|| self.changes.iter().filter(move |c| c.revision > revision))
    }

    /// The oldest revision that a watch may start from.
    pub(super) fn oldest(&self) -> u64 {
        self.forgotten
    }

    /// Forgets all changes so far, as a compaction does.
    pub(super) fn forget(&mut self) {
        self.changes.clear();
        self.forgotten = self.revision;
    }

    fn remember(&mut self, change: Change) {
        self.changes.push_back(change);
        while self.changes.len() > REMEMBERED {
            self.forgotten = self.changes.pop_front().map_or(self.forgotten, |c| c.revision);
        }
    }
}

/// What every new object is given: a uid and the time, unless it has them.
pub(super) fn born(object: &mut Value) {
    let metadata = &mut object["metadata"];
    if metadata["uid"].is_null() {
        metadata["uid"] = json!(uuid::Uuid::now_v7().to_string());
    }
    if metadata["creationTimestamp"].is_null() {
        metadata["creationTimestamp"] = json!(now());
    }
}

/// The end of a generated name: five letters and digits that spell no words, as Kubernetes has them.
pub(super) fn suffix() -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut rng = SmallRng::from_os_rng();
    (0..5).map(|_| char::from(LETTERS[rng.random_range(0..LETTERS.len())])).collect()
}

/// The time, in whole seconds.
pub(super) fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
