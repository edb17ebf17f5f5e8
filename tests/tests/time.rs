//! A step of the clock changes nothing: what is timed is timed by a clock that nobody can set.
//!
//! The system's clock belongs to the whole machine, and a time namespace has no wall clock of its own, so
//! that it is never set here, except where the machine is given over to the tests for it.

use std::process::Command;

use harness::{Daemon, LATER, Sandbox, State, json, skip_unless_root};

/// Says that the wall clock of this machine may be set: `TASKMASTER_MAY_SET_CLOCK=1`.
fn may_set_clock() -> bool {
    std::env::var("TASKMASTER_MAY_SET_CLOCK").is_ok_and(|value| value == "1")
}

fn step(seconds: i64) {
    let now = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH);
    let now =
        i64::try_from(now.expect("it is after 1970").as_secs()).expect("it is before 292 billion");
    let status = Command::new("date")
        .args(["-s", &format!("@{}", now + seconds)])
        .status();
    assert!(
        status.expect("date starts").success(),
        "the clock cannot be set"
    );
}

#[test]
fn a_step_of_the_clock_moves_no_timer() {
    skip_unless_root!();
    if !may_set_clock() {
        harness::skip!(
            "the clock of this machine is not ours to set; TASKMASTER_MAY_SET_CLOCK=1 says it is"
        );
    }
    let sandbox = Sandbox::new();
    let cmd = sandbox.puppet("p", &["--brief", "--plan", "exit:1"]);
    let daemon = Daemon::start(sandbox, json!({"p": {"cmd": cmd, "startretries": 2}}));
    for seconds in [3600, -7200, 86_400 * 365, -86_400 * 365, 3600] {
        step(seconds);
    }
    daemon.wait_state("p", State::Fatal);
    let gaps = daemon.sandbox().ledger("p").gaps_ms("start");
    assert!(gaps[0] >= 999.0 && gaps[1] >= 1999.0, "{gaps:?}");
}

// Another idea of how long the machine has been up must not matter either.
#[test]
fn in_a_time_namespace_everything_is_as_elsewhere() {
    skip_unless_root!();
    let works = Command::new("unshare")
        .args(["--time", "--boottime", "1000000", "true"])
        .status();
    if !works.is_ok_and(|status| status.success()) {
        harness::skip!("time namespaces do not work here");
    }
    let sandbox = Sandbox::new();
    let cmd = sandbox.puppet("p", &["--brief", "--plan", "exit:1,stay"]);
    let before = [
        "unshare",
        "--time",
        "--boottime",
        "1000000",
        "--monotonic",
        "500000",
    ];
    let before = before.map(str::to_owned).to_vec();
    let setup = harness::Setup {
        before,
        ..harness::Setup::default()
    };
    // Time enough to end in, where the machine has much else to do.
    let programs = json!({"p": {"cmd": cmd, "starttime": 2}});
    let mut daemon = Daemon::start_with(sandbox, programs, setup);
    daemon.wait_state("p", State::Running);
    let gaps = daemon.sandbox().ledger("p").gaps_ms("start");
    assert!(gaps[0] >= 999.0, "{gaps:?}");
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(daemon.wait_exit(LATER).code(), Some(0));
}
