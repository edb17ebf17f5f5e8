//! Whoever could not look sees, when he looks again, what he would have seen all along; and nobody waited for him.

use std::fs;

use harness::bins::workspace;
use harness::referee::assert_same;
use harness::seat::wanting;
use harness::{
    Daemon, Exit, LATER, Referee, SOON, Sandbox, Seat, State, Term, check, eventually, flood, json,
    proc,
};
use nix::sys::signal::Signal;
use shared::api::AttachParams;
use shared::frame::Frame;

/// The size in which the recordings were made.
const ROWS: u16 = 30;
const COLS: u16 = 100;
/// What the process writes in lines before it draws.
const LINES_LEN: usize = 8 * 1024 * 1024;
/// How much the daemon may grow for the screen of a process and one client, in KiB.
const GROWTH_KIB: u64 = 3 * 1024;

/// A process that writes more than all buffers hold and then draws; and what a terminal shows in the end.
fn busy() -> (Daemon, Referee) {
    let path = workspace().join("tests/recordings/vim.raw");
    let mut drawing = fs::read(path).expect("a recording can be read");
    // In the middle of its work, on the alternate screen.
    drawing.truncate(drawing.len() * 3 / 5);
    let sandbox = Sandbox::new();
    let drawn = sandbox.write("drawing", &drawing).display().to_string();
    let orders = [
        "--brief",
        "--flood",
        &LINES_LEN.to_string(),
        "--raw",
        "--cat-out",
        &drawn,
    ];
    let keys =
        json!({"cmd": sandbox.puppet("p", &orders), "autostart": false, "stdout": "discard"});
    let daemon = Daemon::start(sandbox, json!({"p": keys}));
    let lines = String::from_utf8(flood(LINES_LEN)).expect("a flood is text");
    let last = &lines[lines.len() - 64 * 100..];
    let mut truth = Referee::new(ROWS, COLS);
    truth
        .feed(last.replace('\n', "\r\n").as_bytes())
        .feed(&drawing);
    (daemon, truth)
}

/// The real client, attached, on a terminal of that size.
fn attach(daemon: &Daemon) -> Term {
    let mut command = daemon.ctl().command();
    command.args(["attach", "p"]).env("TERM", "xterm");
    let mut term = Term::spawn_sized(&command, ROWS, COLS);
    term.wait_for("[p is STOPPED");
    term
}

/// Lets the process write all it has, which it does whoever looks, and the daemon come to rest.
#[track_caller]
fn run(daemon: &Daemon) {
    let before = daemon.rss_kib();
    daemon.rpc().start(&["p"]);
    daemon.sandbox().ledger("p").wait("wrote", 1, LATER);
    proc::wait_at_rest(daemon.daemon_pid());
    let grown = daemon.rss_kib().saturating_sub(before);
    assert!(grown < GROWTH_KIB, "grown by {grown} KiB");
}

#[track_caller]
fn assert_shows(term: &mut Term, truth: &Referee) {
    eventually("the truth", SOON, || {
        let (shown, truth) = (term.shown().seen(), truth.seen());
        check(shown == truth, || shown)
    });
}

#[test]
fn a_stopped_client_is_shown_the_truth_when_it_goes_on() {
    let (daemon, truth) = busy();
    let mut term = attach(&daemon);
    proc::signal(term.pid(), Signal::SIGSTOP);
    proc::wait_stopped(term.pid());
    run(&daemon);
    proc::signal(term.pid(), Signal::SIGCONT);
    assert_shows(&mut term, &truth);
}

#[test]
fn a_terminal_that_was_not_read_shows_the_truth_in_the_end() {
    let (daemon, truth) = busy();
    let mut term = attach(&daemon);
    run(&daemon);
    proc::wait_at_rest(term.pid());
    assert_shows(&mut term, &truth);
}

#[test]
fn who_reads_byte_by_byte_holds_nobody_up_and_sees_the_truth() {
    let (daemon, truth) = busy();
    let params = AttachParams {
        rows: ROWS,
        cols: COLS,
        ..wanting("p")
    };
    let mut seat = Seat::take_as(&daemon, params);
    daemon.rpc().start(&["p"]);
    let ledger = daemon.sandbox().ledger("p");
    eventually("the end of the process's work", LATER, || {
        seat.sip();
        check(!ledger.all("wrote").is_empty(), || "it writes".into())
    });
    let mut shown = Referee::new(ROWS, COLS);
    seat.until("the truth", |frame| {
        if let Frame::Output(bytes) | Frame::Snapshot(bytes) = frame {
            shown.feed(bytes);
        }
        shown.seen() == truth.seen()
    });
    assert_same(&truth.seen(), &shown.seen(), "in the end");
}

#[test]
fn who_missed_the_end_sees_the_last_words_before_it_is_told() {
    let sandbox = Sandbox::new();
    let lines = LINES_LEN.to_string();
    let orders = [
        "--brief",
        "--flood",
        &lines,
        "--write-out",
        "the last words",
        "--plan",
        "exit:3",
    ];
    let keys = json!({"cmd": sandbox.puppet("p", &orders), "autostart": false, "starttime": 0,
        "autorestart": "never", "stdout": "discard"});
    let daemon = Daemon::start(sandbox, json!({"p": keys}));
    let mut seat = Seat::take(&daemon, "p");
    daemon.rpc().start(&["p"]);
    daemon.wait_state("p", State::Exited);
    let ended =
        |frame: &Frame| matches!(frame, Frame::Exited(it) if it.exit == Some(Exit::Code(3)));
    let seen = seat.until("EXITED", ended);
    let mut shown = Referee::new(24, 80);
    for frame in &seen {
        if let Frame::Output(bytes) | Frame::Snapshot(bytes) = frame {
            shown.feed(bytes);
        }
    }
    assert!(seen.iter().any(|frame| matches!(frame, Frame::Skipped(_))));
    assert!(shown.text().ends_with("the last words"), "{}", shown.text());
}

// With --once that end is what the client waits for.
#[test]
fn who_missed_an_end_and_a_beginning_is_told_of_the_first_end_and_the_last_beginning() {
    let orders = "n=$(cat n); echo $((n + 1)) >n; yes | head -c 4000000; \
        [ $n -lt 4 ] || exec sleep 1000; exit $n";
    let sandbox = Sandbox::new();
    sandbox.write("n", b"1");
    let keys = json!({"cmd": ["sh", "-c", orders], "workingdir": sandbox.dir(), "autostart": false,
        "starttime": 0, "autorestart": "always", "stdout": "discard"});
    let daemon = Daemon::start(sandbox, json!({"p": keys}));
    let mut seat = Seat::take(&daemon, "p");
    daemon.rpc().start(&["p"]);
    eventually("the fourth process", LATER, || {
        let process = daemon.status("p");
        check(process.starts == 4, || format!("{process:?}"))
    });
    let pid = daemon.pid("p");
    assert_eq!(seat.wait_exited().exit, Some(Exit::Code(1)));
    let is_last =
        |frame: &Frame| matches!(frame, Frame::Restarted(restarted) if restarted.pid == pid);
    seat.until("the last beginning", is_last);
}
