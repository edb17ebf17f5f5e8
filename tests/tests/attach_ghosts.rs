//! What is left of a process of before may write on: that is in the log, and on no screen.

use harness::{Daemon, SOON, Sandbox, Seat, check, eventually, json};
use shared::frame::Frame;

#[test]
fn what_a_dead_process_left_behind_is_not_shown_over_the_next_one() {
    let sandbox = Sandbox::new();
    let script = r"
        if mkdir first 2>/dev/null; then
            setsid sh -c 'touch away; until [ -e go ]; do sleep 0.01; done; echo ghost' &
            until [ -e away ]; do sleep 0.01; done
            exit 0
        fi
        echo second
        exec cat";
    let keys = json!({"cmd": ["sh", "-c", script], "workingdir": sandbox.dir(),
        "stdout": sandbox.path("p.out"), "starttime": 0, "autorestart": "always"});
    let daemon = Daemon::start(sandbox, json!({"p": keys}));
    let wait_log = |text: &str| {
        eventually(&format!("{text:?} in the log"), SOON, || {
            let log = String::from_utf8_lossy(&daemon.sandbox().read("p.out")).into_owned();
            check(log.contains(text), || log)
        });
    };
    wait_log("second");
    let mut seat = Seat::take(&daemon, "p");
    seat.wait_snapshot();
    daemon.sandbox().write("go", "");
    wait_log("ghost");
    seat.type_in("hello\n");
    let seen = seat.wait_output("hello\r\nhello\r\n");
    let ghosts = seen.iter().filter(|frame| match frame {
        Frame::Output(bytes) => String::from_utf8_lossy(bytes).contains("ghost"),
        _ => false,
    });
    assert_eq!(ghosts.count(), 0, "{seen:?}");
}
