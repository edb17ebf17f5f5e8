//! The configuration: from the text of a file to plain data, and from two of those to what a reload would do.

pub mod change;
pub mod check;
pub mod file;
pub mod model;
