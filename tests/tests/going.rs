//! The end of the daemon as who asked for it sees it.

use std::process::Stdio;
use std::time::Duration;

use harness::fake::Fake;
use harness::{Ctl, SOON, Sandbox, check, eventually, json, throughout};

// Whoever starts another daemon right behind it is to find the socket and its lock free.
#[test]
fn a_shutdown_is_over_when_the_daemon_has_hung_up() {
    let sandbox = Sandbox::new();
    let fake = Fake::new(&sandbox);
    let mut command = Ctl::new(&sandbox.path("socket")).command();
    let client = command.arg("shutdown").stdout(Stdio::null()).spawn();
    let mut client = client.expect("taskmasterctl starts");
    let mut visitor = fake.accept();
    visitor.answer(&json!({"left": 0}));
    let mut ended = move || client.try_wait().expect("it is ours");
    throughout("the wait", Duration::from_millis(300), || {
        check(ended().is_none(), || "it has ended".into())
    });
    drop(visitor);
    let end = eventually("the end of the client", SOON, || ended().ok_or("none"));
    assert_eq!(end.code(), Some(0));
}
