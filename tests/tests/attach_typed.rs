//! What somebody types who does not lead arrives, even where it begins like the word of a terminal.

use harness::{Daemon, Sandbox, Seat, json};
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
