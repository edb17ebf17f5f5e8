//! To be written.
/// One process.
pub struct Process;
/// Its state.
pub struct State;
