//! The client attached: output and errors of a process on one terminal.

use harness::fake::{Visitor, running};
use harness::{SOON, Sitting, check, eventually, json};
use shared::api::{Attached, Exited, Tty};
use shared::frame::{FRAME_LEN_MAX, Frame};
use shared::state::{Exit, State};

/// At the terminal of a process with a pipe for its errors.
fn split() -> (Sitting, Visitor) {
    let (mut sitting, mut visitor) = Sitting::new(&[]);
    visitor.answer(&json!(Attached {
        tty: Tty::Split,
        ..running()
    }));
    visitor.send(&Frame::Snapshot(b"hello".to_vec()));
    sitting.term.wait_for("hello");
    (sitting, visitor)
}

fn output(visitor: &mut Visitor, text: &str) {
    visitor.send(&Frame::Output(text.into()));
}

fn errors(visitor: &mut Visitor, text: &str) {
    visitor.send(&Frame::Stderr(text.into()));
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
    output(&mut visitor, "\x1b[38;5;1");
    errors(&mut visitor, "one\n");
    errors(&mut visitor, "two\n");
    output(&mut visitor, "2mred\x1b]0;ti");
    errors(&mut visitor, "three\n");
    output(&mut visitor, "tle");
    output(&mut visitor, "\x07\x1b[m.");
    let told = wait_told(&mut sitting, "\x1b[m.");
    assert_eq!(
        told,
        "\x1b[38;5;12mone\r\ntwo\r\nred\x1b]0;title\x07three\r\n\x1b[m."
    );
}

#[test]
fn output_gets_into_no_sequence_of_the_errors() {
    let (mut sitting, mut visitor) = split();
    errors(&mut visitor, "bad: \x1b[3");
    output(&mut visitor, "out");
    errors(&mut visitor, "1mred\x1b[m\n");
    output(&mut visitor, ".");
    let told = wait_told(&mut sitting, ".");
    assert_eq!(told, "bad: out\x1b[31mred\x1b[m\r\n.");
}

// A sequence that is never whole hides them for a while only.
#[test]
fn of_errors_no_more_waits_than_a_frame_holds() {
    let (mut sitting, mut visitor) = split();
    output(&mut visitor, "\x1b]0;never whole");
    errors(&mut visitor, &"x".repeat(FRAME_LEN_MAX));
    errors(&mut visitor, "y");
    let told = wait_told(&mut sitting, "y");
    assert!(told.starts_with("\x1b]0;never whole\x18xx"), "{told:?}");
    // The same within the errors.
    errors(&mut visitor, "\x1b]0;");
    errors(&mut visitor, &"x".repeat(FRAME_LEN_MAX));
    output(&mut visitor, "z");
    let told = wait_told(&mut sitting, "z");
    assert!(told.ends_with("xx\x18z"), "{told:?}");
}

// What it said last is what one wants to read.
#[test]
fn errors_that_wait_are_shown_before_the_end_is_told() {
    let (mut sitting, mut visitor) = split();
    output(&mut visitor, "\x1b[3");
    errors(&mut visitor, "fatal\n");
    visitor.send(&Frame::Exited(Exited {
        exit: Some(Exit::Code(1)),
        state: State::Exited,
        retry_in_ms: None,
        gone: false,
        reason: None,
        starts: 1,
    }));
    let told = wait_told(&mut sitting, "exited with status 1");
    assert!(told.starts_with("\x1b[3\x18fatal\r\n"), "{told:?}");
    sitting.wait_code(1);
}

#[test]
fn errors_that_wait_are_shown_before_a_detach() {
    let (mut sitting, mut visitor) = split();
    output(&mut visitor, "begun\x1b[3");
    errors(&mut visitor, "last words\n");
    output(&mut visitor, "\x07");
    wait_told(&mut sitting, "\x1b[3\x07");
    sitting.term.send("\x1d");
    sitting.wait_code(0);
    let told = wait_told(&mut sitting, "last words");
    assert!(
        told.starts_with("begun\x1b[3\x07\x18last words\r\n"),
        "{told:?}"
    );
}
