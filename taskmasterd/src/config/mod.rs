//! The configuration: from the text of a file to plain data, and from two of those to what a reload would do.
//!
//! A file goes through four hands: `open` reads it without ever waiting and decides whether its owner is
//! to be trusted, `file` turns its text into a tree of raw text with positions, `check` says what was
//! meant and lists all that was not, and `model` is the result. `change` compares two results.

mod brackets;
mod destinations;
mod environment;
mod file;
mod include;
mod keys;
mod logs;
mod node;
mod open;
mod output;
mod program;
mod quantity;
mod report;
mod settings;
mod shape;
mod show;
mod terminals;
mod users;
mod values;
mod words;

pub mod change;
pub mod check;
pub mod model;

pub use check::{Surroundings, load};
pub use destinations::obstacles;
pub use keys::{KEYS, Key, Place, Reload};
pub use report::Problems;
pub use show::{describe, resource_name};
