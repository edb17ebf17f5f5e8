//! The client attached: output and errors of a process on one terminal.

use harness::fake::Visitor;
use harness::{SOON, Sitting, check, eventually};
use shared::api::{Exited, Tty};
use shared::frame::{FRAME_LEN_MAX, Frame};
use shared::state::{Exit, State};

/// At the terminal of a process with a pipe for its errors.
fn split() -> (Sitting, Visitor) {
    Sitting::attached_with(&[], Tty::Split)
}

fn output(text: &str) -> Frame {
    Frame::Output(text.into())
}

fn errors(text: &str) -> Frame {
    Frame::Stderr(text.into())
}

/// At once: what waits does so for a moment only.
fn send(visitor: &mut Visitor, frames: &[Frame]) {
    let bytes: Vec<u8> = frames.iter().flat_map(Frame::to_bytes).collect();
    visitor.write(&bytes);
}

/// Waits until the terminal was told this, and gives what it was told after "hello".
#[track_caller]
fn wait_told(sitting: &mut Sitting, text: &str) -> String {
    eventually(&format!("{text:?}"), SOON, || {
        let told = String::from_utf8_lossy(sitting.term.raw()).into_owned();
        let (_, told) = told.split_once("hello").expect("it came");
        check(told.contains(text), || format!("{told:?}")).map(|()| told.to_owned())
    })
}

#[test]
fn errors_wait_until_a_sequence_is_whole() {
    let (mut sitting, mut visitor) = split();
    let frames = [
        output("\x1b[38;5;1"),
        errors("one\n"),
        errors("two\n"),
        output("2mred\x1b]0;ti"),
        errors("three\n"),
        output("tle"),
        output("\x07\x1b[m."),
    ];
    send(&mut visitor, &frames);
    let told = wait_told(&mut sitting, "\x1b[m.");
    assert_eq!(
        told,
        "\x1b[38;5;12mone\r\ntwo\r\nred\x1b]0;title\x07three\r\n\x1b[m."
    );
}

#[test]
fn output_gets_into_no_sequence_of_the_errors() {
    let (mut sitting, mut visitor) = split();
    let frames = [
        errors("bad: \x1b[3"),
        output("out"),
        errors("1mred\x1b[m\n"),
        output("."),
    ];
    send(&mut visitor, &frames);
    let told = wait_told(&mut sitting, ".");
    assert_eq!(told, "bad: out\x1b[31mred\x1b[m\r\n.");
}

// A sequence that is never whole hides them for a while only.
#[test]
fn of_errors_no_more_waits_than_a_frame_holds() {
    let (mut sitting, mut visitor) = split();
    let many = "x".repeat(FRAME_LEN_MAX);
    let frames = [output("\x1b]0;never whole"), errors(&many), errors("y")];
    send(&mut visitor, &frames);
    let told = wait_told(&mut sitting, "y");
    assert!(told.starts_with("\x1b]0;never whole\x18xx"), "{told:?}");
    // The same within the errors.
    send(
        &mut visitor,
        &[errors("\x1b]0;"), errors(&many), output("z")],
    );
    let told = wait_told(&mut sitting, "z");
    let (_, begun) = told.rsplit_once("\x1b]0;").expect("it was begun");
    assert!(begun.contains("xx\x18") && begun.ends_with('z'), "{told:?}");
}

// They may be urgent, and the rest of the sequence may never come.
#[test]
fn errors_wait_a_moment_only() {
    let (mut sitting, mut visitor) = split();
    send(&mut visitor, &[output("\x1b[3"), errors("urgent\n")]);
    let told = wait_told(&mut sitting, "urgent");
    assert!(told.starts_with("\x1b[3\x18urgent"), "{told:?}");
}

// What it said last is what one wants to read.
#[test]
fn errors_that_wait_are_shown_before_the_end_is_told() {
    let (mut sitting, mut visitor) = split();
    let exited = Frame::Exited(Exited {
        exit: Some(Exit::Code(1)),
        state: State::Exited,
        retry_in_ms: None,
        gone: false,
        reason: None,
        starts: 1,
    });
    send(&mut visitor, &[output("\x1b[3"), errors("fatal\n"), exited]);
    let told = wait_told(&mut sitting, "exited with status 1");
    assert!(told.starts_with("\x1b[3\x18fatal\r\n"), "{told:?}");
    sitting.wait_code(1);
}

// At once, so that it ends before they have waited long enough.
#[test]
fn errors_that_wait_are_shown_before_a_detach() {
    let (mut sitting, mut visitor) = split();
    let frames = [
        output("begun\x1b[3"),
        errors("last words\n"),
        output("\x07"),
        Frame::Detached("thrown out".into()),
    ];
    send(&mut visitor, &frames);
    sitting.wait_code(1);
    let told = wait_told(&mut sitting, "thrown out");
    assert!(
        told.starts_with("begun\x1b[3\x07\x18last words\r\n"),
        "{told:?}"
    );
}

// Only who knows of it waits for the answer, which would be typed into the shell.
#[test]
fn an_answer_to_errors_that_waited_is_read_by_nobody() {
    let (mut sitting, mut visitor) = split();
    let frames = [
        output("\x1b[3"),
        errors("\x1b[casked"),
        Frame::Detached("thrown out".into()),
    ];
    send(&mut visitor, &frames);
    let told = wait_told(&mut sitting, "\x1b[5n");
    assert!(told.starts_with("\x1b[3\x18\x1b[casked"), "{told:?}");
    sitting.term.send("\x1b[?62;22c\x1b[0n");
    sitting.wait_code(1);
    sitting.term.send("the end\r");
    sitting.term.wait_for("shell\nthe end\nthe end");
}
