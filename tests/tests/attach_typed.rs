//! What is typed arrives: of somebody who does not lead, even where it begins like the word of a terminal, and from a
//! script.

use harness::{Daemon, SOON, Sandbox, Seat, check, eventually, json};
use shared::frame::Frame;

// Alt-_, Alt-P and Alt-] are keys, and what follows them is no string of a terminal that nobody wants to know.
#[test]
fn alt_and_a_sign_do_not_swallow_what_comes_after_them() {
    let program = json!({"cmd": ["sh", "-c", "stty raw -echo; echo ready; exec cat -v"]});
    let daemon = Daemon::start(Sandbox::new(), json!({"p": program}));
    let mut other = Seat::take(&daemon, "p");
    let mut leader = Seat::take(&daemon, "p");
    leader.until("a raw terminal", |frame| match frame {
        Frame::Output(bytes) | Frame::Snapshot(bytes) => {
            String::from_utf8_lossy(bytes).contains("ready")
        }
        _ => false,
    });
    other.wait_frame(&Frame::Leader(false));
    for key in ["_", "P", "]"] {
        // Whether or not anything comes that no terminal would say.
        for typed in ["one\r", "two"] {
            other.type_in(&format!("\x1b{key}{typed}"));
            other.wait_output(&format!("^[{key}{}", typed.replace('\r', "^M")));
            leader.wait_frame(&Frame::Leader(false));
            leader.type_in("x");
            other.wait_frame(&Frame::Leader(false));
        }
    }
}

// However much of it was there to be read at once with the commands.
#[test]
fn in_a_script_what_stands_behind_attach_is_typed() {
    let script = "read one; read two; echo \"$one+$two\"; exec sleep 1000";
    let program = json!({"cmd": ["sh", "-c", script]});
    let daemon = Daemon::start(Sandbox::new(), json!({"p": program}));
    let said = daemon
        .ctl()
        .run_with(&[], b"pid p\nattach p\nversion\nquit\n");
    assert_eq!(said.code, Some(0), "{said:?}");
    let begun = format!("{}\n", daemon.pid("p"));
    assert!(said.out.starts_with(&begun), "{said:?}");
    eventually("what was typed", SOON, || {
        let screen = daemon.ctl().run(&["screen", "p"]).out;
        check(screen.contains("version+quit"), || screen)
    });
}

// printf 'x\n' | taskmasterctl attach none. An end at once is nothing that was to be typed.
#[test]
fn what_is_piped_in_where_nobody_reads_is_told() {
    let none = json!({"cmd": ["sleep", "1000"], "tty": "none"});
    let programs = json!({"none": none, "p": {"cmd": "cat"}});
    let daemon = Daemon::start(Sandbox::new(), programs);
    for (words, why) in [
        (&["attach", "none"][..], "none has no terminal to type at"),
        (
            &["attach", "--read-only", "p"],
            "p takes nothing that is typed with --read-only",
        ),
    ] {
        let [one, two] = ["1 byte is lost", "2 bytes are lost"]
            .map(|lost| format!("[{why}; at least {lost}]\n"));
        for (input, code, told) in [(&b"x\n"[..], 1, &*two), (b"x", 1, &*one), (b"", 0, "")] {
            let said = daemon.ctl().run_with(words, input);
            assert_eq!((said.code, &*said.err), (Some(code), told), "{words:?}");
        }
    }
}
