//! The environment of a process, to the byte.

use std::ffi::{CStr, OsString};

use taskmasterd::child::environment;
use taskmasterd::config::model::Tty;

use super::*;

const DAEMONS: [&str; 18] = [
    "BASH_ENV=/x",
    "DBUS_SESSION_BUS_ADDRESS=x",
    "ENV=/x",
    "HOME=/root",
    "IFS=x",
    "LANG=C",
    "LD_PRELOAD=/x.so",
    "LISTEN_FDS=1",
    "NOTIFY_SOCKET=/run/x",
    "PATH=/bin",
    "PERL5LIB=/x",
    "PYTHONPATH=/x",
    "SUDO_USER=x",
    "TERM=dumb",
    "USER=root",
    "WATCHDOG_USEC=1",
    "XDG_RUNTIME_DIR=/run/user/0",
    "EMPTY=",
];

fn of(launch: &Launch) -> Vec<String> {
    let split = |pair: &&str| pair.split_once('=').map(|(n, v)| (n.into(), v.into()));
    let daemons: Vec<(OsString, OsString)> = DAEMONS.iter().filter_map(split).collect();
    let env = environment(launch, &process(), &daemons).unwrap();
    env.iter()
        .map(|pair| pair.to_str().unwrap().to_owned())
        .collect()
}

#[test]
fn inherited_without_what_is_the_daemons_own() {
    let env = of(&launch(&["x"], Tty::None));
    let expected = [
        "BASH_ENV=/x",
        "DBUS_SESSION_BUS_ADDRESS=x",
        "EMPTY=",
        "ENV=/x",
        "HOME=/root",
        "IFS=x",
        "LANG=C",
        "LD_PRELOAD=/x.so",
        "PATH=/bin",
        "PERL5LIB=/x",
        "PYTHONPATH=/x",
        "TASKMASTER_PROCESS=web:3",
        "TASKMASTER_PROGRAM=web",
        "TERM=dumb",
        "USER=root",
        "XDG_RUNTIME_DIR=/run/user/0",
    ];
    assert_eq!(env, expected);
}

#[test]
fn another_user_gets_nothing_that_leads_astray() {
    let mut launch = launch(&["x"], Tty::Full);
    launch.user = Some(user(1000, 1000, &[1000]));
    let expected = [
        "EMPTY=",
        "HOME=/",
        "LANG=C",
        "LOGNAME=1000",
        "PATH=/bin",
        "SHELL=/bin/sh",
        "TASKMASTER_PROCESS=web:3",
        "TASKMASTER_PROGRAM=web",
        "TERM=xterm-256color",
        "USER=1000",
    ];
    assert_eq!(of(&launch), expected);
}

#[test]
fn a_clean_one_has_a_path_and_what_is_configured() {
    let mut launch = launch(&["x"], Tty::Split);
    launch.inherit_env = false;
    launch.env = [("TERM", "vt100"), ("A", "1=2"), ("LD_PRELOAD", "mine")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let expected = [
        "A=1=2",
        "LD_PRELOAD=mine",
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "TASKMASTER_PROCESS=web:3",
        "TASKMASTER_PROGRAM=web",
        "TERM=vt100",
    ];
    assert_eq!(of(&launch), expected);
}

/// What was worked out is what arrives.
#[test]
fn the_program_sees_exactly_that() {
    let _turn = my_turn();
    for inherit in [true, false] {
        let mut cat = launch(&["/bin/cat", "/proc/self/environ"], Tty::None);
        cat.inherit_env = inherit;
        cat.env.insert("GREETING".into(), "grüß\n'gott'".into());
        let env = environment(&cat, &process(), &heritage().env).unwrap();
        let bytes = env.iter().map(CStr::to_bytes_with_nul);
        assert_eq!(
            run(&cat).out.into_bytes(),
            bytes.collect::<Vec<_>>().concat()
        );
    }
}
