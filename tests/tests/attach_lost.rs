//! A screen that nobody knows any more: the program is asked to draw it again, and from then on it is known.

use std::process::Command;

use harness::referee::assert_same;
use harness::seat::wait_window;
use harness::{Daemon, Referee, SOON, Sandbox, Seat, check, eventually, json};

/// Has a terminal work until the daemon gives up following it, and then draws if its size is another than before.
const PROGRAM: &str = r#"
import os, signal

drawn = os.get_terminal_size(0).lines

def draw(*_):
    global drawn
    rows = os.get_terminal_size(0).lines
    if rows != drawn:
        drawn = rows
        screen = "\x1b[m\x1b[H\x1b[2J\x1b[5;20Htop left\x1b[10;7H\x1b[7minverse\x1b[m"
        os.write(1, (screen + "\x1b[%d;3Hlast of %d rows" % (rows, rows)).encode())

os.write(1, b"\x1b[J" * 60000)
signal.signal(signal.SIGWINCH, draw)
open(os.environ["READY"], "w").close()
while True:
    signal.pause()
"#;

const DRAWN: &[u8] = b"\x1b[5;20Htop left\x1b[10;7H\x1b[7minverse\x1b[m\x1b[24;3Hlast of 24 rows";

fn has_python() -> bool {
    let tried = Command::new("/usr/bin/python3").arg("--version").output();
    tried.is_ok_and(|output| output.status.success())
}

/// A process whose screen nobody knows.
fn lost() -> Daemon {
    let sandbox = Sandbox::new();
    let ready = sandbox.path("ready");
    let keys = json!({"cmd": ["/usr/bin/python3", "-c", PROGRAM], "env": {"READY": ready.clone()}, "stdout": "discard"});
    let daemon = Daemon::start(sandbox, json!({"p": keys}));
    eventually("a program that waits", SOON, || {
        check(ready.exists(), || "not yet".into())
    });
    daemon
}

// The size alone would not do: a program that finds its terminal as it was has nothing to draw.
#[test]
fn a_lost_screen_comes_back_when_somebody_attaches() {
    if !has_python() {
        harness::skip!("there is no /usr/bin/python3");
    }
    let daemon = lost();
    let mut seat = Seat::take(&daemon, "p");
    seat.wait_snapshot();
    seat.wait_output("last of 23 rows");
    seat.wait_output("last of 24 rows");
    seat.leave();
    let mut truth = Referee::new(24, 80);
    truth.feed(DRAWN);
    for _ in 0..2 {
        let mut seat = Seat::take(&daemon, "p");
        let mut shown = Referee::new(24, 80);
        shown.feed(seat.wait_snapshot().as_bytes());
        assert_same(&truth.seen(), &shown.seen(), "the screen");
        seat.leave();
    }
}

// Who leaves at once takes nothing of the terminal with him.
#[test]
fn a_terminal_has_its_size_back_though_nobody_is_attached() {
    if !has_python() {
        harness::skip!("there is no /usr/bin/python3");
    }
    let daemon = lost();
    let mut seat = Seat::take(&daemon, "p");
    seat.wait_snapshot();
    seat.leave();
    wait_window(daemon.pid("p"), 24, 80);
}
