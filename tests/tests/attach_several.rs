//! Several terminals of different sizes at one process: each shows what is on the screen, whoever leads.

use harness::seat::{size, wait_window, wanting};
use harness::{Daemon, SOON, Sandbox, Seat, Sitting, check, eventually, json};
use shared::api::AttachParams;
use shared::frame::{Frame, Size};

/// Draws what a terminal of 24 rows and 80 columns has no room for, when it is told to. It does not draw again.
const DRAW: &str = r#"echo hello; read go
    i=40; while [ $i -gt 0 ]; do printf '%094d\n' $i; i=$((i-1)); done
    printf '\033[30;1Hbottom\033[1;1Htop\033[2;90HRIGHT\n'
    exec cat"#;

fn daemon(script: &str, tty: &str) -> Daemon {
    let program = json!({"cmd": ["sh", "-c", script], "tty": tty});
    Daemon::start(Sandbox::new(), json!({"p": program}))
}

/// One in front of a small terminal, and one who came last and drew on a larger one.
#[track_caller]
fn small_and_large(daemon: &Daemon) -> [Sitting; 2] {
    let mut sittings = [(); 2].map(|()| {
        let mut sitting = Sitting::at(daemon, &["p"]);
        sitting.term.wait_shown("hello");
        sitting
    });
    let large = &mut sittings[1].term;
    large.resize(30, 100);
    wait_window(daemon.pid("p"), 30, 100);
    large.send("go\r");
    for sitting in &mut sittings {
        sitting.term.wait_for("RIGHT");
    }
    sittings
}

/// Waits until the terminal shows what the daemon says is on the screen, with this among it.
#[track_caller]
fn assert_shows(sitting: &mut Sitting, daemon: &Daemon, text: &str) {
    eventually("what is on the screen", SOON, || {
        let screen = daemon.ctl().run(&["screen", "p"]).out;
        let shown = sitting.term.shown().text();
        let same = shown == screen.trim_end() && shown.contains(text);
        check(same, || {
            format!("{shown}\n--- and on the screen:\n{screen}")
        })
    });
}

#[test]
fn who_takes_the_lead_is_shown_the_screen_in_the_new_size() {
    let daemon = daemon(DRAW, "full");
    let [mut small, _large] = small_and_large(&daemon);
    small.term.send("I am small");
    assert_shows(&mut small, &daemon, "I am small");
}

#[test]
fn who_stays_when_the_leader_leaves_is_shown_the_screen_in_the_new_size() {
    let daemon = daemon(DRAW, "full");
    let [mut small, mut large] = small_and_large(&daemon);
    large.term.send("\x1d");
    large.wait_code(0);
    wait_window(daemon.pid("p"), 24, 80);
    assert_shows(&mut small, &daemon, "000027\n");
}

// A line feed on the last row of the process scrolls there, where a taller terminal has room for more.
#[test]
fn who_looks_on_from_a_taller_terminal_sees_the_screen_and_no_more() {
    let script = "echo hello; read go; printf '\\033[H\\033[2J'; seq 1 30; exec cat";
    let daemon = daemon(script, "full");
    let mut leader = Sitting::at(&daemon, &["p"]);
    leader.term.wait_shown("hello");
    let mut watcher = Sitting::at(&daemon, &["--read-only", "p"]);
    watcher.term.wait_shown("hello");
    watcher.term.resize(40, 80);
    eventually("the size is known", SOON, || {
        let attached = daemon.status("p").attached;
        let rows: Vec<u16> = attached.iter().map(|viewer| viewer.rows).collect();
        check(rows == [24, 40], || format!("{rows:?}"))
    });
    leader.term.send("go\r");
    assert_shows(&mut watcher, &daemon, "\n30");
    leader.term.send("typed\r");
    assert_shows(&mut watcher, &daemon, "typed\ntyped");
    // What it showed may have moved.
    watcher.term.resize(35, 80);
    leader.term.send("again\r");
    assert_shows(&mut watcher, &daemon, "again\nagain");
}

fn sized(rows: u16, cols: u16) -> AttachParams {
    AttachParams {
        rows,
        cols,
        ..wanting("p")
    }
}

/// Somebody who only looks on, and has seen the screen.
fn watcher(daemon: &Daemon) -> Seat {
    let looking = AttachParams {
        read_only: true,
        ..sized(24, 80)
    };
    let mut watcher = Seat::take_as(daemon, looking);
    watcher.wait_snapshot();
    watcher
}

fn snapshots(seen: &[Frame]) -> usize {
    let snapshots = seen
        .iter()
        .filter(|frame| matches!(frame, Frame::Snapshot(_)));
    snapshots.count()
}

// The terminal of who resized has changed with it, and so has what it shows.
#[test]
fn who_resizes_is_not_shown_the_screen_and_who_looks_on_is() {
    let daemon = daemon("exec cat", "full");
    let pid = daemon.pid("p");
    let mut watcher = watcher(&daemon);
    let mut leader = Seat::take_as(&daemon, sized(30, 100));
    watcher.wait_snapshot();
    leader.send(&Frame::Resize(size(31, 101)));
    watcher.wait_snapshot();
    wait_window(pid, 31, 101);
    leader.type_in("typed\n");
    let seen = leader.wait_output("typed");
    assert_eq!(snapshots(&seen), 1, "on arrival alone: {seen:?}");
}

#[test]
fn who_resizes_and_does_not_lead_is_shown_the_screen() {
    let daemon = daemon("exec cat", "full");
    let mut watcher = watcher(&daemon);
    watcher.send(&Frame::Resize(size(31, 101)));
    watcher.wait_snapshot();
}

// The process, and so the program, hears of no change, and will not draw anew.
#[test]
fn who_takes_the_lead_by_a_size_that_the_process_has_is_shown_the_screen() {
    let daemon = daemon("exec cat", "full");
    let mut small = Seat::take_as(&daemon, sized(20, 80));
    small.wait_snapshot();
    let mut large = Seat::take_as(&daemon, sized(24, 80));
    large.type_in("typed\n");
    small.wait_snapshot();
    small.wait_output("typed");
    small.send(&Frame::Resize(size(24, 80)));
    small.wait_snapshot();
    wait_window(daemon.pid("p"), 24, 80);
}

// Two fonts of different sizes: nothing moves on the screen.
#[test]
fn who_has_as_many_rows_and_columns_in_other_pixels_is_not_shown_the_screen() {
    let daemon = daemon("exec cat", "full");
    let mut first = Seat::take_as(&daemon, sized(24, 80));
    first.wait_snapshot();
    let mut second = Seat::take_as(&daemon, sized(24, 80));
    second.wait_snapshot();
    let pixels = Size {
        xpixel: 800,
        ypixel: 480,
        ..size(24, 80)
    };
    second.send(&Frame::Resize(pixels));
    second.type_in("typed\n");
    let seen = first.wait_output("typed");
    assert_eq!(snapshots(&seen), 0, "{seen:?}");
}

// A picture is for a screen: a file gets what comes, and what came through a pipe would come twice.
#[test]
fn who_has_no_terminal_and_who_looks_at_a_pipe_is_shown_nothing_anew() {
    let script = "trap 'echo heard' USR1; echo hello; sleep 1000 & while :; do wait; done";
    for (tty, rows, cols) in [("full", 0, 0), ("none", 24, 80)] {
        let daemon = daemon(script, tty);
        let mut first = Seat::take_as(&daemon, sized(rows, cols));
        first.until("hello", |frame| match frame {
            Frame::Snapshot(bytes) | Frame::Output(bytes) => {
                bytes.windows(5).any(|text| text == b"hello")
            }
            _ => false,
        });
        let _second = Seat::take_as(&daemon, sized(30, 100));
        daemon.rpc().signal("USR1", &["p"]);
        let seen = first.wait_output("heard");
        assert_eq!(snapshots(&seen), 0, "{tty}: {seen:?}");
    }
}

// Nothing is drawn there, and the client's own line that tells of the end would be painted over.
#[test]
fn what_the_dead_have_left_is_not_shown_anew() {
    let daemon = daemon("exec cat", "full");
    let mut first = Seat::take(&daemon, "p");
    daemon.rpc().stop(&["p"]);
    first.wait_exited();
    let _second = Seat::take_as(&daemon, sized(30, 100));
    daemon.rpc().start(&["p"]);
    let seen = first.until("RESTARTED", |frame| matches!(frame, Frame::Restarted(_)));
    assert_eq!(snapshots(&seen), 0, "{seen:?}");
}
