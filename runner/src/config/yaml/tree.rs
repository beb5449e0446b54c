//! YAML as a tree that knows where each value stands.
//!
//! Deserialising straight into the model would lose the places of all that is right, and a mistake is often between two values
//! that are right each for itself.

use std::fmt;
use std::path::Path as FilePath;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_path_to_error::{Path, Segment};
use serde_saphyr::{Budget, Options, Spanned};

use super::decode::Decoder;
use crate::config::explain::explain;
use crate::config::mistake::{Mistake, Place};

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::config) struct Node {
    pub(in crate::config) place: Place,
    pub(in crate::config) bare: Bare,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::config) enum Bare {
    Scalar(Value),
    List(Vec<Node>),
    Mapping(Vec<(Key, Node)>),
}

/// A mapping's key and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::config) struct Key {
    pub(in crate::config) place: Place,
    pub(in crate::config) text: String,
}

/// What is wrong with a text that is no YAML, or more than we take.
pub(in crate::config) struct NotYaml {
    pub(in crate::config) place: Place,
    pub(in crate::config) what: String,
}

/// Reads every document of a text. An empty document is none. `noun` is what messages call such a file.
pub(in crate::config) fn documents(text: &str, noun: &str) -> Result<Vec<Node>, NotYaml> {
    serde_saphyr::from_multiple_with_options(text, options()).map_err(|error| {
        let place = error.location().map_or(Place::START, |at| Place { line: at.line().max(1), column: at.column().max(1) });
        NotYaml { place, what: what(error.without_snippet(), noun) }
    })
}

/// Tight: these files are written by people. What aliases unfold to counts like what is written out.
fn options() -> Options {
    let budget = Budget {
        max_events: 100_000,
        max_aliases: 1000,
        max_anchors: 1000,
        max_depth: 64,
        max_documents: 100,
        max_nodes: 50_000,
        max_merge_keys: 1000,
        enforce_alias_anchor_ratio: false,
        ..Budget::default()
    };
    let mut options = Options { budget: Some(budget), ..Options::default() };
    options.alias_limits.max_total_replayed_events = 20_000;
    options.alias_limits.max_replay_stack_depth = 16;
    // `yes`, `on` and `y` are texts, as in YAML 1.2.
    options.strict_booleans = true;
    options.with_snippet = false;
    options
}

/// The library's words in ours.
fn what(error: &serde_saphyr::Error, noun: &str) -> String {
    use serde_saphyr::Error;
    use serde_saphyr::budget::BudgetBreach;
    match error {
        Error::Message { msg, .. } if msg.contains("alias replay") => {
            format!("its aliases unfold to more than a {noun} can hold")
        }
        Error::Message { msg, .. } => match msg.strip_prefix("duplicate mapping key: ") {
            Some(key) => format!("the key `{key}` stands here twice"),
            None => format!("not valid YAML: {msg}"),
        },
        Error::Budget { breach, .. } => match breach {
            BudgetBreach::Depth { .. } => "it is nested more than 64 levels deep".to_owned(),
            BudgetBreach::Aliases { .. } | BudgetBreach::Anchors { .. } | BudgetBreach::MergeKeys { .. } => {
                format!("it has more anchors and aliases than a {noun} can hold")
            }
            _ => format!("it has more values than a {noun} can hold"),
        },
        Error::Eof { .. } => "not valid YAML: it ends too early".to_owned(),
        Error::UnknownAnchor { .. } => "not valid YAML: there is no anchor of this name before here".to_owned(),
        other => {
            let text = other.to_string();
            let bare = text.rsplit_once(" at line ").map_or(text.as_str(), |(bare, _)| bare);
            format!("not valid YAML: {bare}")
        }
    }
}

impl Node {
    /// The value under this key.
    pub(in crate::config) fn get(&self, key: &str) -> Option<&Self> {
        match &self.bare {
            Bare::Mapping(entries) => entries.iter().find(|(k, _)| k.text == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The text, if it is one.
    pub(in crate::config) fn text(&self) -> Option<&str> {
        match &self.bare {
            Bare::Scalar(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// Without places.
    pub(in crate::config) fn value(&self) -> Value {
        match &self.bare {
            Bare::Scalar(value) => value.clone(),
            Bare::List(items) => items.iter().map(Self::value).collect(),
            Bare::Mapping(entries) => {
                Value::Object(entries.iter().map(|(k, v)| (k.text.clone(), v.value())).collect::<Map<_, _>>())
            }
        }
    }

    /// The value as a type, or the first thing in it that does not fit, with its place in this file.
    pub(in crate::config) fn decode<T: DeserializeOwned>(&self, file: &FilePath) -> Result<T, Mistake> {
        self.decode_or_unknown(file).map_err(|(mistake, _)| *mistake)
    }

    /// The same; and whether what does not fit is a key that is not known.
    pub(in crate::config) fn decode_or_unknown<T: DeserializeOwned>(
        &self,
        file: &FilePath,
    ) -> Result<T, (Box<Mistake>, bool)> {
        serde_path_to_error::deserialize(Decoder(self)).map_err(|error| {
            let (what, hint) = explain(&error.inner().to_string());
            let at_key = what.starts_with("there is no key");
            let mut mistake = Mistake::of_file(file, what).at(self.find(error.path(), at_key));
            let path = error.path().to_string();
            mistake.path = if path == "." { String::new() } else { path };
            mistake.hints.extend(hint);
            (Box::new(mistake), at_key)
        })
    }

    /// Where the key is that this path ends in; none where there is none. A key without a value is as good as none.
    pub(in crate::config) fn key_place(&self, path: &[&str]) -> Option<Place> {
        let (last, before) = path.split_last()?;
        let Bare::Mapping(entries) = &before.iter().try_fold(self, |node, key| node.get(key))?.bare else { return None };
        let (key, value) = entries.iter().find(|(k, _)| k.text == *last)?;
        (value.bare != Bare::Scalar(Value::Null)).then_some(key.place)
    }

    /// Takes the key away at which this mistake is. False where there is none.
    pub(in crate::config) fn remove(&mut self, mistake: &Mistake) -> bool {
        match &mut self.bare {
            Bare::Scalar(_) => false,
            Bare::List(items) => items.iter_mut().any(|item| item.remove(mistake)),
            Bare::Mapping(entries) => {
                let before = entries.len();
                entries.retain(|(key, _)| Some(key.place) != mistake.place);
                entries.len() < before || entries.iter_mut().any(|(_, value)| value.remove(mistake))
            }
        }
    }

    /// Where this path leads, or the last thing on the way that there is. A path that ends in a key is at the key where
    /// `at_key`, else at its value.
    fn find(&self, path: &Path, at_key: bool) -> Place {
        let mut here = self;
        let mut place = self.place;
        for segment in path {
            let next = match (segment, &here.bare) {
                (Segment::Seq { index }, Bare::List(items)) => items.get(*index).map(|item| (item.place, item)),
                (Segment::Map { key } | Segment::Enum { variant: key }, Bare::Mapping(entries)) => {
                    entries.iter().find(|(k, _)| k.text == *key).map(|(k, v)| (if at_key { k.place } else { v.place }, v))
                }
                _ => None,
            };
            let Some((at, node)) = next else { break };
            (place, here) = (at, node);
        }
        place
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Bare>::deserialize(deserializer)?;
        Ok(Self { place: place(&spanned), bare: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<String>::deserialize(deserializer)?;
        Ok(Self { place: place(&spanned), text: spanned.value })
    }
}

fn place<T>(spanned: &Spanned<T>) -> Place {
    // Of an alias, the place of its use: that is the line that a person has to change or to leave.
    let at = if spanned.referenced.line() > 0 { spanned.referenced } else { spanned.defined };
    Place { line: at.line().max(1), column: at.column().max(1) }
}

impl<'de> Deserialize<'de> for Bare {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Anything;

        impl<'de> Visitor<'de> for Anything {
            type Value = Bare;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_unit<E>(self) -> Result<Bare, E> {
                Ok(Bare::Scalar(Value::Null))
            }

            fn visit_bool<E>(self, value: bool) -> Result<Bare, E> {
                Ok(Bare::Scalar(Value::Bool(value)))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Bare, E> {
                Ok(Bare::Scalar(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Bare, E> {
                Ok(Bare::Scalar(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Bare, E> {
                Ok(Bare::Scalar(Number::from_f64(value).map_or_else(|| value.to_string().into(), Value::Number)))
            }

            fn visit_str<E>(self, value: &str) -> Result<Bare, E> {
                Ok(Bare::Scalar(value.into()))
            }

            fn visit_string<E>(self, value: String) -> Result<Bare, E> {
                Ok(Bare::Scalar(value.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Bare, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Bare::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Bare, A::Error> {
                let mut mapping = Vec::new();
                while let Some(key) = entries.next_key()? {
                    mapping.push((key, entries.next_value()?));
                }
                Ok(Bare::Mapping(mapping))
            }
        }

        deserializer.deserialize_any(Anything)
    }
}
