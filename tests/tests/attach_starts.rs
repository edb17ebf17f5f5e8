//! Attached to a process that cannot be started: the client is told so, and why.

use harness::{Daemon, Sandbox, Seat, State, Value, json};

const REASON: &str = "can't find command '/nonexistent/x'";

fn daemon(retries: u32) -> Daemon {
    let program: Value =
        json!({"cmd": "/nonexistent/x", "autostart": false, "startretries": retries});
    Daemon::start(Sandbox::new(), json!({"bad": program}))
}

// A process that never was one has no status that would explain anything.
#[test]
fn who_waits_for_a_process_that_cannot_be_started_is_told_why() {
    let daemon = daemon(0);
    let mut seat = Seat::take(&daemon, "bad");
    assert_eq!(seat.attached.reason, None);
    daemon.rpc().start(&["bad"]);
    let exited = seat.wait_exited();
    assert_eq!(exited.state, State::Fatal, "{exited:?}");
    assert_eq!(exited.reason.as_deref(), Some(REASON));
    let late = Seat::take(&daemon, "bad");
    assert_eq!(late.attached.reason.as_deref(), Some(REASON));
}
