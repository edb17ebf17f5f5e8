//! What a reload would do, field by field.

use super::model::{Config, Program};
use shared::api::Plan;

/// Whether a process of `was` must be replaced to be one of `is`.
pub fn needs_restart(was: &Program, is: &Program) -> bool {
    was.launch != is.launch
}

/// What putting `is` into force in place of `was` does.
pub fn plan(_was: &Config, _is: &Config) -> Plan {
    Plan::default()
}
