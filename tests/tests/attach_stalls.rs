//! Clients that do not read, or not for a while: the process goes on, the daemon stays small, and who reads again
//! sees what there is to see.

use std::time::{Duration, Instant};

use harness::seat::wanting;
use harness::{Daemon, LATER, SOON, Sandbox, Seat, check, eventually, json, pause, proc};
use nix::sys::signal::Signal;
use shared::api::AttachParams;
use shared::frame::Frame;

/// How long a client that reads may take a rest: a little less than the daemon waits for it, in milliseconds.
const REST: Duration = Duration::from_millis(80);

fn state(pid: i32) -> Option<char> {
    proc::stat(pid).map(|stat| stat.state)
}

/// A process that writes for ever.
fn flood(tty: &str) -> Daemon {
    let sandbox = Sandbox::new();
    let cmd = sandbox.puppet("p", &["--brief", "--flood", "0"]);
    let keys = json!({"cmd": cmd, "tty": tty, "stdout": "discard", "starttime": 0});
    Daemon::start(sandbox, json!({"p": keys}))
}

/// Reads a part of a flood, from which nothing may be missing.
#[track_caller]
fn read_on(seat: &mut Seat) -> Result<(), String> {
    let mut len = 0;
    let seen = seat.until("a part of the flood", |frame| {
        len += match frame {
            Frame::Output(bytes) => bytes.len(),
            _ => 0,
        };
        len > 2 * 1024 * 1024
    });
    let is_skipped = |frame: &&Frame| matches!(frame, Frame::Skipped(_));
    let skipped = seen.iter().find(is_skipped);
    let starved = skipped.is_some() && seat.was_starved();
    assert!(skipped.is_none() || starved, "{skipped:?}");
    check(!starved, || "starved".into())
}

/// Sits down before a flood and does not read until everybody waits for that.
#[track_caller]
fn rest(daemon: &Daemon) -> Result<Seat, String> {
    let params = AttachParams {
        no_replay: true,
        ..wanting("p")
    };
    let pid = daemon.pid("p");
    let mut seat = Seat::take_as(daemon, params);
    read_on(&mut seat)?;
    let start = Instant::now();
    eventually("everybody at rest", SOON, || {
        let states = [state(daemon.daemon_pid()), state(pid)];
        let rests = states == [Some('S'); 2] || start.elapsed() > REST;
        check(rests, || format!("{states:?}"))
    });
    check(start.elapsed() < REST, || "too long a rest".into()).map(|()| seat)
}

/// Does something in a rest, until that could be done while the daemon still waited.
#[track_caller]
fn rested(daemon: &Daemon, mut act: impl FnMut(&mut Seat) -> Result<(), String>) {
    eventually("a rest that was short enough", LATER, || {
        let mut seat = rest(daemon)?;
        act(&mut seat)?;
        read_on(&mut seat)
    });
}

// Whoever takes a short rest has lost nothing: the process waited.
#[test]
fn who_reads_again_soon_has_missed_nothing() {
    for tty in ["full", "none"] {
        let daemon = flood(tty);
        for _ in 0..5 {
            rested(&daemon, |_| Ok(()));
        }
    }
}

// It is the client that has to keep up, not the daemon.
#[test]
fn who_reads_while_the_daemon_does_not_run_has_missed_nothing() {
    let daemon = flood("full");
    for _ in 0..5 {
        rested(&daemon, |seat| {
            let start = Instant::now();
            daemon.signal(Signal::SIGSTOP);
            eventually("a stopped daemon", SOON, || {
                let state = state(daemon.daemon_pid());
                check(state == Some('T'), || format!("{state:?}"))
            });
            let stopped_after = start.elapsed();
            let mut next = || seat.next(Duration::from_millis(1));
            while matches!(next(), Ok(Some(_))) {}
            // Longer than it would have waited.
            pause(Duration::from_millis(150));
            daemon.signal(Signal::SIGCONT);
            let in_time = stopped_after < Duration::from_millis(10);
            check(in_time, || format!("stopped after {stopped_after:?}"))
        });
    }
}
