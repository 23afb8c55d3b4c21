//! A JSON text as it is: members in their order, repeated ones too. What the gate reads is compared with it.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

/// A JSON value.
#[derive(Clone, Debug)]
pub enum Tree {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl Tree {
    /// Reads a text; `None` if it is no JSON.
    pub fn read(text: &str) -> Option<Tree> {
        serde_json::from_str(text).ok()
    }

    /// Whether the gate may take this as a document: no object in it has two members of one name, nor one
    /// whose name means something to serde_json alone, and it is at most 32 levels deep.
    pub fn is_strict(&self) -> bool {
        !self.repeats() && !self.is_for_serde() && self.depth() <= 32
    }

    /// As [`is_strict`](Self::is_strict), for what must be an object.
    pub fn is_strict_object(&self) -> bool {
        matches!(self, Tree::Object(_)) && self.is_strict()
    }

    fn repeats(&self) -> bool {
        match self {
            Tree::List(items) => items.iter().any(Tree::repeats),
            Tree::Object(members) => {
                let mut names = HashSet::new();
                !members.iter().all(|(name, _)| names.insert(name))
                    || members.iter().any(|(_, value)| value.repeats())
            }
            _ => false,
        }
    }

    fn is_for_serde(&self) -> bool {
        match self {
            Tree::List(items) => items.iter().any(Tree::is_for_serde),
            Tree::Object(members) => members.iter().any(|(name, value)| {
                name.starts_with("$serde_json::private::") || value.is_for_serde()
            }),
            _ => false,
        }
    }

    fn depth(&self) -> usize {
        let deepest = |depth: Option<usize>| 1 + depth.unwrap_or(0);
        match self {
            Tree::List(items) => deepest(items.iter().map(Tree::depth).max()),
            Tree::Object(members) => deepest(members.iter().map(|(_, v)| v.depth()).max()),
            _ => 0,
        }
    }

    /// The same, as serde_json's own type, which it builds of a text in its own ways.
    pub fn value(&self) -> Value {
        match self {
            Tree::Null => Value::Null,
            Tree::Bool(value) => Value::Bool(*value),
            Tree::Number(number) => Value::Number(number.clone()),
            Tree::Text(text) => Value::String(text.clone()),
            Tree::List(items) => items.iter().map(Tree::value).collect(),
            Tree::Object(members) => {
                let members = members.iter();
                Value::Object(
                    members
                        .map(|(name, value)| (name.clone(), value.value()))
                        .collect(),
                )
            }
        }
    }

    /// A member of an object.
    pub fn get(&self, name: &str) -> Option<&Tree> {
        match self {
            Tree::Object(members) => members
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// A member that is there and no `null`.
    pub fn some(&self, name: &str) -> Option<&Tree> {
        self.get(name).filter(|value| !matches!(value, Tree::Null))
    }

    pub fn text(&self) -> Option<&str> {
        match self {
            Tree::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn list(&self) -> Option<&[Tree]> {
        match self {
            Tree::List(items) => Some(items),
            _ => None,
        }
    }

    /// The texts of a list of nothing else.
    pub fn texts(&self) -> Option<Vec<&str>> {
        self.list()?.iter().map(Tree::text).collect()
    }

    /// Hands out every text in it, names of members too.
    pub fn each_text<'a>(&'a self, hand: &mut dyn FnMut(&'a str)) {
        match self {
            Tree::Text(text) => hand(text),
            Tree::List(items) => items.iter().for_each(|item| item.each_text(hand)),
            Tree::Object(members) => members.iter().for_each(|(name, value)| {
                hand(name);
                value.each_text(hand);
            }),
            _ => {}
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Tree, D::Error> {
        reader.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Number::from_f64(value).map_or(Tree::Null, Tree::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Tree::Object(members))
    }
}
