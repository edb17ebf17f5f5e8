//! Clients that follow the output of a process and hang up, each in his own way: the daemon lets go of all of them.

use std::io::{BufRead, BufReader, Read};
use std::net::Shutdown;
use std::process::{Child, Stdio};
use std::time::Duration;

use harness::{Daemon, LATER, Rpc, SOON, Sandbox, State, check, eventually, json, pause, proc};
use nix::sys::signal::Signal;
use shared::api::{Call, Stream, TailParams};

/// Long enough that whoever turns in circles is seen to use the processor, on a busy machine too.
const WATCHED: Duration = Duration::from_millis(500);

/// One process that says nothing, one that never stops, and one that says more than anybody can read.
fn daemon() -> Daemon {
    let sandbox = Sandbox::new();
    let program = |ledger: &str, orders: &[&str]| {
        let cmd = sandbox.puppet(ledger, &[&["--brief"], orders].concat());
        json!({"cmd": cmd, "starttime": "50ms", "stopsignal": "KILL", "tty": "none"})
    };
    let programs = json!({
        "silent": program("s", &[]),
        "loud": program("l", &["--tick", "2ms"]),
        "flood": program("f", &["--flood", "0"]),
    });
    let daemon = Daemon::start(sandbox, programs);
    for name in ["silent", "loud", "flood"] {
        daemon.wait_state(name, State::Running);
    }
    daemon
}

/// A connection that follows the process.
#[track_caller]
fn follower(daemon: &Daemon, name: &str) -> Rpc {
    let mut rpc = daemon.rpc();
    let params = TailParams {
        name: name.parse().expect("a name"),
        stream: Stream::Stdout,
        bytes: 0,
        follow: true,
    };
    rpc.call(&Call::Tail(params)).expect("it is followed");
    rpc
}

/// `taskmasterctl tail -f`, which has printed something if there is something to print.
#[track_caller]
fn follows(daemon: &Daemon, name: &str) -> Child {
    let clients = sockets(daemon);
    let mut command = daemon.ctl().command();
    command.args(["tail", "-f", name]).stdin(Stdio::null());
    let child = command.stdout(Stdio::null()).spawn();
    eventually("one more connection", SOON, || {
        let now = sockets(daemon);
        check(now > clients, || format!("{now}"))
    });
    child.expect("taskmasterctl starts")
}

fn sockets(daemon: &Daemon) -> usize {
    count(&daemon.fds())
}

fn count(fds: &[(i32, String)]) -> usize {
    let sockets = fds.iter().filter(|(_, to)| to.starts_with("socket:"));
    sockets.count()
}

/// Waits until the daemon has no connection, only the socket it listens on; gives its descriptors then. A list of
/// them is not made at one moment, so it is one only when it is the same twice.
#[track_caller]
fn wait_alone(daemon: &Daemon, after: &str) -> Vec<(i32, String)> {
    let what = format!("the end of connections after {after}");
    eventually(&what, SOON, || {
        let (once, twice) = (daemon.fds(), daemon.fds());
        check(once == twice && count(&once) == 1, || {
            format!("{once:?}, then {twice:?}")
        })?;
        Ok::<_, String>(once)
    })
}

/// It sleeps: there is a time in which it neither wakes up nor uses the processor.
#[track_caller]
fn wait_asleep(daemon: &Daemon, after: &str) {
    let used = || (daemon.wakeups(), daemon.cpu_ms());
    eventually(&format!("sleep after {after}"), LATER, || {
        let before = used();
        pause(WATCHED);
        let now = used();
        check(now == before, || format!("{before:?}, then {now:?}"))
    });
}

// Twenty of them, some in the middle of what they are told, some that read none of it: closed, reset, killed.
#[test]
fn who_hangs_up_is_let_go_of_whatever_he_followed() {
    let daemon = daemon();
    let fds = wait_alone(&daemon, "the start");
    for name in ["silent", "loud", "flood"] {
        let mut followers: Vec<Rpc> = (0..20).map(|_| follower(&daemon, name)).collect();
        if name != "silent" {
            // Half of them read some; the others leave theirs behind unread, which resets the connection.
            for rpc in followers.iter_mut().step_by(2) {
                for _ in 0..20 {
                    rpc.line(SOON).expect("output").expect("output");
                }
            }
        }
        drop(followers);
        let left = wait_alone(&daemon, &format!("followers of {name}"));
        assert_eq!(left, fds);
        let mut children: Vec<Child> = (0..5).map(|_| follows(&daemon, name)).collect();
        for child in &mut children {
            proc::signal(child.id() as i32, Signal::SIGKILL);
            child.wait().expect("it ends");
        }
        let left = wait_alone(&daemon, &format!("tail -f {name}"));
        assert_eq!(left, fds);
    }
    daemon.rpc().stop(&["loud", "flood"]);
    wait_asleep(&daemon, "all have gone");
}

// Who only says no more goes on being told; he costs nothing meanwhile, and when he has gone, he has.
#[test]
fn who_closes_his_half_is_told_until_he_has_gone() {
    let daemon = daemon();
    daemon.rpc().stop(&["flood"]);
    let fds = wait_alone(&daemon, "the start");
    let mut loud = follower(&daemon, "loud");
    let half = loud.stream().shutdown(Shutdown::Write);
    half.expect("a half can be closed");
    for _ in 0..50 {
        loud.line(SOON).expect("output").expect("output");
    }
    daemon.rpc().stop(&["loud"]);
    let mut silent = follower(&daemon, "silent");
    let half = silent.stream().shutdown(Shutdown::Write);
    half.expect("a half can be closed");
    wait_asleep(&daemon, "two halves were closed");
    assert_eq!(sockets(&daemon), 3, "both are still there");
    drop((loud, silent));
    let left = wait_alone(&daemon, "both have gone");
    // The stopped process took its pidfd and its two pipes along.
    assert_eq!(left.len(), fds.len() - 3, "{left:?}");
    wait_asleep(&daemon, "both have gone");
}

// In each case it hears nothing but the end of the connection, and finds out the rest.
#[test]
fn tail_says_why_there_is_nothing_to_follow_any_more() {
    let sandbox = Sandbox::new();
    let keys = json!({"cmd": "cat"});
    let mut daemon = Daemon::start(sandbox, json!({"p": keys, "q": keys}));
    let follow = |daemon: &Daemon, name: &str| {
        let mut command = daemon.ctl().command();
        command.args(["tail", "-f", name]).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let mut head = [0; 29];
        let out = child.stdout.as_mut().expect("a pipe");
        out.read_exact(&mut head).expect("it begins");
        child
    };
    let ended = |child: Child| {
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        (said, output.status.code())
    };
    let child = follow(&daemon, "p");
    daemon.reload(&json!({"q": keys}));
    let want = "p is no longer in the configuration\n";
    assert_eq!(ended(child), (want.into(), Some(1)));
    let child = follow(&daemon, "q");
    daemon.stop();
    assert_eq!(ended(child), ("the daemon has stopped\n".into(), Some(7)));
}

// What it has shown so far is kept no more; what comes later is.
#[test]
fn tail_says_when_what_was_kept_is_emptied() {
    let cat = json!({"cmd": "cat"});
    let daemon = Daemon::start(Sandbox::new(), json!({"p": cat, "q": cat}));
    let json = r#"{"cleared":{"name":"q","stream":"stdout"}}"#;
    for (name, words, told) in [
        ("p", &["tail", "-f", "p"][..], "==> File truncated <=="),
        ("q", &["--json", "tail", "-f", "q"], json),
    ] {
        daemon.wait_state(name, State::Running);
        let mut command = daemon.ctl().command();
        command.args(words).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let mut heard = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        // It follows when it has shown the beginning.
        heard.next().expect("a line").expect("text");
        let cleared = daemon.ctl().run(&["clear", name]);
        assert_eq!(cleared.out, format!("{name}: cleared\n"));
        let sent = daemon.ctl().run(&["send", name, r"after\n"]);
        assert_eq!(sent.code, Some(0), "{sent:?}");
        let mut before = Vec::new();
        for line in heard.map(|line| line.expect("text")) {
            // In JSON the output is in base64.
            if line == told || line.contains("after") || line.contains("output") {
                before.push(line);
                break;
            }
        }
        assert_eq!(before, [told]);
        proc::signal(child.id() as i32, Signal::SIGKILL);
        child.wait().expect("it ends");
    }
}
