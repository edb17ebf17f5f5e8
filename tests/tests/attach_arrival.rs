//! What is shown on arrival of a process without a terminal: the last of both its streams, and what came before it.

use harness::seat::wanting;
use harness::{Daemon, SOON, Sandbox, Seat, Value, check, eventually, json};
use shared::api::AttachParams;

fn daemon(script: &str) -> Daemon {
    let program: Value = json!({"cmd": ["sh", "-c", script], "tty": "none"});
    let daemon = Daemon::start(Sandbox::new(), json!({"p": program}));
    eventually("all output", SOON, || {
        let shown = Seat::take(&daemon, "p").wait_snapshot();
        check(shown.contains("the end"), || shown)
    });
    daemon
}

// What went wrong is what one attaches for.
#[test]
fn the_last_errors_are_shown_too() {
    let daemon = daemon("printf 'bad\nworse' >&2; sleep 0.1; echo the end; exec sleep 1000");
    let shown = Seat::take(&daemon, "p").wait_snapshot();
    assert_eq!(shown, "bad\nworse\x1b[m\nthe end\n");
}

#[test]
fn more_lines_come_before_when_asked_for() {
    let daemon = daemon("seq 1000 9999; echo the end; exec sleep 1000");
    let first = |history: u32| {
        let params = AttachParams {
            history,
            ..wanting("p")
        };
        let shown = Seat::take_as(&daemon, params).wait_snapshot();
        let first = shown.lines().next().map(str::to_owned);
        first
            .and_then(|line| line.parse::<u32>().ok())
            .expect("a whole line")
    };
    let shown = first(0);
    assert_eq!(first(1), shown - 1);
    assert_eq!(first(500), shown - 500);
    assert_eq!(first(100_000), 1000);
}
