//! The life of a process as a user sees it: states, retries, commands, ends.

use std::time::Duration;

use harness::{
    Daemon, SOON, Sandbox, State, Verdict, check, json, ms_between, only, proc, throughout,
};
use nix::sys::signal::Signal;
use shared::state::Exit;

fn daemon(sandbox: Sandbox, orders: &[&str], keys: &harness::Value) -> Daemon {
    let mut program = json!({"cmd": sandbox.puppet("p", orders), "starttime": "100ms"});
    let more = keys.as_object().expect("keys of a program");
    for (key, value) in more {
        program[key] = value.clone();
    }
    Daemon::start(sandbox, json!({"p": program}))
}

// The first thing anybody tries.
#[test]
fn a_program_is_starting_then_running_and_stopped_when_told() {
    let daemon = daemon(Sandbox::new(), &[], &json!({"starttime": "300ms"}));
    let status = daemon.wait_state("p", State::Starting);
    assert!(proc::alive(status.pid.expect("a pid")));
    let status = daemon.wait_state("p", State::Running);
    let pid = status.pid.expect("a pid");
    assert_eq!(
        proc::stat(pid).expect("a process").ppid,
        daemon.daemon_pid()
    );
    assert_eq!(only(&daemon.rpc().stop(&["p"])), Verdict::Stopped);
    let status = daemon.status("p");
    assert_eq!((status.state, status.pid), (State::Stopped, None));
    assert!(!proc::alive(pid));
    assert_eq!(only(&daemon.rpc().start(&["p"])), Verdict::Started);
    assert_eq!(daemon.status("p").state, State::Running);
}

#[test]
fn autostart_false_waits_for_a_start() {
    let daemon = daemon(Sandbox::new(), &[], &json!({"autostart": false}));
    let never = || {
        check(daemon.status("p").state == State::Stopped, || {
            "it started".into()
        })
    };
    throughout("STOPPED", Duration::from_millis(200), never);
    assert!(daemon.sandbox().ledger("p").all("start").is_empty());
    assert_eq!(only(&daemon.rpc().start(&["p"])), Verdict::Started);
}

// startretries 0 means one start; whatever the number, one more start than retries, each after its wait. Ten of
// them would take a minute: that is left to the scripts of the core, whose time is their own.
#[test]
fn startretries_and_their_waits_are_exact() {
    let sandbox = Sandbox::new();
    let mut programs = json!({});
    for retries in [0, 1, 3] {
        let name = format!("p{retries}");
        let cmd = sandbox.puppet(&name, &["--brief", "--plan", "exit:1"]);
        programs[&name] = json!({"cmd": cmd, "startretries": retries});
    }
    let daemon = Daemon::start(sandbox, programs);
    for retries in [0, 1, 3] {
        let name = format!("p{retries}");
        let status = daemon.wait_state(&name, State::Fatal);
        let ledger = daemon.sandbox().ledger(&name);
        assert_eq!(
            (status.starts, ledger.all("start").len()),
            (retries + 1, retries as usize + 1)
        );
        // That it is not later either is for the scripts of the core, whose clock nobody holds up.
        for (gap, seconds) in ledger.gaps_ms("start").iter().zip(1..) {
            let told = format!("next try in {seconds} s (retry {seconds} of {retries})");
            daemon.wait_log(&[&name, &told]);
            assert!(*gap >= f64::from(seconds) * 1000.0 - 1.0, "{name}: {gap}");
        }
        daemon.wait_log(&[&name, "gave up"]);
    }
}

// An exit code that is expected makes no difference before starttime: it ended too early.
#[test]
fn an_expected_exit_before_starttime_is_a_failed_start() {
    let keys = json!({"startretries": 0, "exitcodes": [0, 4], "starttime": "2s"});
    let daemon = daemon(Sandbox::new(), &["--plan", "exit:4"], &keys);
    let status = daemon.wait_state("p", State::Fatal);
    assert_eq!(status.exit, Some(Exit::Code(4)));
    assert!(status.reason.is_some(), "{status:?}");
}

#[test]
fn a_start_by_hand_takes_a_fatal_program_up_with_all_its_retries() {
    let plan = ["--plan", "exit:1,exit:1,exit:1,stay"];
    let daemon = daemon(
        Sandbox::new(),
        &plan,
        &json!({"startretries": 1, "starttime": "2s"}),
    );
    daemon.wait_state("p", State::Fatal);
    let outcome = daemon.rpc().start(&["p"]);
    assert_eq!(
        only(&outcome),
        Verdict::AbnormalTermination,
        "the first failure is the answer"
    );
    daemon.wait_state("p", State::Running);
    assert_eq!(daemon.status("p").failures, 0);
}

#[test]
fn start_in_backoff_tries_at_once() {
    let plan = ["--plan", "exit:1,exit:1,stay"];
    let daemon = daemon(
        Sandbox::new(),
        &plan,
        &json!({"startretries": 5, "starttime": "2s"}),
    );
    daemon.wait_status("p", "in its second BACKOFF", |status| {
        status.state == State::Backoff && status.failures == 2
    });
    let due = daemon.wait_log(&["p could not be started", "next try in 2 s"]);
    assert_eq!(only(&daemon.rpc().start(&["p"])), Verdict::Started);
    let start = daemon.wait_log(&["p", "started with pid", &daemon.pid("p").to_string()]);
    assert!(ms_between(&due, &start) < 2000, "{due}\n{start}");
}

#[test]
fn stop_in_backoff_is_final() {
    let daemon = daemon(
        Sandbox::new(),
        &["--plan", "exit:1"],
        &json!({"startretries": 5, "starttime": "2s"}),
    );
    daemon.wait_state("p", State::Backoff);
    assert_eq!(only(&daemon.rpc().stop(&["p"])), Verdict::Stopped);
    let starts = daemon.status("p").starts;
    let never = || {
        let status = daemon.status("p");
        check(
            status.state == State::Stopped && status.starts == starts,
            || format!("{status:?}"),
        )
    };
    throughout("STOPPED", Duration::from_millis(2200), never);
}

// After RUNNING, what happens depends on autorestart and exitcodes, and on nothing else.
#[test]
fn after_an_exit_autorestart_decides() {
    let cases = [
        ("never", "exit:1@200ms", State::Exited),
        ("unexpected", "exit:0@200ms", State::Exited),
        ("unexpected", "exit:1@200ms,stay", State::Running),
        ("unexpected", "kill:KILL@200ms,stay", State::Running),
        ("always", "exit:0@200ms,stay", State::Running),
    ];
    let sandbox = Sandbox::new();
    let mut programs = json!({});
    for (index, (autorestart, plan, _)) in cases.iter().enumerate() {
        let name = format!("p{index}");
        let cmd = sandbox.puppet(&name, &["--plan", plan]);
        programs[name] = json!({"cmd": cmd, "starttime": "50ms", "autorestart": autorestart});
    }
    let daemon = Daemon::start(sandbox, programs);
    for (index, (autorestart, plan, wanted)) in cases.iter().enumerate() {
        let starts = 1 + usize::from(*wanted == State::Running);
        let name = format!("p{index}");
        daemon.sandbox().ledger(&name).wait("start", starts, SOON);
        let status = daemon.wait_state(&name, *wanted);
        assert_eq!(status.starts, starts as u64, "{autorestart} {plan}");
    }
}

#[test]
fn an_exit_is_told_with_its_code_and_a_death_with_its_signal() {
    let sandbox = Sandbox::new();
    let programs = json!({
        "code": {"cmd": sandbox.puppet("code", &["--plan", "exit:7@200ms"]), "starttime": "50ms", "autorestart": "never"},
        "killed": {"cmd": sandbox.puppet("killed", &["--plan", "kill:USR1@200ms"]), "starttime": "50ms", "autorestart": "never"},
    });
    let daemon = Daemon::start(sandbox, programs);
    assert_eq!(
        daemon.wait_state("code", State::Exited).exit,
        Some(Exit::Code(7))
    );
    let exit = daemon.wait_state("killed", State::Exited).exit;
    assert_eq!(
        exit,
        Some(Exit::Signal {
            number: 10,
            core_dumped: false
        })
    );
    daemon.wait_log(&["code", "exit status 7"]);
    daemon.wait_log(&["killed", "SIGUSR1"]);
}

#[test]
fn stop_sends_the_stopsignal_and_nothing_else_to_who_obeys() {
    let on = ["--on", "USR1=exit:0", "--on", "TERM=ignore"];
    let daemon = daemon(
        Sandbox::new(),
        &on,
        &json!({"stopsignal": "USR1", "stoptime": 5}),
    );
    let ledger = daemon.sandbox().ledger("p");
    ledger.wait("start", 1, SOON);
    assert_eq!(only(&daemon.rpc().stop(&["p"])), Verdict::Stopped);
    let heard = ledger.all("signal");
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert_eq!(heard[0]["signal"], "SIGUSR1");
    assert_eq!(heard[0]["from"], daemon.daemon_pid());
    assert_eq!(daemon.status("p").exit, Some(Exit::Code(0)));
}

#[test]
fn who_does_not_obey_is_killed_after_stoptime() {
    let daemon = daemon(
        Sandbox::new(),
        &["--on", "TERM=ignore"],
        &json!({"stoptime": "300ms"}),
    );
    daemon.sandbox().ledger("p").wait("start", 1, SOON);
    assert_eq!(only(&daemon.rpc().stop(&["p"])), Verdict::Stopped);
    let exit = daemon.status("p").exit;
    assert_eq!(
        exit,
        Some(Exit::Signal {
            number: 9,
            core_dumped: false
        })
    );
    let asked = daemon.wait_log(&["p (pid ", "stopping with SIGTERM"]);
    let killed = daemon.wait_log(&["p (pid ", "did not stop within 300 ms, killed with SIGKILL"]);
    // Two clocks are cut to milliseconds.
    assert!(ms_between(&asked, &killed) >= 299, "{asked}\n{killed}");
}

#[test]
fn while_it_stops_it_is_stopping_and_a_start_then_is_not_lost() {
    let daemon = daemon(Sandbox::new(), &["--on", "TERM=slow:500ms"], &json!({}));
    let first = daemon.wait_state("p", State::Running).pid;
    let mut stopper = daemon.rpc();
    let asked = stopper.ask(&shared::api::Call::Stop(harness::rpc::names(&["p"])));
    daemon.wait_state("p", State::Stopping);
    assert_eq!(only(&daemon.rpc().start(&["p"])), Verdict::Started);
    let status = daemon.status("p");
    assert!(
        status.state == State::Running && status.pid != first,
        "{status:?}"
    );
    let overtaken = stopper.answer(asked).expect("an answer");
    assert_eq!(overtaken["results"][0]["result"], "superseded");
}

#[test]
fn restart_gives_a_new_process_and_starts_what_was_down() {
    let daemon = daemon(Sandbox::new(), &[], &json!({}));
    let first = daemon.wait_state("p", State::Running).pid;
    let outcomes = daemon.rpc().restart(&["p"]);
    assert_eq!(
        (only(&outcomes), outcomes[0].before),
        (Verdict::Started, Some(Verdict::Stopped))
    );
    let second = daemon.status("p").pid;
    assert!(second.is_some() && second != first);
    daemon.rpc().stop(&["p"]);
    let outcomes = daemon.rpc().restart(&["p"]);
    assert_eq!(
        (only(&outcomes), outcomes[0].before),
        (Verdict::Started, Some(Verdict::NotRunning))
    );
}

#[test]
fn a_signal_by_command_reaches_the_program_and_is_no_stop() {
    let daemon = daemon(Sandbox::new(), &["--on", "HUP=ignore"], &json!({}));
    let pid = daemon.wait_state("p", State::Running).pid;
    assert_eq!(
        only(&daemon.rpc().signal("HUP", &["p"])),
        Verdict::Signalled
    );
    let heard = daemon.sandbox().ledger("p").wait("signal", 1, SOON);
    assert_eq!(heard[0]["signal"], "SIGHUP");
    assert_eq!(daemon.status("p").pid, pid);
}

#[test]
fn numprocs_are_processes_of_their_own() {
    let sandbox = Sandbox::new();
    let cmd = sandbox.puppet("web", &[]);
    let daemon = Daemon::start(
        sandbox,
        json!({"web": {"cmd": cmd, "numprocs": 3, "starttime": "50ms"}}),
    );
    let mut pids: Vec<i32> = (0..3)
        .map(|index| {
            daemon
                .wait_state(&format!("web:{index}"), State::Running)
                .pid
                .expect("a pid")
        })
        .collect();
    pids.dedup();
    assert_eq!(pids.len(), 3);
    assert_eq!(only(&daemon.rpc().stop(&["web:1"])), Verdict::Stopped);
    let states: Vec<State> = daemon
        .rpc()
        .status()
        .processes
        .iter()
        .map(|process| process.state)
        .collect();
    assert_eq!(states, [State::Running, State::Stopped, State::Running]);
    let outcomes = daemon.rpc().stop(&["web:*"]);
    assert!(
        outcomes
            .iter()
            .all(|outcome| outcome.result == Verdict::Stopped),
        "{outcomes:?}"
    );
}

#[test]
fn starttime_zero_is_running_at_once_and_respawns_are_held_back() {
    let keys = json!({"starttime": 0, "autorestart": "always"});
    let daemon = daemon(Sandbox::new(), &["--plan", "exit:0"], &keys);
    let ledger = daemon.sandbox().ledger("p");
    ledger.wait("start", 4, SOON);
    // By the daemon's own clock: a process may come to report its start late.
    let mut starts = daemon.log();
    starts.retain(|line| line.contains("started with pid") && !line.contains("taskmasterd"));
    assert!(starts.len() >= 4, "{starts:?}");
    for pair in starts.windows(2) {
        // Two clocks are cut to milliseconds.
        assert!(ms_between(&pair[0], &pair[1]) >= 249, "{starts:?}");
    }
    assert_ne!(daemon.status("p").state, State::Fatal);
    assert_eq!(only(&daemon.rpc().restart(&["p"])), Verdict::Started);
}

// It is RUNNING before its exec has succeeded or failed, but whoever waits for it hears which.
#[test]
fn with_starttime_zero_a_start_is_answered_when_the_exec_is_over() {
    let program = |cmd| json!({"cmd": cmd, "starttime": 0, "autostart": false});
    let programs = json!({"p": program("/nonexistent/program"), "q": program("cat")});
    let daemon = Daemon::start(Sandbox::new(), programs);
    let said = daemon.ctl().run(&["start", "p", "q"]);
    assert_eq!(said.out, "p: ERROR (no such file)\nq: started\n");
    assert_eq!(said.code, Some(1));
}

#[test]
fn a_shutdown_stops_in_reverse_priority_and_leaves_nothing() {
    let sandbox = Sandbox::new();
    let program = |priority: u32| {
        let on = ["--name", &format!("p{priority}"), "--on", "TERM=exit:0"];
        json!({"cmd": sandbox.puppet("all", &on), "priority": priority, "starttime": "50ms"})
    };
    let programs = json!({"b": program(1), "c": program(2), "a": program(3)});
    let mut daemon = Daemon::start(sandbox, programs);
    let ledger = daemon.sandbox().ledger("all");
    ledger.wait("ready", 3, SOON);
    for name in ["a", "b", "c"] {
        daemon.wait_state(name, State::Running);
    }
    daemon.stop();
    let order: Vec<_> = ledger
        .all("signal")
        .iter()
        .map(|fact| fact["name"].clone())
        .collect();
    assert_eq!(order, ["p3", "p2", "p1"]);
    assert!(daemon.offspring().is_empty());
    assert!(!daemon.socket().exists(), "the socket outlived the daemon");
}

// A second Ctrl-C means it; a second TERM may be an impatient init that would only do harm.
#[test]
fn a_second_int_kills_what_is_left_and_a_second_term_changes_nothing() {
    let keys = json!({"stoptime": 60});
    let mut daemon = daemon(Sandbox::new(), &["--on", "TERM=ignore"], &keys);
    let ledger = daemon.sandbox().ledger("p");
    ledger.wait("start", 1, SOON);
    daemon.signal(Signal::SIGTERM);
    ledger.wait("signal", 1, SOON);
    daemon.signal(Signal::SIGTERM);
    let lives = || {
        check(proc::alive(ledger.pids("start")[0]), || {
            "it was killed".into()
        })
    };
    throughout("life", Duration::from_millis(300), lives);
    daemon.signal(Signal::SIGINT);
    daemon.signal(Signal::SIGINT);
    proc::wait_dead(ledger.pids("start")[0]);
    assert_eq!(daemon.wait_exit(SOON).code(), Some(0));
}
