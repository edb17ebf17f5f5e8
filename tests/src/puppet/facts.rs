//! What a process finds at its start, read from the kernel as plainly as possible.

use std::fs;
use std::os::unix::ffi::OsStrExt;

use nix::sys::termios;
use nix::unistd::{getpgrp, getpid, getppid, getsid};
use serde_json::{Map, Value, json};

/// The monotonic clock, in nanoseconds.
pub fn now_ns() -> i64 {
    let clock = nix::time::ClockId::CLOCK_MONOTONIC;
    let now = clock.now().expect("the monotonic clock is always there");
    now.tv_sec() * 1_000_000_000 + now.tv_nsec()
}

/// What every start is told with.
pub fn brief() -> Value {
    json!({"ppid": getppid().as_raw(), "pgid": getpgrp().as_raw()})
}

/// All of it.
pub fn full() -> Value {
    let stat = stat();
    let number = |at: usize| stat.get(at).and_then(|text| text.parse::<i64>().ok());
    json!({
        "ppid": getppid().as_raw(),
        "pgid": getpgrp().as_raw(),
        "sid": getsid(None).map(|sid| sid.as_raw()).unwrap_or(-1),
        "argv": lossy(std::env::args_os().map(|word| word.as_bytes().to_vec())),
        "cwd": std::env::current_dir().map(|dir| dir.to_string_lossy().into_owned()).unwrap_or_default(),
        "env": environment(),
        "fds": descriptors(),
        "status": status(),
        "limits": limits(),
        "tpgid": number(5),
        "nice": number(16),
        "oom_score_adj": read("/proc/self/oom_score_adj").trim().parse::<i64>().ok(),
        "tty": terminal(),
    })
}

fn read(path: &str) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

fn lossy(words: impl Iterator<Item = Vec<u8>>) -> Vec<String> {
    words
        .map(|word| String::from_utf8_lossy(&word).into_owned())
        .collect()
}

/// The words of /proc/self/stat after the command's name: the first is the state, the second the parent.
fn stat() -> Vec<String> {
    let text = read("/proc/self/stat");
    let rest = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    rest.split_whitespace().map(str::to_owned).collect()
}

/// The environment as the kernel handed it over, not as a library may have changed it.
fn environment() -> Value {
    let bytes = fs::read("/proc/self/environ").unwrap_or_default();
    let mut out = Map::new();
    for word in lossy(
        bytes
            .split(|&byte| byte == 0)
            .filter(|word| !word.is_empty())
            .map(<[u8]>::to_vec),
    ) {
        let (name, value) = word.split_once('=').unwrap_or((&word, ""));
        out.insert(name.into(), value.into());
    }
    out.into()
}

/// Each line of /proc/self/status: uids, groups, umask, signal masks, capabilities.
fn status() -> Value {
    let text = read("/proc/self/status");
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    lines
        .map(|(key, value)| (key.to_owned(), Value::from(value.trim())))
        .collect::<Map<_, _>>()
        .into()
}

/// Each line of /proc/self/limits: soft and hard.
fn limits() -> Value {
    let text = read("/proc/self/limits");
    let mut out = Map::new();
    for line in text.lines().skip(1) {
        let (name, rest) = line.split_at_checked(26).unwrap_or((line, ""));
        let words: Vec<&str> = rest.split_whitespace().take(2).collect();
        out.insert(name.trim().into(), json!(words));
    }
    out.into()
}

/// Each open descriptor: what it leads to, of what kind it is, and its flags (octal, as fcntl has them).
fn descriptors() -> Value {
    let mut out = Map::new();
    let ours = format!("/proc/{}/fd", getpid());
    for entry in fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .flatten()
    {
        let number = entry.file_name().to_string_lossy().into_owned();
        let Ok(target) = fs::read_link(entry.path()) else {
            continue;
        };
        let target = target.to_string_lossy().into_owned();
        if target == ours {
            continue;
        }
        let info = read(&format!("/proc/self/fdinfo/{number}"));
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = flags.and_then(|text| i64::from_str_radix(text.trim(), 8).ok());
        out.insert(
            number,
            json!({"kind": kind(&target), "target": target, "flags": flags,
                   "nonblock": flags.is_some_and(|flags| flags & i64::from(libc::O_NONBLOCK) != 0)}),
        );
    }
    out.into()
}

fn kind(target: &str) -> &'static str {
    match target {
        "/dev/null" => "null",
        _ if target.starts_with("/dev/pts/") || target.starts_with("/dev/tty") => "tty",
        _ if target.starts_with("pipe:") => "pipe",
        _ if target.starts_with("socket:") => "socket",
        _ if target.starts_with('/') => "file",
        _ => "other",
    }
}

/// The terminal on descriptor 0, if it is one.
fn terminal() -> Value {
    let stdin = std::io::stdin();
    let Ok(modes) = termios::tcgetattr(&stdin) else {
        return Value::Null;
    };
    let name = fs::read_link("/proc/self/fd/0").unwrap_or_default();
    json!({
        "name": name.to_string_lossy(),
        "window": crate::sys::window(&stdin).ok(),
        "input": format!("{:?}", modes.input_flags),
        "output": format!("{:?}", modes.output_flags),
        "local": format!("{:?}", modes.local_flags),
        "owner": fs::metadata(&name).ok().map(|meta| std::os::unix::fs::MetadataExt::uid(&meta)),
        "mode": fs::metadata(&name).ok().map(|meta| std::os::unix::fs::MetadataExt::mode(&meta) & 0o777),
    })
}
