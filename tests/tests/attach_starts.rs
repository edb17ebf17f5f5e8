//! Attached to a process that starts, on another terminal than before or not at all: the client is told so.

use harness::{Daemon, Sandbox, Seat, Sitting, State, Value, json};
use shared::api::Exited;
use shared::frame::Frame;

const REASON: &str = "can't find command '/nonexistent/x'";

fn daemon(retries: u32) -> Daemon {
    let program: Value =
        json!({"cmd": "/nonexistent/x", "autostart": false, "startretries": retries});
    Daemon::start(Sandbox::new(), json!({"bad": program}))
}

/// Reads until an EXITED: it, and how often it was said before that the process runs.
#[track_caller]
fn wait_exited(seat: &mut Seat) -> (Exited, usize) {
    let mut seen = seat.until("EXITED", |frame| matches!(frame, Frame::Exited(_)));
    let Some(Frame::Exited(exited)) = seen.pop() else {
        panic!("{seen:?}")
    };
    let begins = |frame: &&Frame| matches!(frame, Frame::Restarted(_));
    (exited, seen.iter().filter(begins).count())
}

// A process that never was one has no status that would explain anything.
#[test]
fn who_waits_for_a_process_that_cannot_be_started_is_told_why() {
    let daemon = daemon(0);
    let mut seat = Seat::take(&daemon, "bad");
    assert_eq!(seat.attached.reason, None);
    daemon.rpc().start(&["bad"]);
    let (exited, _) = wait_exited(&mut seat);
    assert_eq!(exited.state, State::Fatal, "{exited:?}");
    assert_eq!(exited.reason.as_deref(), Some(REASON));
    let late = Seat::take(&daemon, "bad");
    assert_eq!(late.attached.reason.as_deref(), Some(REASON));
}

#[test]
fn what_never_became_its_program_does_not_run_again() {
    let daemon = daemon(2);
    let mut seat = Seat::take(&daemon, "bad");
    daemon.rpc().start(&["bad"]);
    for state in [State::Backoff, State::Backoff, State::Fatal] {
        let (exited, begun) = wait_exited(&mut seat);
        assert_eq!((exited.state, begun), (state, 0), "{exited:?}");
        assert_eq!(exited.reason.as_deref(), Some(REASON));
    }
}

// Both come in one turn, and the end with them.
#[test]
fn what_a_process_writes_comes_behind_its_beginning() {
    let program = json!({"cmd": "echo hello", "autostart": false, "starttime": 0});
    let daemon = Daemon::start(Sandbox::new(), json!({"p": program}));
    let mut seat = Seat::take(&daemon, "p");
    seat.wait_snapshot();
    for _ in 0..20 {
        daemon.rpc().start(&["p"]);
        let seen = seat.until("EXITED", |frame| matches!(frame, Frame::Exited(_)));
        let at = |wanted: fn(&Frame) -> bool| seen.iter().position(wanted);
        let begun = at(|frame| matches!(frame, Frame::Restarted(_)));
        let wrote = at(|frame| matches!(frame, Frame::Output(_)));
        assert!(begun.is_some() && begun < wrote, "{seen:?}");
    }
}

// It may have died before anybody looked whether it lives.
#[test]
fn what_ran_for_no_time_has_run() {
    let program = json!({"cmd": "/bin/true", "autostart": false, "starttime": 0});
    let daemon = Daemon::start(Sandbox::new(), json!({"p": program}));
    let mut seat = Seat::take(&daemon, "p");
    for _ in 0..200 {
        daemon.rpc().start(&["p"]);
        let (exited, begun) = wait_exited(&mut seat);
        assert_eq!((exited.state, begun), (State::Exited, 1), "{exited:?}");
    }
}

// Behind a pipe a line begins at the left; on a terminal it does where the program has it.
#[test]
fn an_attachment_goes_on_after_a_reload_that_changes_the_terminal() {
    let programs = |tty: &str| {
        let script = format!("stty -onlcr 2>/dev/null; printf '{tty}\\nbelow'; exec sleep 1000");
        json!({"p": {"cmd": ["sh", "-c", script], "tty": tty}})
    };
    let daemon = Daemon::start(Sandbox::new(), programs("none"));
    let mut sitting = Sitting::at(&daemon, &["--history", "9", "p"]);
    sitting.term.wait_for("\nnone\nbelow");
    daemon.reload(&programs("full"));
    sitting.term.wait_for("\nfull\n    below");
    daemon.reload(&programs("none"));
    sitting.term.wait_for("]\nnone\nbelow");
    sitting.term.send("\x1d");
    sitting.wait_code(0);
}
