//! Words in policy files and profiles, spelled as Kubernetes spells such values: `Fail`, `Monitor`.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, EnumAccess, VariantAccess, Visitor};
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
        deserializer.deserialize_enum(T::TYPE, T::VARIANTS, Variants(PhantomData))
    }
}

/// Reads what a derived enum reads, so that mistakes are told in the same words as with those.
struct Variants<T>(PhantomData<T>);

impl<'de, T: Word> Visitor<'de> for Variants<T> {
    type Value = Spelled<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "enum {}", T::TYPE)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Self::Value, A::Error> {
        let (text, rest) = data.variant::<String>()?;
        let word = T::ALL.iter().find(|word| word.variant() == text);
        let word = word.ok_or_else(|| de::Error::unknown_variant(&text, T::VARIANTS))?;
        rest.unit_variant().map(|()| Spelled(*word))
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
