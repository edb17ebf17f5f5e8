//! The tree of a file: maps, lists, and scalars as their raw text, each with its place.

use std::collections::HashMap;

use super::report::{At, Fault};

/// A value somewhere in a file.
#[derive(Debug)]
pub(super) struct Node {
    /// Where it begins.
    pub(super) at: At,
    /// What it is.
    pub(super) value: Value,
}

/// The three shapes of a value.
#[derive(Debug)]
pub(super) enum Value {
    Map(Vec<Entry>),
    Seq(Vec<Node>),
    Scalar(String, Plain),
}

/// What YAML takes a scalar for; its text is kept beside it, because `022` and `1.10` mean more than their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plain {
    Null,
    Bool,
    Integer,
    Float,
    Text,
}

/// A key with its value.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    /// Where the key stands.
    pub(super) at: At,
    pub(super) node: Node,
}

impl Node {
    /// The entries of a map.
    pub(super) fn map(&self) -> Option<&[Entry]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            Value::Seq(_) | Value::Scalar(..) => None,
        }
    }

    /// The raw text of a scalar that is not null.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(text, plain) if *plain != Plain::Null => Some(text),
            Value::Scalar(..) | Value::Map(_) | Value::Seq(_) => None,
        }
    }

    /// Whether nothing is written there, or null.
    pub(super) fn is_null(&self) -> bool {
        matches!(self.value, Value::Scalar(_, Plain::Null))
    }

    /// Whether it is a list.
    pub(super) fn is_list(&self) -> bool {
        matches!(self.value, Value::Seq(_))
    }

    /// The elements of a list; what is not a list is a list of one.
    pub(super) fn elements(&self) -> &[Node] {
        match &self.value {
            Value::Seq(nodes) => nodes,
            Value::Map(_) | Value::Scalar(..) => std::slice::from_ref(self),
        }
    }

    /// The value as a message quotes it.
    pub(super) fn shown(&self) -> String {
        match &self.value {
            Value::Map(_) => "a map".into(),
            Value::Seq(_) => "a list".into(),
            Value::Scalar(_, Plain::Null) => "nothing".into(),
            Value::Scalar(text, Plain::Text) => format!("\"{text}\""),
            Value::Scalar(text, Plain::Bool | Plain::Integer | Plain::Float) => text.clone(),
        }
    }

    /// Refuses keys written twice and fills in what `<<` brings, here and below. `path` is how messages name
    /// this node: `web.env.`, or nothing at the top.
    pub(super) fn settle(&mut self, path: &str, faults: &mut Vec<Fault>) {
        match &mut self.value {
            Value::Scalar(..) => {}
            Value::Seq(nodes) => nodes.iter_mut().for_each(|node| node.settle(path, faults)),
            Value::Map(entries) => {
                for entry in &mut *entries {
                    let is_list = path.is_empty() && is_program_list(&entry.key);
                    let below = if is_list {
                        String::new()
                    } else {
                        format!("{path}{}.", entry.key)
                    };
                    entry.node.settle(&below, faults);
                }
                refuse_duplicates(path, entries, faults);
                merge(path, entries, faults);
            }
        }
    }
}

/// Whether a key at the top of a file holds the programs; their names alone stand in messages.
pub(super) fn is_program_list(key: &str) -> bool {
    matches!(key, "programs" | "processes")
}

/// The entry of that name.
pub(super) fn find<'a>(entries: &'a [Entry], key: &str) -> Option<&'a Entry> {
    entries.iter().find(|entry| entry.key == key)
}

/// The entry of that name in the first, or else in `defaults`.
pub(super) fn find_or<'a>(own: &'a [Entry], defaults: &'a [Entry], key: &str) -> Option<&'a Entry> {
    find(own, key).or_else(|| find(defaults, key))
}

fn refuse_duplicates(path: &str, entries: &[Entry], faults: &mut Vec<Fault>) {
    let mut seen: HashMap<&str, At> = HashMap::new();
    for entry in entries {
        if let Some(first) = seen.insert(&entry.key, entry.at) {
            let what = written_twice(&format!("{path}{}", entry.key), first);
            let advice = match entry.key.as_str() {
                "<<" => "; write <<: [*one, *two]",
                _ => "",
            };
            faults.push(Fault {
                at: entry.at,
                what: what + advice,
            });
        }
    }
}

/// What is said of a key, or of a program, that the same file has twice.
pub(super) fn written_twice(what: &str, first: At) -> String {
    let At { line, column, .. } = first;
    format!("{what}: written twice; the first is at line {line} column {column}")
}

/// Puts the entries of `<<: *anchor` or `<<: [*one, *two]` behind the map's own, which win; so does the earlier map.
/// What a second `<<` brings is there too, so that nothing is told of but that it is one.
fn merge(path: &str, entries: &mut Vec<Entry>, faults: &mut Vec<Fault>) {
    let merged: Vec<Entry> = entries.extract_if(.., |entry| entry.key == "<<").collect();
    let bases = merged.into_iter().flat_map(|entry| match entry.node {
        Node {
            value: Value::Seq(nodes),
            ..
        } => nodes,
        node => vec![node],
    });
    for base in bases {
        match base.value {
            Value::Map(inherited) => inherit(entries, inherited),
            Value::Seq(_) | Value::Scalar(..) => faults.push(Fault {
                at: base.at,
                what: format!(
                    "{path}<<: {} cannot be merged; give an alias of a map",
                    base.shown()
                ),
            }),
        }
    }
}

fn inherit(entries: &mut Vec<Entry>, inherited: Vec<Entry>) {
    let own: std::collections::HashSet<String> =
        entries.iter().map(|entry| entry.key.clone()).collect();
    entries.extend(
        inherited
            .into_iter()
            .filter(|entry| !own.contains(&entry.key)),
    );
}
