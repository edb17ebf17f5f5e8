//! To be written.
/// The set.
pub struct Supervisor;
