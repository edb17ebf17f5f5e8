//! Programs that were not written for these tests.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Command;

use harness::{
    Daemon, LATER, SOON, Sandbox, State, User, Verdict, check, eventually, json, only, proc,
    skip_unless_root,
};
use shared::api::Stream;
use shared::state::Exit;

/// A port of the loopback that nobody has.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port can be had");
    listener.local_addr().expect("it has an address").port()
}

fn get(port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.write_all(b"GET /page HTTP/1.0\r\n\r\n")?;
    let mut said = String::new();
    stream.read_to_string(&mut said)?;
    Ok(said)
}

fn wait_page(port: u16) {
    eventually("the page", LATER, || {
        let said = get(port).map_err(|error| error.to_string())?;
        check(said.ends_with("the page\n"), || said)
    });
}

fn has_python() -> bool {
    let tried = Command::new("/usr/bin/python3").arg("--version").output();
    tried.is_ok_and(|output| output.status.success())
}

// The first thing people put under a supervisor: it serves, it is killed and serves again, it stops and is gone.
#[test]
fn a_web_server_serves_again_after_it_was_killed() {
    if !has_python() {
        harness::skip!("there is no /usr/bin/python3");
    }
    let sandbox = Sandbox::new();
    let dir = sandbox.open_dir("pages");
    std::fs::write(dir.join("page"), "the page\n").expect("a file can be written");
    let port = free_port();
    let cmd = json!([
        "/usr/bin/python3",
        "-m",
        "http.server",
        port.to_string(),
        "--bind",
        "127.0.0.1"
    ]);
    let keys = json!({"cmd": cmd, "workingdir": dir, "stdout": sandbox.path("web.out"), "autorestart": "always"});
    let daemon = Daemon::start(sandbox, json!({"web": keys}));
    wait_page(port);
    let first = daemon.wait_state("web", State::Running).pid;
    proc::signal(first.expect("a pid"), nix::sys::signal::Signal::SIGKILL);
    daemon.wait_status("web", "running anew", |status| {
        status.state == State::Running && status.pid != first
    });
    wait_page(port);
    assert_eq!(only(&daemon.rpc().restart(&["web"])), Verdict::Started);
    wait_page(port);
    assert_eq!(only(&daemon.rpc().stop(&["web"])), Verdict::Stopped);
    assert!(get(port).is_err(), "it still serves");
    let log = String::from_utf8_lossy(&daemon.sandbox().read("web.out")).into_owned();
    assert!(log.contains("GET /page"), "{log}");
}

#[test]
fn a_web_server_runs_as_the_user_it_was_given_to() {
    skip_unless_root!();
    if !has_python() {
        harness::skip!("there is no /usr/bin/python3");
    }
    let user = User::new();
    let sandbox = Sandbox::new();
    let dir = sandbox.open_dir("pages");
    std::fs::write(dir.join("page"), "the page\n").expect("a file can be written");
    let port = free_port();
    let cmd = json!([
        "/usr/bin/python3",
        "-m",
        "http.server",
        port.to_string(),
        "--bind",
        "127.0.0.1"
    ]);
    let keys = json!({"cmd": cmd, "workingdir": dir, "user": user.name});
    let daemon = Daemon::start(sandbox, json!({"web": keys}));
    wait_page(port);
    let uids = proc::status(daemon.pid("web"), "Uid").expect("a process");
    assert_eq!(uids, [user.uid.to_string().as_str(); 4].join("\t"));
}

// A shell on a terminal is interactive, a cat waits for words that never come, a date is done at once.
#[test]
fn the_tools_of_every_day_are_what_they_are_elsewhere() {
    let sandbox = Sandbox::new();
    let out = |name: &str| sandbox.path(&format!("{name}.out"));
    let programs = json!({
        "shell": {"cmd": "sh -i", "starttime": "100ms"},
        "cat": {"cmd": "/bin/cat", "starttime": "100ms"},
        "catnone": {"cmd": "/bin/cat", "tty": "none", "starttime": 0, "autorestart": "never"},
        "date": {"cmd": "date +%s", "starttime": 0, "autorestart": "never", "stdout": out("date")},
        "env": {"cmd": "env", "starttime": 0, "autorestart": "never", "stdout": out("env"),
                "env": {"ANSWER": 42}, "inherit_env": false},
        "false": {"cmd": "false", "startretries": 0},
        "yes": {"cmd": "yes", "stdout": "discard", "tty": "none", "starttime": "100ms"},
        "quoted": {"cmd": "printf '%s|' 'a b' \"c\" d\\ e", "starttime": 0, "autorestart": "never",
                   "stdout": out("quoted")},
        "pipe": {"cmd": ["sh", "-c", "yes | head -1"], "starttime": 0, "autorestart": "never",
                 "tty": "none", "stdout": out("pipe")},
    });
    let daemon = Daemon::start(sandbox, programs);
    for name in ["shell", "cat", "yes"] {
        daemon.wait_state(name, State::Running);
    }
    for name in ["catnone", "date", "env", "quoted", "pipe"] {
        let status = daemon.wait_state(name, State::Exited);
        assert_eq!(status.exit, Some(Exit::Code(0)), "{name}");
    }
    let status = daemon.wait_state("false", State::Fatal);
    assert_eq!(status.exit, Some(Exit::Code(1)));
    eventually("a prompt of the shell", SOON, || {
        let tail = daemon.rpc().tail("shell", Stream::Stdout, 1000);
        let tail = String::from_utf8_lossy(&tail).into_owned();
        check(tail.ends_with("# ") || tail.ends_with("$ "), || tail)
    });
    let read = |name: &str| {
        let bytes = daemon.sandbox().read(&format!("{name}.out"));
        String::from_utf8_lossy(&bytes).into_owned()
    };
    assert!(
        read("date").trim().parse::<u64>().is_ok(),
        "{}",
        read("date")
    );
    assert!(read("env").lines().any(|line| line == "ANSWER=42"));
    assert_eq!(read("quoted"), "a b|c|d e|");
    assert_eq!(read("pipe"), "y\n");
    let stopped = daemon.rpc().stop(&["cat", "yes"]);
    let done = stopped.iter().all(|one| one.result == Verdict::Stopped);
    assert!(done, "{stopped:?}");
}
