//! The client attached: what it leaves on the user's screen. Nothing is overwritten, and each of its own lines stands
//! in a row by itself.

use harness::fake::{Visitor, running};
use harness::{SOON, Sitting, check, eventually, json};
use nix::sys::signal::Signal;
use shared::api::{Exited, Restarted, Tty};
use shared::frame::Frame;
use shared::state::{Exit, State};

/// A screen of a shell that has cleared it and written six lines.
const SHELL: &[u8] = b"\x1b[H\x1b[2J\x1b[?2004h1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n$ ";
const SHELL_ROWS: [&str; 7] = ["1", "2", "3", "4", "5", "6", "$"];

fn paints(visitor: &mut Visitor, sitting: &mut Sitting, picture: &[u8]) {
    let picture = [picture, b"\x1b[c"].concat();
    visitor.send(&Frame::Snapshot(picture));
    eventually("the picture", SOON, || {
        check(sitting.term.raw().ends_with(b"\x1b[c"), || "nothing".into())
    });
}

/// Waits until the rows of the window begin with these, and the cursor is behind them.
#[track_caller]
fn wait_rows(sitting: &mut Sitting, want: &[&str]) {
    eventually("the rows", SOON, || {
        let (rows, cursor) = sitting.term.window();
        check(rows.starts_with_rows(want) && cursor == want.len(), || {
            format!("{rows:#?}, the cursor in row {cursor}")
        })
    });
}

trait Rows {
    fn starts_with_rows(&self, want: &[&str]) -> bool;
}

impl Rows for Vec<String> {
    fn starts_with_rows(&self, want: &[&str]) -> bool {
        let (shown, rest) = self.split_at(want.len());
        shown == want && rest.iter().all(String::is_empty)
    }
}

fn ended(state: State, retry_in_ms: Option<u64>) -> Frame {
    Frame::Exited(Exited {
        exit: Some(Exit::Code(3)),
        state,
        retry_in_ms,
        gone: false,
        reason: None,
        starts: 1,
    })
}

#[test]
fn a_detach_leaves_the_picture_and_goes_on_below() {
    let (mut sitting, mut visitor) = Sitting::attached(&[]);
    paints(&mut visitor, &mut sitting, SHELL);
    sitting.term.send("\x1d");
    sitting.wait_code(0);
    let behind = ["[detached from w]", "code=0", "shell"];
    wait_rows(&mut sitting, &[&SHELL_ROWS[..], &behind].concat());
}

// The cursor is at the top of a full screen, in a region, with rows that count from there.
#[test]
fn a_full_screen_moves_up_for_what_comes_behind_it() {
    for place in ["\x1b[H", "\x1b[3;20r\x1b[5H", "\x1b[3;20r\x1b[?6h\x1b[2H"] {
        let (mut sitting, mut visitor) = Sitting::attached(&[]);
        let rows: Vec<String> = (1..=24).map(|row| format!("row {row}")).collect();
        let picture = format!("\x1b[H\x1b[2J{}{place}", rows.join("\r\n"));
        paints(&mut visitor, &mut sitting, picture.as_bytes());
        sitting.term.send("\x1d");
        sitting.wait_code(0);
        let behind = ["[detached from w]", "code=0", "shell", ""];
        let rows = rows.iter().map(String::as_str).skip(4);
        let want: Vec<&str> = rows.chain(behind).collect();
        eventually("the rows", SOON, || {
            let (rows, _) = sitting.term.window();
            check(rows == want, || format!("{place:?}: {rows:#?}"))
        });
    }
}

#[test]
fn behind_the_alternate_screen_is_the_primary_one_as_it_was() {
    let (mut sitting, mut visitor) = Sitting::attached(&[]);
    let picture = [SHELL, b"\x1b[?1049h\x1b[H\x1b[2Jfull\x1b[9;9Hscreen\x1b[H"].concat();
    paints(&mut visitor, &mut sitting, &picture);
    sitting.term.send("\x1d");
    sitting.wait_code(0);
    let behind = ["[detached from w]", "code=0", "shell"];
    wait_rows(&mut sitting, &[&SHELL_ROWS[..], &behind].concat());
}

#[test]
fn what_is_said_of_the_process_stands_below_what_it_wrote() {
    let (mut sitting, mut visitor) = Sitting::attached(&[]);
    paints(&mut visitor, &mut sitting, SHELL);
    visitor.send(&ended(State::Backoff, Some(2000)));
    visitor.send(&Frame::Restarted(Restarted {
        pid: 12,
        tty: Tty::Full,
    }));
    visitor.send(&Frame::Output(b"again\x1b[H".to_vec()));
    visitor.send(&ended(State::Exited, None));
    sitting.wait_code(3);
    let text = sitting.term.text();
    let said = [
        "6\n$\n[w exited with status 3, next try in 2 s; Ctrl-] detaches]",
        "\n[w runs again, pid 12]\nagain\n",
        "\n[w exited with status 3]\ncode=3\nshell",
    ];
    for part in said {
        assert!(text.contains(part), "{part:?} in {text}");
    }
}

#[test]
fn the_last_line_of_an_attachment_stays() {
    let (mut sitting, mut visitor) = Sitting::attached(&["--once"]);
    paints(&mut visitor, &mut sitting, SHELL);
    visitor.send(&ended(State::Backoff, Some(2000)));
    sitting.wait_code(3);
    let behind = ["[w exited with status 3]", "code=3", "shell"];
    wait_rows(&mut sitting, &[&SHELL_ROWS[..], &behind].concat());
}

// Who was killed cannot say where the picture ends; the guardian goes below everything.
#[test]
fn a_killed_client_leaves_the_picture_too() {
    let (mut sitting, mut visitor) = Sitting::attached(&[]);
    paints(&mut visitor, &mut sitting, SHELL);
    sitting.signal(Signal::SIGKILL);
    sitting.term.wait_for("shell");
    eventually("the terminal as it was", SOON, || {
        let now = sitting.term.modes();
        check(now == sitting.before, || now)
    });
    eventually("the picture, and the cursor below it", SOON, || {
        let (text, (_, cursor)) = (sitting.term.text(), sitting.term.window());
        let kept = text.contains(&SHELL_ROWS.join("\n"));
        check(kept && cursor > 20, || {
            format!("{text}, the cursor in row {cursor}")
        })
    });
}

// The terminal remembers it, and has it back once.
#[test]
fn the_title_of_the_window_comes_back() {
    let (mut sitting, mut visitor) = Sitting::attached(&[]);
    paints(&mut visitor, &mut sitting, b"\x1b]2;of the process\x07");
    visitor.send(&ended(State::Backoff, Some(2000)));
    sitting.term.wait_for("next try");
    sitting.term.send("\x1d");
    sitting.wait_code(0);
    let raw = String::from_utf8_lossy(sitting.term.raw()).into_owned();
    let at = |what: &str| raw.matches(what).count();
    assert!(raw.find("\x1b[22;2t") < raw.find("\x1b]2;"), "{raw:?}");
    assert_eq!(at("\x1b[22;2t"), at("\x1b[23;2t"), "{raw:?}");
    assert!(raw.rfind("\x1b[22;2t") < raw.rfind("\x1b[23;2t"), "{raw:?}");
}

// What is painted is in a file: on the terminal there is nothing to put in order but its modes.
#[test]
fn a_killed_client_that_painted_elsewhere_leaves_no_escapes() {
    let (mut sitting, mut visitor) = Sitting::with(&[], "> painted");
    visitor.answer(&json!(running()));
    visitor.send(&Frame::Output(SHELL.to_vec()));
    eventually("a terminal taken over", SOON, || {
        let now = sitting.term.modes();
        check(now != sitting.before, || now)
    });
    sitting.signal(Signal::SIGKILL);
    eventually("the terminal as it was", SOON, || {
        let now = sitting.term.modes();
        check(now == sitting.before, || now)
    });
    sitting.term.wait_for("code=137");
    assert!(!sitting.term.raw().contains(&0x1b));
}
