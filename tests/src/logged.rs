//! One program whose output goes to a file, and what is to be in it.

use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::puppet::deeds::flood_line;
use crate::sandbox::Sandbox;

/// One program with its standard output in `p.out`.
pub fn logged(orders: &[&str], keys: Value) -> Daemon {
    let sandbox = Sandbox::new();
    let mut program = keys;
    program["cmd"] = sandbox.puppet("p", orders);
    if program["stdout"].is_null() {
        program["stdout"] = json!(sandbox.path("p.out"));
    }
    program["starttime"] = json!("50ms");
    program["autorestart"] = json!("never");
    Daemon::start(sandbox, json!({"p": program}))
}

/// What the puppet writes for `--flood`, cut at a whole line.
pub fn flood(bytes: usize) -> Vec<u8> {
    let lines = bytes.div_ceil(64) as u64;
    (0..lines)
        .flat_map(|number| flood_line(number).into_bytes())
        .collect()
}
