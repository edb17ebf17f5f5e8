//! Where the output of programs is kept: in files, or the last of it in memory.

pub mod file;

pub use crate::ring;
