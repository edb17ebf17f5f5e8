//! Questions to a terminal that does not get to see them: the daemon answers, once each.

use harness::{Daemon, LATER, Sandbox, Seat, check, eventually, json};
use shared::frame::Frame;

/// How often the process asks, each time behind 16 KiB of output.
const ASKED: usize = 64;

#[track_caller]
fn wait_log(daemon: &Daemon, what: &str, wanted: impl Fn(&str) -> bool) {
    eventually(what, LATER, || {
        let log = String::from_utf8_lossy(&daemon.sandbox().read("p.out")).into_owned();
        let last = log.chars().skip(log.len().saturating_sub(200));
        check(wanted(&log), || last.collect())
    });
}

// Some questions reach the terminal, some are dropped on the way, and some are asked when nothing is queued any more.
#[test]
fn each_question_is_answered_once_while_the_leader_does_not_read() {
    let script = format!(
        r"stty raw -echo
        for i in $(seq {ASKED}); do
            head -c 16384 /dev/zero | tr '\0' x
            printf '\033[6n'
        done
        echo written
        exec cat -v"
    );
    let sandbox = Sandbox::new();
    let keys = json!({"cmd": ["sh", "-c", script], "stdout": sandbox.path("p.out"),
        "autostart": false, "stopsignal": "KILL"});
    let daemon = Daemon::start(sandbox, json!({"p": keys}));
    let mut seat = Seat::take(&daemon, "p");
    daemon.rpc().start(&["p"]);
    wait_log(&daemon, "all questions", |log| log.contains("written"));
    let (mut seen, mut shown) = (Vec::new(), Vec::new());
    seat.until("the end of the output", |frame| {
        match frame {
            Frame::Output(bytes) => seen.extend_from_slice(bytes),
            Frame::Snapshot(bytes) => shown.extend_from_slice(bytes),
            // A question that was cut here was not seen.
            Frame::Skipped(_) => seen.push(b' '),
            _ => {}
        }
        [&seen, &shown].map(|bytes| String::from_utf8_lossy(bytes).contains("written"))
            != [false; 2]
    });
    let seen = String::from_utf8_lossy(&seen).matches("\x1b[6n").count();
    assert!(seen < ASKED, "nothing was dropped");
    seat.type_in(&"\x1b[7;7R".repeat(seen));
    let answers = |log: &str| log.matches('R').count();
    wait_log(&daemon, "all answers", |log| answers(log) >= ASKED);
    seat.type_in("THE END");
    wait_log(&daemon, "the end", |log| log.ends_with("THE END"));
    wait_log(&daemon, "no more answers", |log| answers(log) == ASKED);
}
