//! The environment of a process: the daemon's, the user's, ours, and then what the configuration says.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use shared::name::ProcessName;

use super::strings::{Strings, ZeroByte};
use crate::config::model::{DEFAULT_PATH, Identity, Launch, Tty};

/// The daemon's own affairs: a child that believed them would talk to the daemon's supervisor.
const PRIVATE: [&str; 4] = ["NOTIFY_SOCKET", "WATCHDOG_*", "LISTEN_*", "SUDO_*"];

/// What could lead another user's program astray, or into files that are not its own.
const DANGEROUS: [&str; 8] = [
    "LD_*",
    "BASH_ENV",
    "ENV",
    "IFS",
    "PYTHON*",
    "PERL*",
    "XDG_RUNTIME_DIR",
    "DBUS_*",
];

/// The environment of `process` as `NAME=value`, sorted by name, each name once.
///
/// An error is a zero byte in a name or a value, which no environment can hold.
pub fn environment(
    launch: &Launch,
    process: &ProcessName,
    daemon_env: &[(OsString, OsString)],
) -> Result<Strings, ZeroByte> {
    let shown = process.to_string();
    let mut env = base(launch, daemon_env);
    let mut set = |name, value| env.insert(OsStr::new::<str>(name), OsStr::new::<str>(value));
    if let Some(Identity {
        name, home, shell, ..
    }) = &launch.user
    {
        set("HOME", home);
        set("USER", name);
        set("LOGNAME", name);
        set("SHELL", shell);
    }
    if launch.tty != Tty::None {
        set("TERM", "xterm-256color");
    }
    set("TASKMASTER_PROGRAM", process.program.as_str());
    set("TASKMASTER_PROCESS", &shown);
    for (name, value) in &launch.env {
        set(name, value);
    }
    let mut strings = Strings::default();
    for (name, value) in env {
        strings.push(&[name.as_bytes(), b"=", value.as_bytes()])?;
    }
    Ok(strings)
}

/// What a process inherits.
fn base<'a>(
    launch: &Launch,
    daemon_env: &'a [(OsString, OsString)],
) -> BTreeMap<&'a OsStr, &'a OsStr> {
    if !launch.inherit_env {
        return BTreeMap::from([(OsStr::new("PATH"), OsStr::new(DEFAULT_PATH))]);
    }
    let stays = |name: &OsStr| {
        let is_among = |patterns: &[&str]| patterns.iter().any(|pattern| fits(pattern, name));
        let is_dangerous = launch.user.is_some() && is_among(&DANGEROUS);
        !is_dangerous && !is_among(&PRIVATE)
    };
    let all = daemon_env.iter().map(|(name, value)| (&**name, &**value));
    all.filter(|(name, _)| stays(name)).collect()
}

fn fits(pattern: &str, name: &OsStr) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.as_bytes().starts_with(prefix.as_bytes()),
        None => name == pattern,
    }
}
