//! What is told of reloads: what waits, what comes too late, and what is missed.

use harness::daemon::config_text;
use harness::strace::Strace;
use harness::{
    Daemon, SOON, Sandbox, Setup, State, bins, check, eventually, json, skip_unless_strace,
};
use nix::sys::signal::Signal;
use serde_json::Value;

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

// Whoever reloads while the daemon leaves must not think that it was done.
#[test]
fn a_reload_during_a_shutdown_is_refused_in_the_log_too() {
    let sandbox = Sandbox::new();
    let cmd = sandbox.puppet("p", &["--on", "TERM=ignore"]);
    let keys = json!({"cmd": cmd, "starttime": "50ms", "stoptime": 600});
    let mut daemon = Daemon::start(sandbox, json!({"p": keys}));
    // It ignores the signal from then on.
    daemon.sandbox().ledger("p").wait("start", 1, SOON);
    // Both at once, and one that finds the helper at work: neither comes too late to be told.
    daemon.signal(Signal::SIGHUP);
    daemon.signal(Signal::SIGTERM);
    daemon.wait_log(&["shutting down, 1 process to stop"]);
    let line = daemon.hup();
    let refused = "ERRO reload refused, nothing changed: the daemon is shutting down";
    assert!(line.ends_with(&format!("{refused} [on SIGHUP]")), "{line}");
    let error = daemon.rpc().reload().expect_err("a refusal");
    assert_eq!(error.code, shared::rpc::code::SHUTTING_DOWN);
    daemon.wait_log(&[refused, "[asked by uid"]);
    let said = daemon.ctl().run(&["reread"]);
    assert!(!said.out.contains("shutting down"), "a question: {said:?}");
    let reloads = daemon.log();
    let reloads = reloads.iter().filter(|line| line.contains("reload"));
    assert_eq!(reloads.count(), 3, "{:?}", daemon.log());
    daemon.signal(Signal::SIGINT);
    assert_eq!(daemon.wait_exit(SOON).code(), Some(0));
}

/// Whoever asks for a reload is told this and nothing changes, until one is meant to remove what was there.
#[track_caller]
fn assert_refused_unless_meant(daemon: &Daemon, said: &str) {
    let before = daemon.status("q").pid;
    assert!(before.is_some());
    let line = daemon.hup();
    assert!(line.contains(said) && !line.contains("never"), "{line}");
    for verb in ["reload", "reread"] {
        let refused = daemon.ctl().run(&[verb]);
        assert!(refused.out.contains(said), "{refused:?}");
    }
    assert_eq!(daemon.status("q").pid, before);
    daemon.ctl().run(&["reload", "--allow-empty"]);
    assert!(daemon.rpc().status().processes.is_empty());
}

// It may have been truncated, and nobody would know why its programs went.
#[test]
fn an_included_file_that_became_empty_is_refused_unless_it_is_meant() {
    let sandbox = Sandbox::new();
    let part = json!({"q": {"cmd": sandbox.puppet("q", &[]), "starttime": "50ms"}});
    sandbox.write("q.part", part.to_string());
    let text = config_text(sandbox.dir(), "include: \"*.part\"\nprograms: {}\n");
    sandbox.write("tm.yaml", text);
    let daemon = Daemon::launch(sandbox, Setup::default());
    daemon.wait_up();
    daemon.wait_state("q", State::Running);
    let path = daemon.sandbox().write("q.part", "\n");
    let said = format!(
        "{}: empty, as a truncated file is; delete it, or use reload --allow-empty",
        path.display()
    );
    assert_refused_unless_meant(&daemon, &said);
}

// It may have been moved, or not be mounted. One that was missing all along keeps nothing from being reloaded.
#[test]
fn a_directory_of_includes_that_has_gone_is_refused_unless_it_is_meant() {
    let sandbox = Sandbox::new();
    let part = json!({"q": {"cmd": sandbox.puppet("q", &[]), "starttime": "50ms"}});
    let (there, gone) = (sandbox.path("conf.d"), sandbox.path("gone"));
    std::fs::create_dir(&there).expect("a directory");
    sandbox.write("conf.d/q.part", part.to_string());
    let include = "include: [\"never/*\", \"conf.d/*.part\"]\nprograms: {}\n";
    let text = config_text(sandbox.dir(), include);
    sandbox.write("tm.yaml", text);
    let daemon = Daemon::launch(sandbox, Setup::default());
    daemon.wait_up();
    daemon.wait_state("q", State::Running);
    assert!(daemon.hup().contains("no program changed"));
    std::fs::rename(&there, &gone).expect("a rename");
    let said = format!(
        "{}: missing, and it is to be included from; make it, or use reload --allow-empty",
        there.display()
    );
    assert_refused_unless_meant(&daemon, &said);
    assert!(
        daemon.hup().contains("no program changed"),
        "it is known by now"
    );
    std::fs::rename(&gone, &there).expect("a rename");
    assert!(daemon.hup().contains("added q"));
    let include = "include: [\"yet/*\", \"conf.d/*.part\"]\nprograms: {}\n";
    daemon.write_text(config_text(daemon.sandbox().dir(), include));
    assert!(
        daemon.hup().contains("no program changed"),
        "one that was never there has not gone"
    );
}

// It may come back before anybody looks again: that it was not read is what counts.
#[test]
fn a_directory_of_includes_that_is_away_for_a_moment_is_missed() {
    skip_unless_strace!();
    let sandbox = Sandbox::new();
    let part = json!({"q": {"cmd": sandbox.puppet("q", &[]), "starttime": "50ms"}});
    std::fs::create_dir(sandbox.path("conf.d")).expect("a directory");
    sandbox.write("conf.d/q.part", part.to_string());
    let include = "include: [\"conf.d/*.part\", \"conf.d/*.none\"]\nprograms: {}\n";
    sandbox.write("tm.yaml", config_text(sandbox.dir(), include));
    let directory = sandbox.text("conf.d");
    let daemon = Daemon::launch(sandbox, Setup::default());
    daemon.wait_up();
    daemon.wait_state("q", State::Running);
    let strace = Strace::inject(&daemon, "openat:error=ENOENT:when=1", Some(&directory));
    let refused = daemon.ctl().run(&["reload"]);
    drop(strace);
    let said = format!("{directory}: missing, and it is to be included from");
    assert!(refused.out.contains(&said), "{refused:?}");
    // Who asked is answered before it is written down.
    daemon.wait_log(&["reload refused"]);
    assert!(daemon.hup().contains("no program changed"));
}

// What `--check` warns of, who reloads without it hears too.
#[test]
fn a_reload_tells_the_warnings_of_the_check() {
    let sandbox = Sandbox::new();
    let daemon = Daemon::start(sandbox, json!({}));
    let log = daemon.sandbox().path("none/log");
    let keys = json!({"cmd": "true", "autostart": false, "tty": "full", "stderr": "/x"});
    let logged = json!({"cmd": "true", "autostart": false, "stdout": log});
    daemon.write_config(&json!({"odd": keys, "logged": logged}));
    let mut check = std::process::Command::new(bins::taskmasterd());
    check
        .arg("--check")
        .arg("-c")
        .arg(daemon.sandbox().path("tm.yaml"));
    let wanted = String::from_utf8(check.output().expect("a check").stderr).expect("text");
    assert!(
        wanted.contains("odd.tty: full") && wanted.contains("the directory"),
        "{wanted}"
    );
    for verb in ["reread", "reload", "reread"] {
        let said = daemon.ctl().run(&[verb]);
        assert_eq!((said.code, said.err), (Some(0), wanted.clone()), "{verb}");
    }
    let logged = daemon.wait_log(&["odd.tty: full"]);
    assert!(logged.contains(" WARN "), "{logged}");
    let said = daemon.ctl().run(&["--json", "reload"]);
    let answer: Value = serde_json::from_str(&said.out).expect("JSON");
    let warnings = answer["plan"]["warnings"].as_array().expect("a list");
    let lines: String = warnings
        .iter()
        .map(|line| format!("warning: {}\n", line.as_str().expect("text")))
        .collect();
    assert_eq!((lines, said.err), (wanted, String::new()));
}

// A program could forge events there, and clearing its log would empty the event log.
#[test]
fn the_event_log_in_force_goes_to_no_program_at_a_reload() {
    let sandbox = Sandbox::new();
    let p = json!({"cmd": sandbox.puppet("p", &[]), "starttime": "50ms"});
    let daemon = Daemon::start(sandbox, json!({"p": p}));
    let log = daemon.sandbox().path("tm.log");
    let mut logged = p.clone();
    logged["stdout"] = json!(log);
    let write = |p: &Value| {
        let (socket, log) = (daemon.socket(), daemon.sandbox().path("other.log"));
        let config = json!({"socket": socket, "log": log, "programs": {"p": p}});
        daemon.write_text(config.to_string());
    };
    let said = format!(
        "p.stdout: {} is the event log until the next start of taskmasterd, which no log may be; name another path",
        log.display()
    );
    // What the first reload left for the next start is not in force at the second.
    for _ in 1..=2 {
        write(&logged);
        for verb in ["reread", "reload"] {
            let refused = daemon.ctl().run(&[verb]);
            assert!(refused.out.contains(&said), "{refused:?}");
        }
        assert!(daemon.hup().contains("ERRO reload refused"));
        write(&p);
        daemon.rpc().reload().expect("a reload");
    }
}

// As a checkout or a shell in /tmp leaves it: nothing in the file begins there.
#[test]
fn the_directory_of_the_start_may_be_gone() {
    let sandbox = Sandbox::new();
    let place = sandbox.path("place");
    std::fs::create_dir(&place).expect("a directory can be made");
    let enter = ["env".into(), "-C".into(), place.display().to_string()];
    let setup = Setup {
        before: enter.into(),
        ..Setup::default()
    };
    let keys = json!({"cmd": sandbox.puppet("p", &[]), "starttime": "50ms", "stdout": "p.out"});
    let daemon = Daemon::start_with(sandbox, json!({"p": keys}), setup);
    daemon.wait_state("p", State::Running);
    std::fs::remove_dir_all(&place).expect("a directory can be removed");
    let plan = daemon.rpc().reload().expect("a reload").plan;
    // The log is still meant where it was.
    let missing = format!("the directory {} is missing; make it", place.display());
    assert!(plan.warnings[0].ends_with(&missing), "{:?}", plan.warnings);
    assert_eq!(plan.programs, []);
}
