//! To be written.

pub mod ansi;
pub mod output;
