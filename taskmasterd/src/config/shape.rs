//! The first walk over a file: its shape and what its scalars are taken for, and bounds on both.
//!
//! Aliases are counted in full each time they stand for something, so that a small file cannot ask for
//! gigabytes.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Visitor};

use super::node::Plain;
use crate::limits::{CONFIG_DEPTH_MAX, CONFIG_NODES_MAX, CONFIG_TEXT_LEN_MAX};

/// What the first walk learns.
pub(super) enum Shape {
    Map(Vec<Shape>),
    Seq(Vec<Shape>),
    Scalar(Plain),
}

impl Shape {
    /// The shapes of what a map or a list holds.
    pub(super) fn children(&self) -> &[Shape] {
        match self {
            Self::Map(shapes) | Self::Seq(shapes) => shapes,
            Self::Scalar(_) => &[],
        }
    }
}

/// What the first walk has counted, aliases in full, and why it stopped.
#[derive(Default)]
pub(super) struct Bounds {
    nodes: Cell<usize>,
    text_len: Cell<usize>,
    refusal: Cell<Option<&'static str>>,
}

impl Bounds {
    /// Why the walk was stopped, if it was by us.
    pub(super) fn refusal(&self) -> Option<&'static str> {
        self.refusal.get()
    }

    fn refuse<E: Error>(&self, why: &'static str) -> E {
        self.refusal.set(Some(why));
        E::custom("refused")
    }

    fn count<E: Error>(&self, text_len: usize) -> Result<(), E> {
        self.nodes.set(self.nodes.get() + 1);
        self.text_len.set(self.text_len.get() + text_len);
        if self.nodes.get() > CONFIG_NODES_MAX || self.text_len.get() > CONFIG_TEXT_LEN_MAX {
            return Err(self.refuse("too much; its aliases repeat more than a configuration needs"));
        }
        Ok(())
    }
}

/// The first walk: any value.
#[derive(Clone, Copy)]
pub(super) struct Learn<'a> {
    bounds: &'a Bounds,
    depth: usize,
}

impl<'a> Learn<'a> {
    /// A walk from the top of a file.
    pub(super) fn new(bounds: &'a Bounds) -> Self {
        Self { bounds, depth: 0 }
    }

    fn deeper<E: Error>(self) -> Result<Self, E> {
        self.bounds.count(0)?;
        if self.depth == CONFIG_DEPTH_MAX {
            return Err(self.bounds.refuse(TOO_DEEP));
        }
        Ok(Self {
            depth: self.depth + 1,
            ..self
        })
    }

    fn plain<E: Error>(self, plain: Plain, text_len: usize) -> Result<Shape, E> {
        self.bounds.count(text_len)?;
        Ok(Shape::Scalar(plain))
    }
}

/// What is said of a file whose values nest too deeply.
pub(super) const TOO_DEEP: &str = "nested too deeply; 32 levels are the most";

impl<'de> DeserializeSeed<'de> for Learn<'_> {
    type Value = Shape;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Shape, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Learn<'_> {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_none<E: Error>(self) -> Result<Shape, E> {
        self.plain(Plain::Null, 0)
    }

    fn visit_unit<E: Error>(self) -> Result<Shape, E> {
        self.plain(Plain::Null, 0)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Shape, E> {
        self.plain(Plain::Bool, 0)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Shape, E> {
        self.plain(Plain::Integer, 0)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Shape, E> {
        self.plain(Plain::Integer, 0)
    }

    fn visit_u128<E: Error>(self, _: u128) -> Result<Shape, E> {
        self.plain(Plain::Integer, 0)
    }

    fn visit_i128<E: Error>(self, _: i128) -> Result<Shape, E> {
        self.plain(Plain::Integer, 0)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Shape, E> {
        self.plain(Plain::Float, 0)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Shape, E> {
        self.plain(Plain::Text, text.len())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Shape, A::Error> {
        let inner = self.deeper()?;
        let mut shapes = Vec::new();
        while let Some(shape) = seq.next_element_seed(inner)? {
            shapes.push(shape);
        }
        Ok(Shape::Seq(shapes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
        let inner = self.deeper()?;
        let mut shapes = Vec::new();
        while let Some(key) = map.next_key_seed(inner)? {
            if !matches!(key, Shape::Scalar(_)) {
                return Err(self.bounds.refuse("a key is a list or a map; write a word"));
            }
            shapes.push(map.next_value_seed(inner)?);
        }
        Ok(Shape::Map(shapes))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<Shape, A::Error> {
        Err(self
            .bounds
            .refuse("a YAML tag (!word) means nothing here; quote text that begins with !"))
    }
}
