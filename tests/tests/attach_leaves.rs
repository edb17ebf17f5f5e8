//! The client attached: how it leaves a terminal that others read from late, write to, or have already.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use harness::fake::running;
use harness::{SOON, Sitting, check, eventually, json, proc};
use nix::fcntl::OFlag;
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
