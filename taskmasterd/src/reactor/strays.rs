//! What supervised processes left behind: their descendants that became ours and are not supervised.
//!
//! Looked for only when somebody asks. Of a foreign process nothing is read that its memory lock guards, such as
//! its environment: whoever holds that lock could keep us waiting. So who made it is for the client to find out.

use std::fs;

use shared::api::Stray;

use crate::limits::STRAYS_MAX;

use super::Reactor;

impl Reactor {
    /// The strays that live, the first few.
    pub(super) fn strays(&self) -> Vec<Stray> {
        let pid = std::process::id();
        let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let list = list.unwrap_or_default();
        let pids = list
            .split_ascii_whitespace()
            .filter_map(|pid| pid.parse().ok());
        let strays = pids.filter(|&pid| !self.is_known(pid));
        strays.filter_map(describe).take(STRAYS_MAX).collect()
    }

    fn is_known(&self, pid: i32) -> bool {
        self.children.contains_key(&pid) || self.is_shell(pid) || self.reloads.is_helper(pid)
    }
}

/// A process that lives, by its command name.
fn describe(pid: i32) -> Option<Stray> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    let (open, close) = (stat.find('(')?, stat.rfind(')')?);
    let is_dead = stat[close..].starts_with(") Z");
    (!is_dead).then(|| Stray {
        pid,
        process: None,
        command: stat[open + 1..close].to_owned(),
    })
}
