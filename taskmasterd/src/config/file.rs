//! From the text of a YAML file to a tree of raw text. The only place that knows the YAML library.
//!
//! The library turns `022` and `1.10` into values when asked what they are, and keeps their text when asked
//! for text. So the text is walked twice: the first walk learns the shape and bounds it, the second, led by
//! the shape, takes every scalar as it was written.
//!
//! Positions are only to be had from errors. So the second walk's visitor of a scalar keeps the text and then
//! fails on purpose: the library notes the place in the error and has already moved on to the next value.

use std::convert::Infallible;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::node::{Entry, Node, Plain, Value};
use super::report::{At, Fault};
use super::shape::{Bounds, Learn, Shape, TOO_DEEP};
use crate::limits::CONFIG_DEPTH_MAX;

/// The tree of `text`, which is the content of the file of that number.
pub(super) fn parse(text: &str, file: u32) -> Result<Node, Fault> {
    refuse_control(text, file)?;
    refuse_flow_depth(text, file)?;
    let shape = learn(text, file)?;
    let mut root = fill(&shape, text, file)?;
    refuse_nul(&mut root)?;
    Ok(root)
}

fn learn(text: &str, file: u32) -> Result<Shape, Fault> {
    let bounds = Bounds::default();
    let mut documents = serde_yaml::Deserializer::from_str(text);
    let shape = match documents.next() {
        Some(document) => Learn::new(&bounds)
            .deserialize(document)
            .map_err(|error| fault(&error, bounds.refusal(), text, file))?,
        None => Shape::Scalar(Plain::Null),
    };
    match documents.next() {
        None => Ok(shape),
        Some(second) => {
            let (_, at) = take_scalar(file, |seed| seed.deserialize(second));
            let what = match is_ini(text) {
                true => {
                    "what follows a [section]: this is to be YAML, see taskmaster.yaml(5), and no INI file"
                }
                false => "a second document begins; put it in a file of its own, and include that",
            };
            Err(plain_fault(at, what))
        }
    }
}

/// Whether it is in the format of supervisor: for YAML a section is a list, and what follows it is another document.
fn is_ini(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with('#'));
    first.is_some_and(|line| line.starts_with('[') && line.ends_with(']'))
}

fn fill(shape: &Shape, text: &str, file: u32) -> Result<Node, Fault> {
    let start = At {
        file,
        line: 1,
        column: 1,
    };
    let document = serde_yaml::Deserializer::from_str(text).next();
    match (document, shape) {
        // The library has no scalar to give where the file is empty.
        (None, _) | (_, Shape::Scalar(Plain::Null)) => {
            Ok(scalar(String::new(), Plain::Null, start))
        }
        (Some(document), Shape::Scalar(plain)) => {
            let (text, at) = take_scalar(file, |seed| seed.deserialize(document));
            Ok(scalar(text.unwrap_or_default(), *plain, at))
        }
        (Some(document), Shape::Map(_) | Shape::Seq(_)) => Fill { shape, start }
            .deserialize(document)
            .map_err(|error| fault(&error, None, text, file)),
    }
}

/// The second walk: a map or a list whose shape is known.
struct Fill<'a> {
    shape: &'a Shape,
    /// Where it begins as far as is known; its first child knows better.
    start: At,
}

impl<'de> DeserializeSeed<'de> for Fill<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        match self.shape {
            Shape::Map(_) => deserializer.deserialize_map(self),
            Shape::Seq(_) => deserializer.deserialize_seq(self),
            Shape::Scalar(_) => Err(D::Error::custom("a scalar where there was none before")),
        }
    }
}

impl<'de> Visitor<'de> for Fill<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the shape of the first walk")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        for shape in self.shape.children() {
            let (key, at) = take_scalar(self.start.file, |seed| map.next_key_seed(seed));
            let node = match shape {
                Shape::Scalar(plain) => {
                    let (text, at) = take_scalar(at.file, |seed| map.next_value_seed(seed));
                    scalar(text.ok_or_else(lost)?, *plain, at)
                }
                Shape::Map(_) | Shape::Seq(_) => map.next_value_seed(Fill { shape, start: at })?,
            };
            let key = key.ok_or_else(lost)?;
            entries.push(Entry { key, at, node });
        }
        let at = entries.first().map_or(self.start, |entry| entry.at);
        let value = Value::Map(entries);
        Ok(Node { at, value })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        for shape in self.shape.children() {
            nodes.push(match shape {
                Shape::Scalar(plain) => {
                    let (text, at) =
                        take_scalar(self.start.file, |seed| seq.next_element_seed(seed));
                    scalar(text.ok_or_else(lost)?, *plain, at)
                }
                Shape::Map(_) | Shape::Seq(_) => seq
                    .next_element_seed(Fill {
                        shape,
                        start: self.start,
                    })?
                    .ok_or_else(lost)?,
            });
        }
        let at = nodes.first().map_or(self.start, |node| node.at);
        let value = Value::Seq(nodes);
        Ok(Node { at, value })
    }
}

/// The second walk found less than the first, which is a bug of ours or of the library.
fn lost<E: Error>() -> E {
    E::custom("a value was lost between two readings")
}

fn scalar(text: String, plain: Plain, at: At) -> Node {
    let value = Value::Scalar(text, plain);
    Node { at, value }
}

/// Keeps a scalar's text and fails, for the sake of the place in the error.
struct Take<'a>(&'a mut Option<String>);

impl<'de> DeserializeSeed<'de> for Take<'_> {
    type Value = Infallible;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Infallible, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Take<'_> {
    type Value = Infallible;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a scalar")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Infallible, E> {
        *self.0 = Some(text.to_owned());
        Err(E::custom("taken"))
    }
}

/// The text and the place of the scalar that `take` visits.
fn take_scalar<T, E: fmt::Display>(
    file: u32,
    take: impl FnOnce(Take<'_>) -> Result<T, E>,
) -> (Option<String>, At) {
    let mut text = None;
    let place = take(Take(&mut text)).err().map(|error| error.to_string());
    let (line, column) = place.as_deref().and_then(place_in).unwrap_or((1, 1));
    (text, At { file, line, column })
}

/// The place with which the library ends a message; it says none for the very first character.
fn place_in(message: &str) -> Option<(u32, u32)> {
    let (_, place) = message.rsplit_once(" at line ")?;
    let (line, column) = place.split_once(" column ")?;
    Some((line.parse().ok()?, column.parse().ok()?))
}

fn plain_fault(at: At, what: &str) -> Fault {
    let what = what.to_owned();
    Fault { at, what }
}

/// What the library, or a bound of ours, has against the text.
fn fault(error: &serde_yaml::Error, refusal: Option<&str>, text: &str, file: u32) -> Fault {
    let (line, column) = error
        .location()
        .map_or((1, 1), |at| (at.line(), at.column()));
    let at = At {
        file,
        line: u32::try_from(line).unwrap_or(u32::MAX),
        column: u32::try_from(column).unwrap_or(u32::MAX),
    };
    if let Some(refusal) = refusal {
        return plain_fault(at, refusal);
    }
    if let Some(fault) = tab_fault(text, at) {
        return fault;
    }
    let message = error.to_string();
    let message = message.replacen(&format!(" at line {line} column {column}"), "", 1);
    let what = match message.as_str() {
        "recursion limit exceeded" => TOO_DEEP.into(),
        "repetition limit exceeded" => "its aliases repeat too often".into(),
        _ => format!("not YAML: {message}"),
    };
    Fault { at, what }
}

/// The error a tab in the indentation leads to, told as what it is: at the line complained about or just before.
fn tab_fault(text: &str, near: At) -> Option<Fault> {
    let last = near.line as usize;
    let (index, line) = text
        .lines()
        .enumerate()
        .take(last)
        .skip(last.saturating_sub(2))
        .filter(|(_, line)| {
            let content = line.trim_start();
            !content.is_empty() && line[..line.len() - content.len()].contains('\t')
        })
        .last()?;
    let at = At {
        line: index as u32 + 1,
        column: line.find('\t')? as u32 + 1,
        ..near
    };
    Some(plain_fault(at, "tab in indentation; use spaces"))
}

/// A double-quoted scalar may say \0, which no path, argument or variable can hold.
fn refuse_nul(node: &mut Node) -> Result<(), Fault> {
    let nul = |at| Err(plain_fault(at, "a NUL character; no value can have one"));
    match &mut node.value {
        Value::Scalar(text, _) if text.contains('\0') => nul(node.at),
        Value::Scalar(..) => Ok(()),
        Value::Seq(nodes) => nodes.iter_mut().try_for_each(refuse_nul),
        Value::Map(entries) => entries.iter_mut().try_for_each(|entry| {
            if entry.key.contains('\0') {
                return nul(entry.at);
            }
            refuse_nul(&mut entry.node)
        }),
    }
}

/// Refuses what YAML does not allow in its text; the library would not say in which line it is.
fn refuse_control(text: &str, file: u32) -> Result<(), Fault> {
    let forbidden = |c: char| c.is_control() && !matches!(c, '\t' | '\r' | '\u{85}');
    for (line, content) in (1..).zip(text.lines()) {
        if let Some((column, c)) = (1..).zip(content.chars()).find(|&(_, c)| forbidden(c)) {
            let what = format!(
                "a control character; write \"\\x{:02x}\" in double quotes",
                u32::from(c)
            );
            let at = At { file, line, column };
            return Err(Fault { at, what });
        }
    }
    Ok(())
}

/// Refuses deep brackets before the library sees them: its time grows with the square of their depth.
fn refuse_flow_depth(text: &str, file: u32) -> Result<(), Fault> {
    match super::brackets::too_deep(text, 4 * CONFIG_DEPTH_MAX) {
        Some(line) => Err(plain_fault(
            At {
                file,
                line,
                column: 1,
            },
            TOO_DEEP,
        )),
        None => Ok(()),
    }
}
