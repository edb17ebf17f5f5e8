//! The client attached: what is typed, and the key that detaches.

use harness::fake::Visitor;
use harness::{SOON, Sitting, check, eventually, throughout};
use shared::api::Tty;
use shared::frame::Frame;
use std::time::Duration;

const ENCODINGS: [&str; 7] = [
    "\x1d",
    "\x1b[93;5u",
    "\x1b[93;133u",
    "\x1b[93;5:1u",
    "\x1b[93;7u",
    "\x1b[27;5;93~",
    "\x1b[27;7;93~",
];

fn detaches(visitor: &mut Visitor) {
    visitor.wait_frame(&Frame::Detach);
    visitor.wait_gone();
}

// A terminal sends the key in one of several ways, as the process has told it to.
#[test]
fn the_key_detaches_in_every_encoding() {
    for key in ENCODINGS {
        let (mut sitting, mut visitor) = Sitting::attached(&[]);
        sitting.term.send(key);
        detaches(&mut visitor);
        sitting.wait_code(0);
        assert_eq!(visitor.input(), b"", "{key:?}");
        sitting.term.wait_for("[detached from w]");
    }
}

#[test]
fn what_was_typed_ahead_reaches_the_process() {
    let (mut sitting, mut visitor) = Sitting::attached(&[]);
    sitting.term.send("ls -l\r\x1d");
    detaches(&mut visitor);
    sitting.wait_code(0);
    assert_eq!(visitor.input(), b"ls -l\r");
}

#[test]
fn the_key_twice_is_typed_once() {
    let (mut sitting, mut visitor) = Sitting::attached(&[]);
    sitting.term.send("\x1d\x1d");
    visitor.wait_input(b"\x1d");
    throughout("the attachment", Duration::from_millis(300), || {
        let detached = visitor.frames().contains(&Frame::Detach);
        check(!detached, || "detached".into())
    });
    sitting.term.send("x\x1d");
    detaches(&mut visitor);
    sitting.wait_code(0);
    assert_eq!(visitor.input(), b"\x1dx");
}

#[test]
fn in_a_paste_the_key_is_text() {
    let (mut sitting, mut visitor) = Sitting::attached(&[]);
    let paste = "\x1b[200~one\x1dtwo\x1b[201~";
    sitting.term.send(paste);
    visitor.wait_input(paste.as_bytes());
    sitting.term.send("\x1d");
    detaches(&mut visitor);
    sitting.wait_code(0);
}

// Ctrl-C, Ctrl-Z, Ctrl-S and Ctrl-\ are the process's own, and the Escape key does not wait.
#[test]
fn every_other_key_is_the_processs() {
    let (mut sitting, mut visitor) = Sitting::attached(&[]);
    sitting.term.send("\x03\x1a\x13\x11\x1c\x04\x7f\r\n\x00");
    visitor.wait_input(b"\x03\x1a\x13\x11\x1c\x04\x7f\r\n\x00");
    visitor.forget();
    sitting.term.send("\x1b");
    visitor.wait_input(b"\x1b");
    sitting.term.send("\x1d");
    sitting.wait_code(0);
}

#[test]
fn another_key_can_be_chosen() {
    let (mut sitting, mut visitor) = Sitting::attached(&["--detach-key", "ctrl-a"]);
    sitting.term.send("\x1d\x01");
    detaches(&mut visitor);
    sitting.wait_code(0);
    assert_eq!(visitor.input(), b"\x1d");
}

// On a US keyboard they take Shift, which only the byte does not tell.
#[test]
fn a_key_that_takes_shift_can_be_chosen() {
    for (key, encodings) in [
        (
            "^^",
            ["\x1e", "\x1b[54:94;6u", "\x1b[54;6u", "\x1b[27;6;94~"],
        ),
        (
            "^_",
            ["\x1f", "\x1b[45:95;6u", "\x1b[45;6u", "\x1b[27;6;95~"],
        ),
    ] {
        for pressed in encodings {
            let (mut sitting, mut visitor) = Sitting::attached(&["--detach-key", key]);
            sitting.term.send(pressed);
            detaches(&mut visitor);
            sitting.wait_code(0);
            assert_eq!(visitor.input(), b"", "{pressed:?}");
        }
    }
}

/// Types what a terminal says of itself and then what somebody types, and waits for the bell that says that nothing
/// can be typed.
#[track_caller]
fn types_to_nobody(sitting: &mut Sitting) {
    let bells = |sitting: &mut Sitting| {
        let raw = sitting.term.raw();
        raw.iter().filter(|&&byte| byte == 0x07).count()
    };
    let before = bells(sitting);
    sitting.term.send("\x1b[I\x1b[<0;12;7M");
    sitting.term.send("rm -rf\r");
    eventually("a bell", SOON, || {
        let rung = bells(sitting) - before;
        check(rung > 0, || "silence".into())
    });
}

#[test]
fn where_no_terminal_is_the_bell_rings_for_what_is_typed() {
    let (mut sitting, _visitor) = Sitting::attached_with(&[], Tty::None);
    types_to_nobody(&mut sitting);
    sitting.term.send("\x1d");
    sitting.wait_code(0);
}

#[test]
fn who_only_looks_types_nothing_but_can_leave() {
    let (mut sitting, mut visitor) = Sitting::attached(&["--read-only"]);
    assert_eq!(visitor.request["params"]["read_only"], true);
    types_to_nobody(&mut sitting);
    sitting.term.send("\x1d");
    detaches(&mut visitor);
    sitting.wait_code(0);
    assert_eq!(visitor.input(), b"");
}

// A megabyte is pasted and the daemon does not read: nothing blocks, the key is found behind it, and what was not taken
// is told.
#[test]
fn behind_a_paste_that_nobody_reads_the_key_is_found() {
    let (mut sitting, mut visitor) = Sitting::attached(&[]);
    let paste = "0123456789abcdef".repeat(64 * 1024);
    sitting.term.send_all(&paste);
    visitor.wait_input(paste.as_bytes());
    visitor.forget();
    sitting.term.send_all(&paste);
    sitting.term.send("\x1d");
    sitting.wait_code(0);
    let typed = eventually("the end", SOON, || {
        let typed = visitor.input();
        check(paste.as_bytes().starts_with(&typed), || {
            "other bytes".into()
        })
        .map(|()| typed)
    });
    assert!(!typed.is_empty());
    let lost = paste.len() - typed.len();
    let line = format!("[w did not read what was typed; at least {lost} bytes are lost]");
    sitting.term.wait_for(&line);
}

// More than is kept for a process that does not read: what is too much is lost, and the key is not.
#[test]
fn behind_a_paste_that_does_not_fit_the_key_is_found() {
    let (mut sitting, visitor) = Sitting::attached(&[]);
    sitting
        .term
        .send_all(&"0123456789abcdef".repeat(320 * 1024));
    sitting.term.send("\x1d");
    sitting.wait_code(0);
    sitting.term.wait_for("[w did not read what was typed; ");
    sitting.term.wait_for("[detached from w]");
    drop(visitor);
}
