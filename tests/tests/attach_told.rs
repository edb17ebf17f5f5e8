//! The client attached: what its user is told in lines of its own.

use harness::fake::running;
use harness::{Ctl, Daemon, Exit, SOON, Sandbox, Seat, Sitting, State, json};
use nix::sys::signal::Signal;
use shared::api::{Attached, Exited, Restarted, Tty};
use shared::frame::Frame;

// As `status` has it: what is started again by itself does not wait for somebody to do it.
#[test]
fn on_arrival_it_is_told_why_it_is_down_and_until_when() {
    let keys = json!({"cmd": "sh -c 'exit 3'", "starttime": 0, "autorestart": "always",
        "restart_delay": "90s"});
    let daemon = Daemon::start(Sandbox::new(), json!({"flaky": keys}));
    daemon.wait_state("flaky", State::Exited);
    let mut sitting = Sitting::at(&daemon, &["flaky"]);
    sitting
        .term
        .wait_for("[flaky is EXITED: exited with status 3; next try in ");
    sitting.term.send("\x1d");
    sitting.wait_code(0);
}

// Who waits is told what he waits for, and whether for anything.
#[test]
fn a_reload_that_moves_or_takes_back_a_restart_is_told() {
    let flaky = |delay, autorestart| {
        json!({"flaky": {"cmd": "sh -c 'exit 3'", "starttime": 0, "restart_delay": delay,
            "autorestart": autorestart}})
    };
    let daemon = Daemon::start(Sandbox::new(), flaky("90s", "always"));
    daemon.wait_state("flaky", State::Exited);
    let mut sitting = Sitting::at(&daemon, &["flaky"]);
    let term = &mut sitting.term;
    let line = "[flaky is EXITED: exited with status 3; ";
    term.wait_for(&format!("{line}next try in "));
    daemon.reload(&flaky("15000500s", "always"));
    term.wait_for(&format!("{line}next try in 15000"));
    daemon.reload(&flaky("15000500s", "never"));
    term.wait_for(&format!("{line}waiting for a start"));
    term.send("\x1d");
    sitting.wait_code(0);
}

// There was no process that could have exited with anything.
#[test]
fn what_cannot_be_started_is_not_told_to_have_ended() {
    let keys = json!({"cmd": "/nonexistent/x", "autostart": false, "startretries": 0});
    let daemon = Daemon::start(Sandbox::new(), json!({"bad": keys}));
    let mut sitting = Sitting::at(&daemon, &["bad"]);
    let term = &mut sitting.term;
    term.wait_for("[bad is STOPPED; waiting for a start; Ctrl-] detaches]");
    daemon.rpc().start(&["bad"]);
    let line = "[cannot start bad: can't find command '/nonexistent/x'; it is FATAL]";
    term.wait_for(line);
    sitting.wait_code(7);
    // Who waits for another start hears of that one, though nothing looks different afterwards.
    let mut sitting = Sitting::at(&daemon, &["bad"]);
    let term = &mut sitting.term;
    term.wait_for("waiting for a start; ");
    daemon.rpc().start(&["bad"]);
    term.wait_for(line);
    sitting.wait_code(7);
}

// What it writes would be typed on its own screen, and painted again, for ever. Others stay attached, and who led leads.
#[test]
fn nobody_attaches_to_the_terminal_at_which_he_sits() {
    let sandbox = Sandbox::new();
    let ctl = Ctl::new(&sandbox.path("sock")).words();
    let keys = json!({"cmd": "sh -i", "env": {"CTL": ctl, "PS1": "shell> "}});
    let daemon = Daemon::start(sandbox, json!({"sh": keys}));
    let mut seat = Seat::take(&daemon, "sh");
    for line in [
        "$CTL attach sh",
        "echo x | $CTL fg sh",
        "$CTL attach --steal sh",
        // Without one of its own, and yet on that of the process.
        "setsid --wait $CTL attach sh",
        "echo x | setsid --wait $CTL attach sh",
        // With a terminal of its own between.
        "script -qec \"$CTL attach sh\" /dev/null",
    ] {
        seat.type_in(&format!("{line}; echo code=$?.\r"));
        let seen = seat.wait_output("sh: ERROR (you are at its terminal already)\r\ncode=1.");
        let led = seen.iter().any(|frame| matches!(frame, Frame::Leader(_)));
        assert!(!led, "{line}: {seen:?}");
    }
    seat.leave();
    daemon.wait_log(&["detached from sh"]);
    assert_eq!(daemon.log().join("\n").matches("attached to sh").count(), 1);
}

// The output goes into a file, and what is said onto the terminal.
#[test]
fn what_is_said_beside_redirected_output_begins_at_the_left() {
    let (mut sitting, mut visitor) = Sitting::with(&[], ">out");
    visitor.answer(&json!(Attached {
        tty: Tty::None,
        ..running()
    }));
    visitor.send(&Frame::Stderr(b"one\ntwo\n".to_vec()));
    sitting.term.wait_for("\none\ntwo");
    visitor.send(&Frame::Exited(Exited {
        exit: Some(Exit::Code(1)),
        state: State::Backoff,
        retry_in_ms: Some(2000),
        gone: false,
        reason: None,
        starts: 1,
    }));
    visitor.send(&Frame::Restarted(Restarted {
        pid: 12,
        tty: Tty::Full,
    }));
    let line =
        "\n[w exited with status 1, next try in 2 s; Ctrl-] detaches]\n[w runs again, pid 12]";
    sitting.term.wait_for(line);
    sitting.term.send("\x1d");
    sitting.wait_code(0);
}

// Of lines nothing but a word can make up for what was left out; a screen is as it would be.
#[test]
fn who_was_too_slow_for_lines_is_told_how_much_was_left_out() {
    for (tty, want) in [
        (Tty::None, "one\n[5 bytes were skipped]\nlast"),
        (Tty::Full, "last"),
    ] {
        let (mut sitting, mut visitor) = Sitting::new(&[]);
        visitor.answer(&json!(Attached { tty, ..running() }));
        visitor.send(&Frame::Snapshot(Vec::new()));
        visitor.send(&Frame::Output(b"one\r\n".to_vec()));
        sitting.term.wait_for("one");
        visitor.send(&Frame::Skipped(5));
        visitor.send(&Frame::Snapshot(b"last\r\n".to_vec()));
        sitting.term.wait_for("last");
        let (rows, _) = sitting.term.window();
        assert_eq!(rows.join("\n").trim_end(), want);
        sitting.term.send("\x1d");
        sitting.wait_code(0);
    }
}

// A line above the picture of a screen, and below lines, where nothing is painted over it nor it over anything.
#[test]
fn who_arrives_is_told_of_others() {
    let picture = Frame::Snapshot(b"hello\r\n".to_vec());
    let stopped = Attached {
        pid: None,
        state: State::Stopped,
        ..running()
    };
    let lines = Attached {
        tty: Tty::None,
        ..running()
    };
    for (attached, others, seen, shown) in [
        (running(), 0, "hello", "hello"),
        (running(), 1, "[1 other is attached]", "hello"),
        (
            lines,
            2,
            "[2 others are attached]",
            "hello\n[2 others are attached]",
        ),
        (
            stopped,
            2,
            "waiting for a start",
            "hello\n[2 others are attached]\n[w is STOPPED; waiting for a start; Ctrl-] detaches]",
        ),
    ] {
        let (mut sitting, mut visitor) = Sitting::new(&[]);
        visitor.answer(&json!(Attached { others, ..attached }));
        visitor.send(&picture);
        sitting.term.wait_for("hello");
        sitting.term.wait_for(seen);
        let (rows, _) = sitting.term.window();
        assert_eq!(rows.join("\n").trim_end(), shown);
        sitting.term.send("\x1d");
        sitting.wait_code(0);
    }
}

// Who reads the log to its end knows that nothing came after it.
#[test]
fn those_who_are_let_go_of_are_told_of_before_the_last_line() {
    let sandbox = Sandbox::new();
    let keys = json!({"cmd": sandbox.puppet("p", &["--on", "TERM=ignore"]), "starttime": 0,
        "stoptime": "100ms"});
    let mut daemon = Daemon::start(sandbox, json!({"p": keys}));
    daemon.sandbox().ledger("p").wait("start", 1, SOON);
    let mut seat = Seat::take(&daemon, "p");
    daemon.signal(Signal::SIGTERM);
    assert_eq!(seat.wait_detached(), "the daemon has stopped");
    assert_eq!(daemon.wait_exit(SOON).code(), Some(0));
    let log = daemon.log();
    let last_two = &log[log.len() - 2..];
    assert!(last_two[0].contains("detached from p"), "{last_two:?}");
    assert!(last_two[1].ends_with("taskmasterd stopped"), "{last_two:?}");
}
