//! The client attached: a terminal that gets another size before the client is at home in it.

use harness::fake::running;
use harness::{Sitting, json};
use shared::frame::{Frame, Size};

// The daemon takes its time, and until it has answered nobody listens for signals.
#[test]
fn a_size_that_changed_before_the_answer_is_told() {
    let (mut sitting, mut visitor) = Sitting::new(&[]);
    assert_eq!(visitor.request["params"]["rows"].as_u64(), Some(24));
    sitting.term.resize(30, 100);
    visitor.answer(&json!(running()));
    visitor.wait_frame(&Frame::Resize(Size {
        rows: 30,
        cols: 100,
        ..Size::default()
    }));
    sitting.term.send("\x1d");
    sitting.wait_code(0);
}

// Whoever is told a size leads: that of a terminal which is as it was is told once.
#[test]
fn a_size_that_did_not_change_is_not_told_again() {
    let (mut sitting, mut visitor) = Sitting::attached(&[]);
    sitting.term.send("\x1d");
    visitor.wait_gone();
    let told = |frame: &Frame| matches!(frame, Frame::Resize(_));
    assert!(!visitor.frames().iter().any(told), "{:?}", visitor.frames());
    sitting.wait_code(0);
}
