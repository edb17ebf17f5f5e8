//! The client attached: how it leaves a terminal that others read from late, write to, or have already.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use harness::fake::running;
use harness::{SOON, Sitting, check, eventually, json, proc};
use nix::fcntl::OFlag;
use nix::sys::signal::Signal;
use shared::api::{Attached, Tty};
use shared::frame::Frame;

/// The terminal of the script, for others to write to.
fn terminal_of(sitting: &Sitting) -> File {
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let path = format!("/proc/{}/fd/0", sitting.term.pid());
    let mut options = OpenOptions::new();
    let opened = options.write(true).custom_flags(flags.bits()).open(path);
    opened.expect("a terminal can be opened again")
}

/// Writes to it until it takes no more; says how much it took.
fn fill(terminal: &mut File) -> usize {
    std::iter::from_fn(|| terminal.write(&[b'x'; 64]).ok()).sum()
}

// Nothing was painted, so there is nothing to put in order: the goodbye alone finds the terminal full.
#[test]
fn a_goodbye_that_nobody_reads_is_not_waited_for() {
    let (mut sitting, mut visitor) = Sitting::new(&["--no-replay"]);
    visitor.answer(&json!(running()));
    eventually("a terminal that was taken over", SOON, || {
        let now = sitting.term.modes();
        check(now != sitting.before, || now)
    });
    let mut terminal = terminal_of(&sitting);
    eventually("a full terminal", SOON, || {
        let taken = fill(&mut terminal);
        check(taken == 0, || format!("{taken} bytes more"))
    });
    sitting.term.send("\x1d");
    visitor.wait_frame(&Frame::Detach);
    eventually("the end of the client", SOON, || {
        fill(&mut terminal);
        check(!proc::alive(visitor.pid), || "it is there".into())
    });
    drop(terminal);
    sitting.wait_code(0);
}

// What stands behind the client in a pipe writes to the terminal as it always does.
#[test]
fn lines_of_a_pipe_behind_the_client_begin_at_the_left() {
    let (mut sitting, mut visitor) = Sitting::with(&[], "| cat");
    visitor.answer(&json!(Attached {
        tty: Tty::None,
        ..running()
    }));
    visitor.send(&Frame::Output(b"one\ntwo\n".to_vec()));
    sitting.term.wait_for("\none\ntwo");
    visitor.send(&Frame::Stderr(b"three\nfour\n".to_vec()));
    sitting.term.wait_for("\nthree\nfour");
    let raw = String::from_utf8_lossy(sitting.term.raw()).into_owned();
    assert!(!raw.contains("\r\r"), "{raw:?}");
    sitting.term.send("typed\x1d");
    visitor.wait_frame(&Frame::Detach);
    assert_eq!(visitor.input(), b"typed");
    sitting.term.wait_for("\nfour\n[detached from w]\n");
    sitting.wait_code(0);
}

// The guardian knows in what modes the client had it.
#[test]
fn a_client_killed_in_a_pipe_leaves_the_terminal_in_order() {
    let (mut sitting, mut visitor) = Sitting::with(&[], "| cat");
    visitor.answer(&json!(running()));
    visitor.send(&Frame::Output(b"output".to_vec()));
    sitting.term.wait_for("output");
    assert_ne!(sitting.term.modes(), sitting.before);
    proc::signal(visitor.pid, Signal::SIGKILL);
    eventually("the terminal as it was", SOON, || {
        let now = sitting.term.modes();
        check(now == sitting.before, || now)
    });
    sitting.wait_code(0);
}

// Nothing is to be written, and no key pressed, that would tell it.
#[test]
fn a_client_whose_reader_has_gone_leaves_at_once() {
    let (mut sitting, mut visitor) = Sitting::with(&[], "| head -n 1");
    visitor.answer(&json!(running()));
    visitor.send(&Frame::Output(b"one\r\n".to_vec()));
    sitting.term.wait_for("one");
    visitor.wait_frame(&Frame::Detach);
    visitor.wait_gone();
    sitting.wait_code(0);
}

// Some terminals obey controls of eight bits that come as characters, and others show them: nobody can tell what is on.
#[test]
fn what_only_some_terminals_obey_is_undone_on_all() {
    let (mut sitting, mut visitor) = Sitting::attached(&[]);
    visitor.send(&Frame::Output("\u{9b}?1049hDIRTY".into()));
    sitting.term.wait_for("DIRTY");
    let mark = sitting.term.raw().len();
    sitting.term.send("\x1d");
    sitting.wait_code(0);
    let told = String::from_utf8_lossy(&sitting.term.raw()[mark..]).into_owned();
    let (_, after) = told.split_once("\x1b[?1049l").expect("it is undone");
    // It brings back a cursor of long ago.
    let (_, after) = after.split_once("\x1b[9999B\r\n").expect("it goes down");
    assert!(after.contains("detached from w"), "{told:?}");
}
