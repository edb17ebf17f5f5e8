//! Log files: rotated, moved away, spoilt, on a full disk. No byte twice, none lost in silence, nobody held up.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use harness::{
    Daemon, LATER, SOON, Sandbox, Setup, State, Value, check, eventually, flood, json, logged,
    pause, skip_unless_root,
};
use nix::sys::signal::Signal;
use shared::api::{Call, Stream, TailParams};

const MIB: usize = 1024 * 1024;

// An outside logrotate renames and sends USR2: the pieces together are the whole.
#[test]
fn reopening_in_the_middle_of_a_flood_loses_and_doubles_nothing() {
    let bytes = (32 * MIB).to_string();
    let daemon = logged(&["--flood", &bytes], json!({"tty": "none"}));
    let ledger = daemon.sandbox().ledger("p");
    let mut pieces = 0;
    while ledger.all("flooded").is_empty() && pieces < 500 {
        let piece = daemon.sandbox().path(&format!("piece{pieces:03}"));
        if fs::rename(daemon.sandbox().path("p.out"), piece).is_ok() {
            pieces += 1;
            daemon.signal(Signal::SIGUSR2);
        }
        pause(Duration::from_millis(5));
    }
    ledger.wait("flooded", 1, LATER);
    let wanted = flood(32 * MIB);
    eventually("all of it in the pieces", LATER, || {
        let mut whole: Vec<u8> = Vec::new();
        for piece in 0..pieces {
            whole.extend(daemon.sandbox().read(&format!("piece{piece:03}")));
        }
        whole.extend(daemon.sandbox().read("p.out"));
        check(whole == wanted, || {
            format!(
                "{} of {} bytes in {pieces} pieces",
                whole.len(),
                wanted.len()
            )
        })
    });
    let deleted = daemon
        .fds()
        .into_iter()
        .filter(|(_, target)| target.contains("piece"))
        .count();
    assert_eq!(deleted, 0, "a file of before is still open");
    daemon.wait_log(&["log files reopened"]);
}

#[test]
fn rotation_by_size_keeps_all_that_it_promises() {
    let sandbox = Sandbox::new();
    let log = json!({"path": sandbox.path("p.out"), "max_size": MIB, "keep": 9});
    let bytes = (4 * MIB).to_string();
    let cmd = sandbox.puppet("p", &["--flood", &bytes]);
    let daemon = Daemon::start(
        sandbox,
        json!({"p": {"cmd": cmd, "tty": "none", "stdout": log}}),
    );
    let wanted = flood(4 * MIB);
    eventually("all of it in the rotated files", LATER, || {
        let mut whole = Vec::new();
        for number in (1..=9).rev() {
            whole.extend(daemon.sandbox().read(&format!("p.out.{number}")));
        }
        whole.extend(daemon.sandbox().read("p.out"));
        check(whole == wanted, || {
            format!("{} of {} bytes", whole.len(), wanted.len())
        })
    });
    assert!(daemon.sandbox().read("p.out").len() <= MIB + 64 * 1024);
}

// Vanished, replaced by a directory, by a FIFO: the program runs on, and when it is mended, so is the log.
#[test]
fn a_spoilt_log_file_stops_nobody_and_comes_back_when_mended() {
    let daemon = logged(&["--tick", "20ms"], json!({"tty": "none"}));
    let pid = daemon.wait_state("p", State::Running).pid;
    let path = daemon.sandbox().path("p.out");
    for spoil in ["removed", "directory", "fifo"] {
        eventually("a line in the log", SOON, || {
            check(!daemon.sandbox().read("p.out").is_empty(), || "none".into())
        });
        fs::remove_file(&path).expect("a log can be removed");
        match spoil {
            "directory" => fs::create_dir(&path).expect("a directory can be made"),
            "fifo" => nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU)
                .expect("a FIFO can be made"),
            _ => {}
        }
        daemon.signal(Signal::SIGUSR2);
        daemon.rpc().status();
        assert_eq!(daemon.status("p").pid, pid, "{spoil}");
        match spoil {
            "directory" => fs::remove_dir(&path).expect("it is empty"),
            "fifo" => fs::remove_file(&path).expect("it can be removed"),
            _ => {}
        }
        daemon.signal(Signal::SIGUSR2);
        eventually("the log to come back", SOON, || {
            let is_file =
                fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_file() && meta.len() > 0);
            check(is_file, || spoil.into())
        });
    }
}

// Nobody sends a signal: what is gone is missed when something is written, and found when it is there again.
#[test]
fn a_log_that_vanishes_is_told_of_and_comes_back_by_itself() {
    let sandbox = Sandbox::new();
    let (dir, log) = (sandbox.path("d"), sandbox.path("d/p.out"));
    fs::create_dir(&dir).expect("a directory can be made");
    let cmd = sandbox.puppet("p", &["--tick", "20ms"]);
    let keys = json!({"cmd": cmd, "tty": "none", "stdout": log});
    let daemon = Daemon::start(sandbox, json!({"p": keys}));
    let pid = daemon.wait_state("p", State::Running).pid;
    let wait_ticks = || {
        eventually("ticks in the log", SOON, || {
            let has_ticks = fs::read(&log).is_ok_and(|text| !text.is_empty());
            check(has_ticks, || daemon.said())
        });
    };
    wait_ticks();
    fs::remove_file(&log).expect("a log can be removed");
    wait_ticks();
    daemon.wait_log(&["p.out was deleted"]);
    // In one step, so that nothing is made in it meanwhile.
    let doomed = daemon.sandbox().path("doomed");
    fs::rename(&dir, &doomed).expect("a directory can be renamed");
    fs::remove_dir_all(doomed).expect("a directory can be removed");
    daemon.wait_log(&["p.out: no such file", "cannot be written"]);
    fs::create_dir(&dir).expect("a directory can be made");
    wait_ticks();
    daemon.wait_log(&["p.out again", "lost"]);
    assert_eq!(daemon.status("p").pid, pid);
}

// A disk that is full: the program is never held up, what is lost is counted, and all is well again after.
#[test]
fn a_full_disk_blocks_nobody_and_the_loss_is_counted() {
    skip_unless_root!();
    let sandbox = Sandbox::new();
    let small = sandbox.open_dir("small");
    let Some(_unmounts) = mount(&small, "size=1m") else {
        harness::skip!("a tmpfs cannot be mounted here");
    };
    let bytes = (16 * MIB).to_string();
    let cmd = sandbox.puppet("p", &["--flood", &bytes, "--tick", "50ms"]);
    let stdout = small.join("p.out");
    let daemon = Daemon::start(
        sandbox,
        json!({"p": {"cmd": cmd, "stdout": stdout, "tty": "none"}}),
    );
    let done = daemon.sandbox().ledger("p").wait("flooded", 1, LATER);
    daemon.wait_log(&["p.out", "cannot be written", "lost"]);
    fs::File::create(&stdout).expect("a file can be emptied");
    let line = daemon.wait_log(&["p.out", "again", "lost"]);
    let ticks = eventually("ticks in the log", SOON, || {
        let text = String::from_utf8_lossy(&fs::read(&stdout).unwrap_or_default()).into_owned();
        if text.contains("tick") {
            Ok(text)
        } else {
            Err(format!("{} bytes", text.len()))
        }
    });
    eprintln!(
        "{line}; {} bytes were written; now {} bytes",
        done[0]["bytes"],
        ticks.len()
    );
}

// Told once at its beginning, a loss grew on for less than a minute, and the rest of it was told nowhere.
#[test]
fn what_is_lost_is_told_to_the_last_byte_when_a_log_is_written_no_more() {
    skip_unless_root!();
    let sandbox = Sandbox::new();
    let small = sandbox.open_dir("small");
    let Some(_unmounts) = mount(&small, "size=64k") else {
        harness::skip!("a tmpfs cannot be mounted here");
    };
    let program = |name: &str| {
        let cmd = sandbox.puppet(name, &["--flood", &MIB.to_string(), "--plan", "exit:0"]);
        json!({"cmd": cmd, "tty": "none", "starttime": 0, "autorestart": "never",
               "stdout": small.join(name)})
    };
    let (removed, mut redirected, stopped) = (program("r"), program("d"), program("s"));
    let mut programs = json!({"r": removed, "d": redirected, "s": stopped});
    let mut daemon = Daemon::start(sandbox, programs.clone());
    for name in ["r", "d", "s"] {
        daemon.wait_state(name, State::Exited);
    }
    let lost = |name: &str| {
        let kept = fs::metadata(small.join(name)).map_or(0, |file| file.len());
        let path = small.join(name);
        let lost = flood(MIB).len() as u64 - kept;
        let beginning = format!("output of {name} cannot be written to {}", path.display());
        (beginning, format!("; {lost} bytes lost so far"))
    };
    redirected["stdout"] = json!("discard");
    programs = json!({"d": redirected, "s": programs["s"]});
    daemon.reload(&programs);
    for name in ["r", "d"] {
        let (beginning, end) = lost(name);
        daemon.wait_log(&[&beginning, &end]);
    }
    daemon.stop();
    let (beginning, end) = lost("s");
    daemon.wait_log(&[&beginning, &end]);
    let log = daemon.log();
    let last = log.last().expect("a line");
    assert!(last.contains("taskmasterd stopped"), "{last}");
}

/// Something mounted, until the end of the test.
struct Mounted(std::path::PathBuf);

/// A small file system of its own, if one can be had.
fn mount(at: &Path, size: &str) -> Option<Mounted> {
    let mut command = std::process::Command::new("mount");
    let command = command.args(["-t", "tmpfs", "-o", size, "none"]).arg(at);
    let mounted = command.status().is_ok_and(|status| status.success());
    mounted.then(|| Mounted(at.to_owned()))
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let mut command = std::process::Command::new("umount");
        command.arg("-l").arg(&self.0).status().ok();
    }
}

// A program that has not been started since the daemon was has a log of before.
#[test]
fn the_log_of_what_was_not_started_is_shown_followed_and_cleared() {
    let sandbox = Sandbox::new();
    sandbox.write("p.out", "of before\n");
    let keys = json!({"cmd": sandbox.puppet("p", &["--write-out", "news\\n"]), "autostart": false,
                      "starttime": "50ms", "stdout": sandbox.path("p.out")});
    let daemon = Daemon::start(sandbox, json!({"p": keys}));
    let mut rpc = daemon.rpc();
    let follow = TailParams {
        name: "p".parse().expect("a name"),
        stream: Stream::Stdout,
        bytes: 100,
        follow: true,
    };
    let tail = rpc.call(&Call::Tail(follow)).expect("a tail");
    let data = |value: &Value| {
        let text = value["data"].as_str().unwrap_or_default();
        let bytes = base64::engine::general_purpose::STANDARD.decode(text);
        String::from_utf8(bytes.expect("base64")).expect("text")
    };
    assert_eq!(data(&tail), "of before\n");
    let cleared = daemon.ctl().run(&["clear", "p"]);
    assert_eq!(cleared.out, "p: cleared\n");
    assert_eq!(daemon.sandbox().read("p.out"), b"");
    daemon.rpc().start(&["p"]);
    let mut followed = String::new();
    while followed != "news\n" {
        let line = rpc.line(SOON).expect("news").expect("the daemon is there");
        let line: Value = serde_json::from_str(&line).expect("JSON");
        followed += &data(&line["params"]);
        assert!("news\n".starts_with(&followed), "{followed}");
    }
}

// The pipe behind standard error was full, and somebody reads at last: what waited leaves, though nothing more happens.
#[test]
fn event_lines_leave_when_a_full_pipe_is_read() {
    let sandbox = Sandbox::new();
    let fifo = sandbox.path("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO can be made");
    let mut options = fs::OpenOptions::new();
    let options = options.read(true).write(true);
    let mut pipe = options
        .custom_flags(libc::O_NONBLOCK)
        .open(&fifo)
        .expect("a FIFO can be opened");
    while pipe.write(&[b'.'; 4096]).is_ok() {}
    let shell = format!("exec \"$@\" 2> {}", fifo.display());
    let setup = Setup {
        before: ["sh", "-c", &shell, "sh"].map(String::from).into(),
        ..Setup::default()
    };
    let daemon = Daemon::start_with(sandbox, json!({}), setup);
    let mut text = Vec::new();
    eventually("the line of its start", SOON, || {
        let mut some = [0; 64 * 1024];
        if let Ok(count) = pipe.read(&mut some) {
            text.extend_from_slice(&some[..count]);
        }
        let text = String::from_utf8_lossy(&text);
        check(text.contains("started with pid"), || "nothing".into())
    });
    daemon.wait_log(&["started with pid"]);
}
