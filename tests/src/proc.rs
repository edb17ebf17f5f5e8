//! What the kernel says about processes: the oracle that knows nothing of the daemon.

use std::fs;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::wait::{LATER, SOON, check, eventually, pause};

/// What /proc/PID/stat tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    pub pid: i32,
    pub command: String,
    pub state: char,
    pub ppid: i32,
    pub pgid: i32,
    pub sid: i32,
    pub utime: u64,
    pub stime: u64,
    pub starttime: u64,
}

/// The process, if there is one, be it a zombie.
pub fn stat(pid: i32) -> Option<Stat> {
    let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let (head, rest) = text.rsplit_once(')')?;
    let words: Vec<&str> = rest.split_whitespace().collect();
    let number = |at: usize| words.get(at).and_then(|word| word.parse::<i64>().ok());
    Some(Stat {
        pid,
        command: head.split_once('(')?.1.to_owned(),
        state: words.first()?.chars().next()?,
        ppid: number(1)? as i32,
        pgid: number(2)? as i32,
        sid: number(3)? as i32,
        utime: number(11)? as u64,
        stime: number(12)? as u64,
        starttime: number(19)? as u64,
    })
}

/// Whether it lives; a zombie does not.
pub fn alive(pid: i32) -> bool {
    stat(pid).is_some_and(|stat| !matches!(stat.state, 'Z' | 'X'))
}

/// Waits for its end.
#[track_caller]
pub fn wait_dead(pid: i32) {
    eventually(&format!("the end of {pid}"), SOON, || {
        check(!alive(pid), || format!("{:?}", stat(pid)))
    });
}

/// Waits until a signal has stopped it.
#[track_caller]
pub fn wait_stopped(pid: i32) {
    eventually(&format!("a stop of {pid}"), SOON, || {
        let state = stat(pid).map(|stat| stat.state);
        check(state == Some('T'), || format!("{state:?}"))
    });
}

/// Every process there is.
pub fn all() -> Vec<Stat> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(stat)
        .collect()
}

/// The children of a process, zombies among them.
pub fn children(pid: i32) -> Vec<Stat> {
    let mut found = all();
    found.retain(|stat| stat.ppid == pid);
    found
}

/// The living members of a process group.
pub fn group(pgid: i32) -> Vec<i32> {
    let members = all().into_iter().filter(|stat| stat.pgid == pgid);
    members
        .filter(|stat| stat.state != 'Z')
        .map(|stat| stat.pid)
        .collect()
}

/// A line of /proc/PID/status.
pub fn status(pid: i32, key: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    text.lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))
        .map(|value| value.trim().to_owned())
}

fn status_number(pid: i32, key: &str) -> u64 {
    let text = status(pid, key).unwrap_or_default();
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}

/// Its memory, in KiB.
pub fn rss_kib(pid: i32) -> u64 {
    status_number(pid, "VmRSS")
}

/// The most memory that it ever had, in KiB.
pub fn peak_kib(pid: i32) -> u64 {
    status_number(pid, "VmHWM")
}

/// How often it woke up.
pub fn wakeups(pid: i32) -> u64 {
    status_number(pid, "voluntary_ctxt_switches")
}

/// The processor time it used, in milliseconds.
pub fn cpu_ms(pid: i32) -> u64 {
    // The kernel counts in hundredths of a second on every Linux of today.
    stat(pid).map_or(0, |stat| (stat.utime + stat.stime) * 10)
}

/// How long this thread has been ready to run and had no processor.
pub fn waited_for_cpu() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let waited = text.split_whitespace().nth(1);
    Duration::from_nanos(waited.and_then(|ns| ns.parse().ok()).unwrap_or(0))
}

/// Waits until a process does nothing at all for a while.
#[track_caller]
pub fn wait_at_rest(pid: i32) {
    eventually("a process at rest", LATER, || {
        let work = || (wakeups(pid), cpu_ms(pid));
        let before = work();
        pause(Duration::from_millis(300));
        check(work() == before, || format!("{before:?} {:?}", work()))
    });
}

/// Its open descriptors: number and what it leads to.
pub fn fds(pid: i32) -> Vec<(i32, String)> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd"));
    let mut found: Vec<(i32, String)> = entries
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.parse().ok()?;
            let target = fs::read_link(entry.path()).ok()?;
            Some((number, target.to_string_lossy().into_owned()))
        })
        .collect();
    found.sort();
    found
}

/// Whether the text stands in its environment or on its command line.
pub fn mentions(pid: i32, text: &str) -> bool {
    let holds = |file: &str| {
        let bytes = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        bytes
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    };
    holds("environ") || holds("cmdline")
}

/// Sends a signal; whether there was anybody to take it.
pub fn signal(pid: i32, signal: Signal) -> bool {
    assert!(pid > 1, "{pid} is nobody's pid");
    kill(Pid::from_raw(pid), signal).is_ok()
}
