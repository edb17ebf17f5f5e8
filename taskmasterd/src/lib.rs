//! The daemon of taskmaster.

pub mod child;
pub mod config;
pub mod control;
pub mod core;
pub mod limits;
pub mod logs;
pub mod reactor;
pub mod sinks;
pub mod sys;
