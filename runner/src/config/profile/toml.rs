//! TOML as a tree that knows where each value stands: the same tree that YAML is read into, so that mistakes are said alike.

use std::ops::Range;
use std::path::Path;

use serde_json::{Number, Value as Json};
use toml_edit::{Document, Item, TableLike, Value};

use crate::config::mistake::{Mistake, Place};
use crate::config::yaml::{Bare, Key, Node};

/// Reads a text. `file` is what messages call it.
///
/// # Errors
///
/// It is no TOML: with the place.
pub(super) fn tree(file: &Path, text: &str) -> Result<Node, Mistake> {
    let reader = Reader { text };
    let document = Document::parse(text).map_err(|error| {
        let place = error.span().map_or(Place::START, |span| reader.place(&span));
        // The library's sentences may go on for lines; the first says what, the others what it would have liked.
        let what: Vec<&str> = error.message().lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        Mistake::of_file(file, format!("not valid TOML: {}", what.join(", "))).at(place)
    })?;
    Ok(reader.table(document.as_table(), Place::START))
}

struct Reader<'a> {
    text: &'a str,
}

impl Reader<'_> {
    /// Where a span begins. Counted from the file's beginning each time: profiles are short.
    fn place(&self, span: &Range<usize>) -> Place {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.matches('\n').count() as u64 + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() as u64 + 1;
        Place { line, column }
    }

    fn table(&self, table: &dyn TableLike, place: Place) -> Node {
        let mut entries = Vec::new();
        for (name, item) in table.iter() {
            let at = table.key(name).and_then(|key| key.span()).map_or(place, |span| self.place(&span));
            entries.push((Key { place: at, text: name.to_owned() }, self.item(item, at)));
        }
        Node { place, bare: Bare::Mapping(entries) }
    }

    /// `key` is the place of its key: tables that nobody wrote a header for have none of their own.
    fn item(&self, item: &Item, key: Place) -> Node {
        let place = item.span().map_or(key, |span| self.place(&span));
        match item {
            Item::None => Node { place, bare: Bare::Scalar(Json::Null) },
            Item::Value(value) => self.value(value, place),
            Item::Table(table) => self.table(table, place),
            Item::ArrayOfTables(tables) => {
                let one = |table: &toml_edit::Table| {
                    let at = table.span().map_or(place, |span| self.place(&span));
                    self.table(table, at)
                };
                Node { place, bare: Bare::List(tables.iter().map(one).collect()) }
            }
        }
    }

    fn value(&self, value: &Value, key: Place) -> Node {
        let place = value.span().map_or(key, |span| self.place(&span));
        let bare = match value {
            Value::String(text) => Bare::Scalar(text.value().as_str().into()),
            Value::Integer(number) => Bare::Scalar((*number.value()).into()),
            Value::Float(number) => {
                let number = *number.value();
                Bare::Scalar(Number::from_f64(number).map_or_else(|| number.to_string().into(), Json::Number))
            }
            Value::Boolean(word) => Bare::Scalar((*word.value()).into()),
            // A moment is written as it is meant where a text is expected, a waiver's end for example.
            Value::Datetime(moment) => Bare::Scalar(moment.value().to_string().into()),
            Value::Array(items) => Bare::List(items.iter().map(|item| self.value(item, place)).collect()),
            Value::InlineTable(table) => return self.table(table, place),
        };
        Node { place, bare }
    }
}
