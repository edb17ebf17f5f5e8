//! Reloads in the event log: what waits for the next start.

use harness::{Daemon, SOON, Sandbox, check, eventually, json};
// What waits for the next start changed too, and whoever looks for it in the log must not read that nothing did.
#[test]
fn settings_that_wait_for_the_next_start_are_named_in_the_log() {
    let sandbox = Sandbox::new();
    let p = json!({"cmd": sandbox.puppet("p", &[]), "starttime": "50ms"});
    let daemon = Daemon::start(sandbox, json!({"p": p}));
    let line = daemon.hup();
    assert!(line.ends_with(": no program changed [on SIGHUP]"), "{line}");
    let config = json!({
        "socket": daemon.sandbox().path("other"), "log": daemon.sandbox().path("tm.log"),
        "syslog": true, "programs": {"p": p},
    });
    daemon.write_text(config.to_string());
    let lines = |words: &str| {
        daemon
            .log()
            .iter()
            .filter(|line| line.ends_with(words))
            .count()
    };
    let waiting =
        "changed, and waiting for the next start of the daemon: socket, syslog [on SIGHUP]";
    // Again at each reload, until it is in force.
    for count in 1..=2 {
        daemon.hup();
        eventually("the settings", SOON, || {
            check(lines(waiting) == count, || daemon.log().join("\n"))
        });
    }
    daemon.write_config(&json!({"p": p}));
    daemon.hup();
    daemon.rpc().reload().expect("a reload");
    assert_eq!(lines(waiting), 2);
}
