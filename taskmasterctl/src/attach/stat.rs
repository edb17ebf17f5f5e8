//! What `/proc` tells of a process: who started it, and which terminal is its own.

use std::fs;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;

use nix::sys::stat::{fstat, major, minor};
use nix::unistd::{Pid, getpgid, getpgrp, getppid, getsid};

/// What is read of `/proc/PID/stat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    parent: Pid,
    /// The number of its device; 0 where it has none.
    terminal: i32,
}

impl Stat {
    fn of(process: &str) -> Option<Self> {
        Self::read(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
    }

    /// The name of the program stands in parentheses, and may hold anything.
    fn read(text: &str) -> Option<Self> {
        let (_, rest) = text.rsplit_once(')')?;
        let words: Vec<&str> = rest.split_whitespace().collect();
        let [_, parent, _, _, terminal, ..] = words[..] else {
            return None;
        };
        Some(Self {
            parent: Pid::from_raw(parent.parse().ok()?),
            terminal: terminal.parse().ok()?,
        })
    }
}

/// The process group of the shell that started us: that of the first ancestor which is not in our own. Without one in
/// our session it is our own.
pub(super) fn group_of_shell() -> Pid {
    let (own, session) = (getpgrp(), getsid(None));
    let in_session = |ancestor: &Pid| getsid(Some(*ancestor)) == session;
    let mut groups = ancestors()
        .take_while(in_session)
        .map_while(|ancestor| getpgid(Some(ancestor)).ok());
    groups.find(|&group| group != own).unwrap_or(own)
}

/// Who started us, who started him, and so on.
fn ancestors() -> impl Iterator<Item = Pid> {
    let parent = |process: &Pid| Stat::of(&process.to_string()).map(|stat| stat.parent);
    std::iter::successors(Some(getppid()), parent)
}

/// Whether we sit at a terminal.
pub(super) fn has_terminal() -> bool {
    !ours().is_empty()
}

/// Whether that process has a terminal at which we sit, or what it started put one of its own between: what we paint
/// there is painted on that of the process, too.
pub(super) fn sits_with_us(pid: i32) -> bool {
    let ours = ours();
    !ours.is_empty() && (ours.contains(&terminal_of(&pid.to_string())) || has_started_us(pid))
}

/// The terminals at which we sit. After `setsid` none is our own, and yet one is typed or painted on.
fn ours() -> Vec<i32> {
    let all = [
        terminal_of("self"),
        terminal_behind(io::stdin()),
        terminal_behind(io::stdout()),
    ];
    all.into_iter().filter(|&terminal| terminal != 0).collect()
}

/// The number of the terminal behind a descriptor, as `/proc` tells it; 0 where there is none.
fn terminal_behind(fd: impl AsFd + IsTerminal) -> i32 {
    match fstat(&fd) {
        Ok(stat) if fd.is_terminal() => number(stat.st_rdev),
        Ok(_) | Err(_) => 0,
    }
}

/// The number of a device, in the kernel's own encoding: proc_pid_stat(5), `tty_nr`.
fn number(device: u64) -> i32 {
    let (major, minor) = (major(device), minor(device));
    i32::try_from((minor & 0xff) | (major << 8) | ((minor & !0xff) << 12)).unwrap_or(0)
}

fn has_started_us(pid: i32) -> bool {
    ancestors().any(|ancestor| ancestor.as_raw() == pid)
}

fn terminal_of(process: &str) -> i32 {
    Stat::of(process).map_or(0, |stat| stat.terminal)
}

#[cfg(test)]
mod tests {
    use nix::sys::stat::makedev;

    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let text = "7 (a) S 1 (b) T 5 6 7 34816 8 9\n";
        let stat = Stat::read(text).unwrap();
        assert_eq!((stat.parent.as_raw(), stat.terminal), (5, 34816));
        assert_eq!(Stat::read("7 (a"), None);
        assert_eq!(Stat::read("7 (a) S 1 2"), None);
    }

    #[test]
    fn devices_have_the_numbers_of_the_kernel() {
        for (major, minor, number_of) in [(136, 3, 34_819), (4, 64, 1_088), (136, 300, 1_083_436)] {
            assert_eq!(number(makedev(major, minor)), number_of);
        }
    }

    #[test]
    fn one_has_a_parent() {
        assert_eq!(Stat::of("self").unwrap().parent, getppid());
        assert!(has_started_us(getppid().as_raw()) && has_started_us(1));
        assert!(!has_started_us(std::process::id().try_into().unwrap()));
    }
}
