//! The usual socket, which nobody named: the client trusts who listens there only if that is root or the user himself.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use harness::{
    Daemon, NOBODYS_UID, Rpc, SOON, Sandbox, Setup, bins, eventually, json, skip_unless_root,
};

const USERS_UID: u32 = NOBODYS_UID + 1;

/// What runs a program as that user.
fn run_as(uid: u32) -> Vec<String> {
    let ids = [format!("--reuid={uid}"), format!("--regid={uid}")];
    let before = ["setpriv", "--clear-groups"].map(str::to_owned);
    [before, ids].concat()
}

/// A daemon of that user which everybody may speak to, and the `XDG_RUNTIME_DIR` with which its socket is the usual one.
fn daemon_of(uid: u32) -> (Daemon, PathBuf) {
    let sandbox = Sandbox::new();
    let runtime_dir = sandbox.path("run");
    let directory = runtime_dir.join("taskmaster");
    fs::create_dir_all(&directory).expect("a directory can be made");
    for path in [&runtime_dir, &directory] {
        chown(path, Some(uid), None).expect("root can give files away");
    }
    let socket = directory.join("control.sock");
    let config = json!({"socket": {"path": socket, "mode": "0666"}, "programs": {}});
    sandbox.write("tm.yaml", config.to_string());
    let setup = Setup {
        before: run_as(uid),
        ..Setup::default()
    };
    let daemon = Daemon::launch(sandbox, setup);
    eventually("a socket", SOON, || Rpc::connect(&socket).map(|_| ()));
    (daemon, runtime_dir)
}

/// The client, run by the user, completed with these words.
fn client(runtime_dir: &Path, words: &[&str]) -> Output {
    let before = run_as(USERS_UID);
    let mut command = Command::new(&before[0]);
    command.args(&before[1..]).arg(bins::taskmasterctl());
    command
        .args(words)
        .env("XDG_RUNTIME_DIR", runtime_dir)
        .env_remove("TASKMASTER_SOCKET");
    command.output().expect("the client starts")
}

// Under /tmp anybody could have made the directory first, and would be sent what is typed. A socket that is named is
// meant, whoever's it is.
#[test]
fn a_stranger_at_the_usual_socket_is_told_nothing() {
    skip_unless_root!();
    for (uid, trusted) in [(NOBODYS_UID, false), (USERS_UID, true), (0, true)] {
        let (_daemon, runtime_dir) = daemon_of(uid);
        let url = format!("unix://{}/taskmaster/control.sock", runtime_dir.display());
        let refusal = format!(
            "{url} is that of uid {uid}, who is neither root nor you; give the path with -s if it is meant\n"
        );
        for (words, code) in [
            (&["send", "p", "secret"][..], 7),
            (&["version"], 7),
            (&["status"], 4),
        ] {
            let output = client(&runtime_dir, words);
            let said = String::from_utf8_lossy(&output.stdout);
            assert_eq!(said == refusal, !trusted, "{words:?} to uid {uid}: {said}");
            assert!(trusted || output.status.code() == Some(code), "{output:?}");
        }
        let named = client(&runtime_dir, &["-s", &url, "status"]);
        assert_eq!(named.status.code(), Some(0), "{named:?}");
    }
}
