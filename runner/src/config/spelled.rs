//! Words in policy files and profiles, spelled as Kubernetes spells such values: `Fail`, `Monitor`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize, Serializer};

use crate::terms::Word;

/// A word that is written as its variant is: `StaleLearner::Wait` as `Wait`. Journals and the command line write it in kebab-case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spelled<T>(pub T);

impl<T: Word> Serialize for Spelled<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.variant())
    }
}

impl<'de, T: Word> Deserialize<'de> for Spelled<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let word = T::ALL.iter().find(|word| word.variant() == text);
        word.map(|word| Self(*word)).ok_or_else(|| de::Error::unknown_variant(&text, T::VARIANTS))
    }
}

impl<T: Word> JsonSchema for Spelled<T> {
    fn schema_name() -> Cow<'static, str> {
        T::TYPE.into()
    }

    fn schema_id() -> Cow<'static, str> {
        format!("{}::{}", module_path!(), T::TYPE).into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let one =
            |word: &T| json_schema!({ "type": "string", "const": word.variant(), "description": word.meaning().trim() });
        let all: Vec<Schema> = T::ALL.iter().map(one).collect();
        json_schema!({ "oneOf": all, "description": T::ABOUT.trim() })
    }
}
