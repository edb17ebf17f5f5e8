//! Signals that come while the daemon starts, at the very call.

use harness::daemon::config;
use harness::{Daemon, LATER, Sandbox, Setup, json, skip_unless_strace};

/// A daemon that gets `signal` as it first makes the system call `call`.
fn daemon(call: &str, signal: &str) -> Daemon {
    let sandbox = Sandbox::new();
    let programs = json!({"p": {"cmd": sandbox.puppet("p", &[])}});
    sandbox.write("tm.yaml", config(&sandbox, &programs));
    let record = sandbox.text("strace.out");
    let trace = format!("trace={call}");
    let inject = format!("inject={call}:signal={signal}:when=1");
    let before = ["strace", "-o", &record, "-e", &trace, "-e", &inject];
    let setup = Setup {
        before: before.map(str::to_owned).to_vec(),
        ..Setup::default()
    };
    Daemon::launch(sandbox, setup)
}

// It sets its umask when it has read its configuration, and before it has its socket.
#[test]
fn a_reload_that_is_asked_for_too_early_is_done_when_the_daemon_is_up() {
    skip_unless_strace!();
    for call in ["umask", "bind", "listen"] {
        let mut daemon = daemon(call, "HUP");
        daemon.wait_up();
        daemon.wait_log(&["no program changed [on SIGHUP]"]);
        assert_eq!(daemon.ctl().run(&["shutdown"]).code, Some(0));
        assert_eq!(daemon.wait_exit(LATER).code(), Some(0), "{call}");
    }
}

#[test]
fn logs_that_are_to_be_opened_anew_too_early_do_no_harm() {
    skip_unless_strace!();
    for signal in ["USR1", "USR2"] {
        let mut daemon = daemon("umask", signal);
        daemon.wait_up();
        assert_eq!(daemon.ctl().run(&["shutdown"]).code, Some(0));
        assert_eq!(daemon.wait_exit(LATER).code(), Some(0), "{signal}");
    }
}

#[test]
fn a_daemon_that_is_told_to_end_as_it_starts_leaves_nothing() {
    skip_unless_strace!();
    for signal in ["TERM", "INT", "QUIT"] {
        let mut daemon = daemon("listen", signal);
        let status = daemon.wait_exit(LATER);
        assert_eq!(status.code(), Some(0), "{signal}: {}", daemon.said());
        assert!(!daemon.socket().exists(), "{signal}");
        daemon.wait_log(&["taskmasterd stopped"]);
    }
}
