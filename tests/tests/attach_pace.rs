//! A large picture on its way to a client that does not read: the process waits for it once, and then never again.

use harness::seat::wanting;
use harness::{Daemon, LATER, SOON, Sandbox, Seat, check, eventually, json};
use shared::api::AttachParams;

/// What the process writes, in bytes. With a wait of a tenth of a second for each 64 KiB of it that would take longer
/// than anything is waited for here.
const FLOOD_LEN: usize = 64 * 1024 * 1024;

/// A screen in which each cell has colours of its own: half a megabyte of picture at 200 columns and 60 rows.
const PAINT: &str = r#"BEGIN {
    printf "\033[H"
    for (row = 1; row <= 60; row++) {
        printf "\033[%d;1H", row
        for (col = 0; col < 200; col++)
            printf "\033[38;2;%d;%d;%d;48;2;%d;%d;%dmx", col, row, 100, 255 - col, 200 - row, 101
    }
    printf "\033[mpainted"
}"#;

#[test]
fn a_picture_that_is_not_read_slows_nobody_down() {
    let sandbox = Sandbox::new();
    let script = "stty -echo; awk \"$0\"; read go; \"$@\"; exec cat";
    let flood = sandbox.puppet("p", &["--brief", "--flood", &FLOOD_LEN.to_string()]);
    let mut cmd = vec![json!("sh"), json!("-c"), json!(script), json!(PAINT)];
    cmd.extend(flood.as_array().into_iter().flatten().cloned());
    let keys = json!({"cmd": cmd, "stdout": "discard", "autostart": false});
    let daemon = Daemon::start(sandbox, json!({"p": keys}));
    let large = AttachParams {
        rows: 60,
        cols: 200,
        ..wanting("p")
    };
    let mut typist = Seat::take_as(&daemon, large.clone());
    daemon.rpc().start(&["p"]);
    eventually("a picture", SOON, || {
        let screen = daemon.ctl().run(&["screen", "p"]);
        check(screen.out.contains("painted"), || screen.out)
    });
    let stalled = Seat::take_as(&daemon, large);
    typist.type_in("go\n");
    typist.leave();
    daemon.sandbox().ledger("p").wait("flooded", 1, LATER);
    drop(stalled);
}
