//! A tree as serde reads it.
//!
//! What is derived takes a list where a mapping is meant, and its items for the fields in their order. Nobody who writes a file means
//! that, so here it is a mistake.

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, Error as _, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Error, Value};

use super::tree::{Bare, Node};

/// One node and what is below it.
#[derive(Clone, Copy)]
pub(super) struct Decoder<'a>(pub(super) &'a Node);

impl<'de> Deserializer<'de> for Decoder<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.0.bare {
            Bare::Scalar(value) => value.clone().deserialize_any(visitor),
            Bare::List(items) => visitor.visit_seq(SeqDeserializer::new(items.iter().map(Decoder))),
            Bare::Mapping(entries) => {
                let entries = entries.iter().map(|(key, value)| (key.text.clone(), Decoder(value)));
                visitor.visit_map(MapDeserializer::new(entries))
            }
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match &self.0.bare {
            Bare::List(_) => Err(Error::invalid_type(Unexpected::Seq, &visitor)),
            Bare::Scalar(_) | Bare::Mapping(_) => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.0.bare {
            Bare::Scalar(Value::Null) => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.value().deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Error> for Decoder<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::config::yaml::documents;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct Outer {
        inner: Option<Inner>,
        list: Vec<Inner>,
        choice: Option<Choice>,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct Inner {
        number: u32,
        text: String,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    enum Choice {
        One,
        Many(Vec<u32>),
    }

    fn read(text: &str) -> Result<Outer, String> {
        let Ok(documents) = documents(text, "file") else { panic!("{text} is no YAML") };
        Outer::deserialize(Decoder(&documents[0])).map_err(|e| e.to_string())
    }

    #[test]
    fn a_tree_becomes_its_type() {
        let inner = |number| Inner { number, text: "x".into() };
        let read_whole = read("{inner: {number: 1, text: x}, list: [{number: 2, text: x}], choice: {Many: [1]}}").unwrap();
        assert_eq!(read_whole, Outer { inner: Some(inner(1)), list: vec![inner(2)], choice: Some(Choice::Many(vec![1])) });
        assert_eq!(read("{inner: null, choice: One}").unwrap(), Outer { choice: Some(Choice::One), ..Outer::default() });
    }

    #[test]
    fn a_list_is_no_mapping() {
        for text in ["{inner: [1, x]}", "{list: [[1, x]]}", "[null, []]"] {
            let said = read(text).unwrap_err();
            assert!(said.starts_with("invalid type: sequence, expected struct "), "{text}: {said}");
        }
    }
}
