//! Much is typed at once, and the process does not read it, or not yet.

use std::io::ErrorKind;
use std::io::Write;

use harness::seat::{size, wait_window, wanting};
use harness::{
    Daemon, LATER, SOON, Sandbox, Seat, Sitting, Verdict, check, eventually, json, only, proc,
};
use nix::sys::signal::Signal;
use shared::api::AttachParams;
use shared::frame::Frame;

/// How much the daemon may grow for one client, in KiB.
const GROWTH_KIB: u64 = 2 * 1024;

/// A megabyte in which every part is different.
fn paste() -> String {
    (0..131_072).map(|number| format!("{number:07}-")).collect()
}

/// A process on a terminal in this state, which does this when it is told to go on.
fn deaf(stty: &str, then: &str) -> Daemon {
    let sandbox = Sandbox::new();
    let script = format!("stty {stty}; echo listening; kill -STOP $$; {then}");
    let programs = json!({
        "p": {"cmd": ["sh", "-c", script], "stdout": sandbox.path("p.out"), "stopsignal": "KILL"},
        "q": {"cmd": "cat"},
    });
    let daemon = Daemon::start(sandbox, programs);
    proc::wait_stopped(daemon.pid("p"));
    daemon
}

/// Waits until the process has read all of it.
#[track_caller]
fn wait_read(daemon: &Daemon, paste: &str) {
    let want = format!("listening\n{paste}");
    eventually("all of the paste", LATER, || {
        let log = daemon.sandbox().read("p.out");
        check(log.len() >= want.len(), || format!("{} bytes", log.len()))
    });
    let log = daemon.sandbox().read("p.out");
    assert!(log == want.as_bytes(), "other bytes");
}

// With the terminal's echo on, what is typed comes back, and nobody may wait for the other.
#[test]
fn a_paste_that_nobody_reads_can_be_left() {
    for stty in ["raw -echo", "raw echo", "sane"] {
        let daemon = deaf(stty, "exec cat");
        let mut sitting = Sitting::at(&daemon, &["p"]);
        sitting.term.wait_shown("listening");
        let before = daemon.rss_kib();
        sitting.term.send_all(&paste());
        let mut other = Seat::take(&daemon, "q");
        other.type_in("served\n");
        other.wait_output("served\r\nserved\r\n");
        let grown = daemon.rss_kib().saturating_sub(before);
        assert!(grown < GROWTH_KIB, "{stty}: grown by {grown} KiB");
        sitting.term.send("\x1d");
        sitting.wait_code(0);
        daemon.wait_log(&["detached from p"]);
    }
}

#[test]
fn a_paste_is_whole_when_it_is_read_at_last() {
    let paste = paste();
    let daemon = deaf("raw -echo", &format!("exec head -c {}", paste.len()));
    let pid = daemon.pid("p");
    let mut sitting = Sitting::at(&daemon, &["p"]);
    sitting.term.wait_shown("listening");
    sitting.term.send_all(&paste);
    proc::signal(pid, Signal::SIGCONT);
    let want = format!("listening\n{paste}");
    eventually("all of the paste", LATER, || {
        let log = daemon.sandbox().read("p.out");
        check(log.len() >= want.len(), || format!("{} bytes", log.len()))
    });
    assert!(
        daemon.sandbox().read("p.out") == want.as_bytes(),
        "other bytes"
    );
}

/// Sends frames until nobody takes more; what is left of them.
#[track_caller]
fn stuff(daemon: &Daemon, seat: &mut Seat, frames: &[u8]) -> Vec<u8> {
    let mut rest = frames;
    let stream = seat.stream();
    stream.set_nonblocking(true).expect("a flag can be set");
    eventually("a full connection", SOON, || {
        let full = match stream.write(rest) {
            Ok(count) => {
                rest = &rest[count..];
                false
            }
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        };
        let sleeps = proc::stat(daemon.daemon_pid()).is_some_and(|stat| stat.state == 'S');
        check(full && sleeps, || format!("{} bytes are left", rest.len()))
    });
    stream.set_nonblocking(false).expect("a flag can be set");
    stream
        .set_write_timeout(Some(SOON))
        .expect("a limit can be set");
    rest.to_vec()
}

/// A megabyte of frames.
fn frames() -> Vec<u8> {
    Frame::Input(vec![b'x'; 32 * 1024]).to_bytes().repeat(32)
}

// What was typed was for the process that is dead, and nobody waits for one that is not there.
#[test]
fn who_is_held_back_goes_on_when_the_process_ends() {
    let daemon = deaf("raw -echo", "exec cat");
    let mut seat = Seat::take(&daemon, "p");
    let rest = stuff(&daemon, &mut seat, &frames());
    proc::signal(daemon.pid("p"), Signal::SIGKILL);
    let next = seat.wait_restarted();
    proc::wait_stopped(next);
    proc::signal(next, Signal::SIGCONT);
    seat.stream().write_all(&rest).expect("the rest is taken");
    seat.type_in("hello");
    eventually("the last word", SOON, || {
        let log = daemon.sandbox().read("p.out");
        check(log.ends_with(b"hello"), || format!("{} bytes", log.len()))
    });
    // And where there is no next one.
    proc::signal(next, Signal::SIGSTOP);
    let rest = stuff(&daemon, &mut seat, &frames());
    assert_eq!(only(&daemon.rpc().stop(&["p"])), Verdict::Stopped);
    seat.stream().write_all(&rest).expect("the rest is taken");
    seat.leave();
}

// However much a connection holds, its end is found, and before it what was typed.
#[test]
fn who_types_much_and_hangs_up_is_let_go() {
    let sandbox = Sandbox::new();
    let programs = json!({"off": {"cmd": "cat", "autostart": false}, "deaf": {
        "cmd": ["sh", "-c", "stty raw -echo; kill -STOP $$"], "stopsignal": "KILL"}});
    let daemon = Daemon::start(sandbox, programs);
    proc::wait_stopped(daemon.pid("deaf"));
    let words = Frame::Input(vec![b'x'; 6500]).to_bytes().repeat(20);
    for name in ["off", "deaf"] {
        let mut seat = Seat::take(&daemon, name);
        seat.stream().write_all(&words).expect("it is taken");
        drop(seat);
        daemon.wait_log(&["detached from ", name]);
    }
}

// Words of all lengths, from one who is faster than the process.
#[test]
fn nothing_that_was_taken_is_lost() {
    let paste = paste();
    let daemon = deaf("raw -echo", &format!("exec head -c {}", paste.len()));
    let mut seat = Seat::take(&daemon, "p");
    let mut lengths = [65_536, 4_000, 1, 8_000, 300, 30_000].into_iter().cycle();
    let (mut rest, mut frames) = (paste.as_bytes(), Vec::new());
    while !rest.is_empty() {
        let length = lengths.next().unwrap_or(1).min(rest.len());
        let (word, after) = rest.split_at(length);
        Frame::Input(word.into()).encode(&mut frames);
        rest = after;
    }
    let stuck = stuff(&daemon, &mut seat, &frames);
    proc::signal(daemon.pid("p"), Signal::SIGCONT);
    seat.stream().write_all(&stuck).expect("the rest is taken");
    wait_read(&daemon, &paste);
}

// As much as the command line holds; a request holds less.
#[test]
fn a_long_text_is_sent_whole() {
    let daemon = deaf("raw -echo", "exec cat");
    let text = &paste()[..50_000];
    let sent = daemon.ctl().run(&["--json", "send", "p", text]);
    assert_eq!((sent.code, sent.err.as_str()), (Some(0), ""));
    assert_eq!(sent.out, "{\"bytes\":50000}\n");
    proc::signal(daemon.pid("p"), Signal::SIGCONT);
    wait_read(&daemon, text);
}

// What is too much is refused, and what was not too much has been typed by then.
#[test]
fn of_a_text_that_is_too_long_it_is_told_how_much_was_sent() {
    let daemon = deaf("raw -echo", "exec cat");
    let text = &paste()[..120_000];
    let sent = daemon.ctl().run(&["send", "p", text]);
    assert_eq!(sent.code, Some(1), "{sent:?}");
    assert_eq!(
        sent.out,
        "ERROR: p does not read what is typed; try again\n"
    );
    let told = sent.err.strip_prefix("only ");
    let told = told.and_then(|told| told.strip_suffix(" of 120000 bytes were typed\n"));
    let count: usize = told.and_then(|told| told.parse().ok()).expect(&sent.err);
    proc::signal(daemon.pid("p"), Signal::SIGCONT);
    wait_read(&daemon, &text[..count]);
}

// He who types much waits, and he alone: what others have to say is not typed.
#[test]
fn others_are_heard_while_nothing_that_is_typed_is_read() {
    let daemon = deaf("raw -echo", "exec cat");
    let mut eager = Seat::take(&daemon, "p");
    stuff(&daemon, &mut eager, &frames());
    let mut watcher = Seat::take_as(
        &daemon,
        AttachParams {
            read_only: true,
            ..wanting("p")
        },
    );
    watcher.wait_snapshot();
    watcher.send(&Frame::Redraw);
    assert!(watcher.wait_snapshot().contains("listening"));
    let mut typist = Seat::take(&daemon, "p");
    typist.send(&Frame::Resize(size(31, 101)));
    wait_window(daemon.pid("p"), 31, 101);
    typist.leave();
    watcher.leave();
}
