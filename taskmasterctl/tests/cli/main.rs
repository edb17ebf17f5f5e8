//! The real program against a daemon of cardboard.

#![expect(clippy::unwrap_used, reason = "tests")]

mod commands;
mod fake;
mod misuse;
mod surroundings;
mod words;
